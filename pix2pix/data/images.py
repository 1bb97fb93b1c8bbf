"""Images of every common kind, opened fully and turned to RGB in one defined way.

JPEG, PNG, WebP, BMP, TIFF and PPM (with PGM and PBM). What is 8-bit RGB already is exactly what
Pillow decodes. The rest becomes 8-bit RGB so:

- grey, 1-bit, palette, CMYK and YCbCr: Pillow's conversion; no colour profile is applied;
- 16-bit grey: round(v / 257), which takes 0..65535 to 0..255; 16-bit colour (or grey with
  alpha): the high byte;
- an alpha channel or a transparent colour: laid over white.

Of several frames or pages the first counts. A rotation noted by a camera (EXIF) is not applied:
the published archives have none, and both halves of a pair are one image of one orientation.
"""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix.system.errors import InputError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM")
MAX_PIXELS = 89_478_485  # a quarter of a gigabyte as RGB; Pillow's own limit, beyond which it warns
SMALLEST_HALF = 2  # pixels, either way

# an image beyond the limit is an InputError here; Pillow's warning would only come before it
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def open_rgb(source: str | Path | bytes, name: str | None = None) -> Image.Image:
    """Open an image, decode all of it and turn it to 8-bit RGB as the module's text defines.

    Args:
        source: a file's path, or a file's content.
        name: what to call it in a message; by default its path.

    Returns:
        an image of mode RGB, in memory, with the width and height of the file's.

    Raises:
        InputError: it is empty, truncated, no image, of a kind without a conversion, or huge.
        OSError: the file cannot be read.
    """
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    name = name or ("image" if isinstance(source, bytes) else str(source))
    if not data:
        raise InputError(f"{name}: is empty (0 bytes)")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height <= MAX_PIXELS:
                image.load()
                return _to_rgb(image)
            reason = f"is {image.width}x{image.height}: more than {MAX_PIXELS:,} pixels"
    except Image.UnidentifiedImageError:
        reason = f"is not an image ({', '.join(FORMATS)}), or cut short"
    except Image.DecompressionBombError:
        reason = f"is more than {MAX_PIXELS:,} pixels"
    except Exception as error:  # decoders meet damage with whatever comes: ValueError, SyntaxError, struct.error, ...
        reason = f"cannot be decoded: {' '.join(str(error).split()) or type(error).__name__}"
    raise InputError(f"{name}: {reason}")


def halves(image: Image.Image) -> tuple[Image.Image, Image.Image]:
    """The left (A) and the right (B) half of a pair, each (width / 2) x height.

    Raises:
        InputError: the width is odd, or a half is smaller than 2x2 pixels.
    """
    if wrong := _wrong_size(image):
        raise InputError(f"image: {wrong}")
    middle = image.width // 2
    return image.crop((0, 0, middle, image.height)), image.crop((middle, 0, image.width, image.height))


def half_size(source: str | Path | bytes) -> tuple[int, int]:
    """Width and height in pixels of the halves of a file that can serve as a pair.

    Raises:
        InputError: it cannot: `image: is empty`, or whatever is wrong.
    """
    image = open_rgb(source, "image")
    if wrong := _wrong_size(image):
        raise InputError(f"image: {wrong}")
    return image.width // 2, image.height


def _wrong_size(image: Image.Image) -> str | None:
    size = f"{image.width}x{image.height}"
    if image.width % 2:
        return f"is {size}: an odd width cannot be halved"
    if min(image.width // 2, image.height) < SMALLEST_HALF:
        return f"is {size}: its halves are smaller than {SMALLEST_HALF}x{SMALLEST_HALF}"
    return None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if image.mode == "I" or image.mode.startswith("I;16"):
        image = _sixteen_to_eight(image)
    if image.mode == "F":
        raise ValueError("floating-point pixels have no defined range")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _sixteen_to_eight(image: Image.Image) -> Image.Image:
    """16-bit grey to 8-bit grey; a transparent grey becomes white."""
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(f"its values {values.min()} to {values.max()} are not within 16 bits")
    grey = (values + 128) // 257
    if isinstance(transparent := image.info.get("transparency"), int):
        grey[values == transparent] = 255
    return Image.fromarray(grey.astype(np.uint8))
