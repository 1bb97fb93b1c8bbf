"""Translation of images of any size: padded to a size that the generator takes, or in overlapping tiles.

Padding is by reflection, half of it on each side, and the result is cropped back. An image that is larger than a tile
is translated tile by tile, which bounds the memory. Neighbouring tiles overlap by at least a quarter, and are
blended there: the weight of a tile falls linearly to its edges.

Normalisation uses the statistics of each tile, and no output pixel depends on pixels beyond its tile. Both make tiles
differ from a pass over the whole image; docs/own-data.md says by how much.
"""

from collections.abc import Callable

import mindspore as ms
import numpy as np
from PIL import Image

from pix2pix.data.loader import to_array

Forward = Callable[[ms.Tensor], ms.Tensor]

OVERLAP = 4  # a tile overlaps the next by at least one part in this many
# every size is compiled once, which takes seconds: with few layers, more padding gives fewer different sizes
LEAST_STEP = 64


def translate_padded(forward: Forward, image: np.ndarray, channels: int, height: int, width: int) -> np.ndarray:
    """The generator's output for an image that is padded to `height` x `width` by reflection, cropped back.

    Args:
        forward: the compiled generator.
        image: (h, w, 3) uint8, no larger than height x width.
        channels: of the generator's input, 3 or 1.
        height, width: multiples of 2^g_layers.

    Returns:
        (channels, h, w) float32 in [-1, 1].
    """
    batch = to_array(Image.fromarray(padded(image, height, width)), channels)[np.newaxis]
    return cropped(forward(ms.Tensor(batch)).asnumpy()[0], *image.shape[:2])


def padded(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pad an image, (h, w, 3), to (height, width, 3) by reflection, half on each side."""
    h, w = image.shape[:2]
    if (h, w) == (height, width):
        return image
    top, left = (height - h) // 2, (width - w) // 2
    return np.pad(image, ((top, height - h - top), (left, width - w - left), (0, 0)), "reflect")


def cropped(output: np.ndarray, h: int, w: int) -> np.ndarray:
    """Cut what `padded` added off the generator's output, (channels, height, width): (channels, h, w)."""
    top, left = (output.shape[1] - h) // 2, (output.shape[2] - w) // 2
    return output[:, top : top + h, left : left + w]


def translate_whole(
    forward: Forward,
    image: np.ndarray,
    channels: int,
    g_layers: int,
    tile_size: int,
    before_tile: Callable[[int], None] = lambda number: None,
) -> np.ndarray:
    """The generator's output for an image of any size, at its own size.

    Args:
        forward, image, channels: as for `translate_padded`, but the image may be of any size.
        g_layers: of the generator.
        tile_size: the height and width of tiles, a multiple of 2^g_layers; a side that is no longer than this is
            padded to a multiple of 2^g_layers (and of 64).
        before_tile: called before each tile, with its number.

    Returns:
        (channels, h, w) float32 in [-1, 1].
    """
    step = max(2**g_layers, LEAST_STEP)
    sides = image.shape[:2]
    height, width = (min(tile_size, -(-side // step) * step) for side in sides)
    if height >= sides[0] and width >= sides[1]:
        before_tile(0)
        return translate_padded(forward, image, channels, height, width)
    output = None
    rows, columns = (_parts(side, tile) for side, tile in zip(sides, (height, width), strict=True))
    tiles = ((row, column) for row in rows for column in columns)
    for number, ((top, bottom, by_row), (left, right, by_column)) in enumerate(tiles):
        before_tile(number)
        part = translate_padded(forward, image[top:bottom, left:right], channels, height, width)
        if output is None:
            output = np.zeros((part.shape[0], *sides), np.float32)
        output[:, top:bottom, left:right] += part * by_row[:, np.newaxis] * by_column
    assert output is not None
    return output


def _parts(side: int, tile: int) -> list[tuple[int, int, np.ndarray]]:
    """Start, end and weights of the tiles along a side: evenly spread, weights adding up to 1 at every pixel."""
    if side <= tile:
        return [(0, side, np.ones(side, np.float32))]
    number = -(-(side - tile) // (tile - tile // OVERLAP)) + 1
    starts = [round(start) for start in np.linspace(0, side - tile, number)]
    ramp = np.minimum(np.arange(1, tile + 1), np.arange(tile, 0, -1)).astype(np.float64)
    ramp = np.minimum(ramp, tile // OVERLAP)
    total = np.zeros(side)
    for start in starts:
        total[start : start + tile] += ramp
    return [(start, start + tile, (ramp / total[start : start + tile]).astype(np.float32)) for start in starts]
