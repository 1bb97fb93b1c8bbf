"""The grid image: a sample of inputs, predictions and targets, side by side and labelled."""

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pix2pix.system.files import replacing

Row = tuple[str, np.ndarray, np.ndarray, np.ndarray]

# no background, and ink that is legible on white and on black
PAPER, INK = (115, 122, 132, 0), (115, 122, 132, 255)
MARGIN, GAP, HEADING = 20, 8, 30
NAME_WIDTH = 140
SMALLEST, LARGEST = 128, 1024


def spread(count: int, limit: int) -> list[int]:
    """At most `limit` indices evenly spread over range(count), including the first and the last."""
    return sorted({round(i) for i in np.linspace(0, count - 1, min(count, limit))})


def write_grid(
    rows: Sequence[Row],
    path: str | Path,
    titles: tuple[str, str, str] = ("input", "prediction", "target"),
    limit: int = 8,
) -> None:
    """Write a labelled PNG that shows each row's name and three images.

    Args:
        rows: at least one (name, input, prediction, target); the images of a row are uint8 of the same shape
            (height, width, 3).
        path: the PNG to write, atomically.
        titles: the headings of the three columns.
        limit: the maximum number of rows to show; if there are more, an evenly spread selection.

    Images are shown at a scale of 1:1. If the first is narrower than 128 pixels, all are enlarged by an integer
    factor, so that each pixel becomes a square. Images of more than 1024 pixels per side are reduced.

    Raises:
        OSError: the file cannot be written.
    """
    shown = [rows[i] for i in spread(len(rows), limit)]
    first = shown[0][1].shape[1]
    factor = -(-SMALLEST // first) if first < SMALLEST else 1
    trios = [[_scaled(image, factor) for image in images] for _, *images in shown]
    heights, width = [images[0].height for images in trios], max(images[0].width for images in trios)
    small, large = ImageFont.load_default(13), ImageFont.load_default(16)
    names = [shorten(name, small) for name, *_ in shown]
    left = MARGIN + max(round(small.getlength(name)) for name in names) + GAP + 4
    grid = Image.new(
        "RGBA",
        (left + 3 * width + 2 * GAP + MARGIN, MARGIN + HEADING + sum(heights) + (len(shown) - 1) * GAP + MARGIN),
        PAPER,
    )
    draw = ImageDraw.Draw(grid)
    columns = [left + i * (width + GAP) for i in range(3)]
    for x, title in zip(columns, titles, strict=True):
        draw.text((x + width / 2, MARGIN + HEADING / 2 - 4), title, fill=INK, font=large, anchor="mm")
    y = MARGIN + HEADING
    for name, images, height in zip(names, trios, heights, strict=True):
        draw.text((left - GAP - 4, y + height / 2), name, fill=INK, font=small, anchor="rm")
        for x, image in zip(columns, images, strict=True):
            grid.paste(image, (x + (width - image.width) // 2, y))
        y += height + GAP
    with replacing(path) as scratch:
        # a quarter of the time of the default; photographs grow by up to a tenth, line drawings can double
        grid.save(scratch, "PNG", compress_type=zlib.Z_RLE)


def _scaled(image: np.ndarray, factor: int) -> Image.Image:
    """Enlarge by a factor; reduce what is then larger than LARGEST."""
    enlarged = Image.fromarray(image.repeat(factor, axis=0).repeat(factor, axis=1))
    enlarged.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    return enlarged


def shorten(name: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The name, shortened in the middle if it is too wide for the name column."""
    kept = name
    while font.getlength(name) > NAME_WIDTH:
        kept = kept[: len(kept) // 2] + kept[len(kept) // 2 + 1 :]
        name = f"{kept[: len(kept) // 2]}…{kept[len(kept) // 2 :]}"
    return name
