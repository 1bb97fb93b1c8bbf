"""Image decoding, with a defined conversion of every supported kind to 8-bit RGB.

Formats: JPEG, PNG, WebP, BMP, TIFF and PPM (with PGM and PBM). 8-bit RGB is used as Pillow decodes
it. Other modes are converted:

- greyscale, 1-bit, palette, CMYK and YCbCr: Pillow's conversion; no colour profile is applied;
- 16-bit greyscale: round(v / 257), which maps 0..65535 to 0..255; 16-bit colour (or greyscale with
  alpha): the high byte;
- an alpha channel or a transparent colour: composited over white.

Only the first frame or page is used. An EXIF orientation is applied to lone images, not to pairs: the published
archives have none, and both halves of a pair are one image with one orientation.
"""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from pix2pix.system.errors import InputError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM")
MAX_PIXELS = 89_478_485  # a quarter of a gigabyte as RGB; the limit above which Pillow warns
SMALLEST_HALF = 2  # pixels, in width and height

# an image above the limit raises an InputError, so Pillow's warning is redundant
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
# about damaged metadata, without the file's name: what matters for the pixels raises an error
warnings.filterwarnings("ignore", category=UserWarning, module="PIL")


def open_rgb(source: str | Path | bytes, name: str | None = None, upright: bool = False) -> Image.Image:
    """Decode a whole image and convert it to 8-bit RGB, as defined in the module's docstring.

    Args:
        source: the path or the content of a file.
        name: its name in messages; by default its path.
        upright: apply the EXIF orientation, which may exchange width and height.

    Returns:
        an image of mode RGB, in memory, with the file's width and height.

    Raises:
        InputError: the file is empty, truncated, not an image, of an unsupported mode, or too large; or it is a pipe
            or a device, which might never end.
        OSError: the file cannot be read.
    """
    if not isinstance(source, bytes) and (path := Path(source)).exists() and not (path.is_file() or path.is_dir()):
        raise InputError(f"{name or path}: is neither a file nor a folder")
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    return _decode(data, name or ("image" if isinstance(source, bytes) else str(source)), upright=upright)[0]


def _decode(
    data: bytes, name: str, only_check: bool = False, upright: bool = False
) -> tuple[Image.Image, tuple[int, int]]:
    """Decode and convert an image; return it, and the width and height in the file.

    `only_check`: a JPEG is decoded at an eighth of its size, in half the time. This reads and decodes every bit of
    the file like full decoding, so it fails for the same files, and skips only the arithmetic that computes pixels.
    """
    if not data:
        raise InputError(f"{name}: is empty (0 bytes)")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            size = image.size
            if image.width * image.height <= MAX_PIXELS:
                if only_check:
                    image.draft("", (1, 1))
                image.load()
                return to_rgb(ImageOps.exif_transpose(image) if upright else image), size
            reason = f"is {image.width}x{image.height}: more than {MAX_PIXELS:,} pixels"
    except Image.UnidentifiedImageError:
        reason = f"is not an image ({', '.join(FORMATS)}), or is truncated"
    except Image.DecompressionBombError:
        reason = f"is more than {MAX_PIXELS:,} pixels"
    except Exception as error:  # decoders raise all kinds of errors: ValueError, SyntaxError, struct.error, ...
        reason = f"cannot be decoded: {' '.join(str(error).split()) or type(error).__name__}"
    raise InputError(f"{name}: {reason}")


def halves(image: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Split a pair into its left (A) and right (B) half, each (width / 2) x height.

    Raises:
        InputError: the width is odd, or a half is smaller than 2x2 pixels.
    """
    if wrong := _wrong_size(*image.size):
        raise InputError(f"image: {wrong}")
    middle = image.width // 2
    return image.crop((0, 0, middle, image.height)), image.crop((middle, 0, image.width, image.height))


def joined(left: bytes, right: bytes) -> bytes:
    """Join two image files to a pair, left and right half: a PNG file, which keeps every pixel.

    Raises:
        InputError: one cannot be decoded, or their sizes differ.
    """
    images = open_rgb(left, "left half"), open_rgb(right, "right half")
    if images[0].size != images[1].size:
        sizes = " and ".join(f"{image.width}x{image.height}" for image in images)
        raise InputError(f"its halves have different sizes: {sizes}")
    pair = Image.new("RGB", (2 * images[0].width, images[0].height))
    pair.paste(images[0], (0, 0))
    pair.paste(images[1], (images[0].width, 0))
    buffer = io.BytesIO()
    pair.save(buffer, "PNG")
    return buffer.getvalue()


def half_size(source: str | Path | bytes) -> tuple[int, int]:
    """Check that a file is a pair; return the width and height of its halves in pixels.

    Raises:
        InputError: the file is not a pair: `image: is empty (0 bytes)`, ...
    """
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    _, (width, height) = _decode(data, "image", only_check=True)
    if wrong := _wrong_size(width, height):
        raise InputError(f"image: {wrong}")
    return width // 2, height


def _wrong_size(width: int, height: int) -> str | None:
    size = f"{width}x{height}"
    if width % 2:
        return f"is {size}: an odd width cannot be halved"
    if min(width // 2, height) < SMALLEST_HALF:
        return f"is {size}: its halves are smaller than {SMALLEST_HALF}x{SMALLEST_HALF}"
    return None


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image of any mode to 8-bit RGB, as defined in the module's docstring.

    Raises:
        ValueError: the mode has no defined conversion.
    """
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
    """Convert 16-bit to 8-bit greyscale; a transparent grey becomes white."""
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(f"its values {values.min()} to {values.max()} exceed 16 bits")
    grey = (values + 128) // 257
    if isinstance(transparent := image.info.get("transparency"), int):
        grey[values == transparent] = 255
    return Image.fromarray(grey.astype(np.uint8))
