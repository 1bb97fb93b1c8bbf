"""Translation of images of any size: padded to a size that the generator takes, and cropped back."""

from collections.abc import Callable

import mindspore as ms
import numpy as np
from PIL import Image

from pix2pix.data.loader import to_array

Forward = Callable[[ms.Tensor], ms.Tensor]


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
