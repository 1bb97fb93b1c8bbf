"""Images embedded in a page, so that it is self-contained."""

import base64
import io
from pathlib import Path

from PIL import Image

from pix2pix.system.errors import InputError

SMALL = 128  # pixels; images up to this size are embedded unchanged


def embed_image(path: Path, widest: int, made: Path) -> str:
    """The data URI of an image, as WebP of at most `widest` pixels per side.

    Images of at most 128 pixels are embedded without loss, larger ones with.

    Raises:
        InputError: the image is missing or damaged; `made` is the file or folder to delete, so that it is made again.
    """
    try:
        with Image.open(path) as image:
            small = image.convert("RGBA" if image.has_transparency_data else "RGB")
    except (OSError, SyntaxError, ValueError):  # what Pillow raises for damaged PNG files
        wrong = "damaged" if path.exists() else "missing"
        raise InputError(f"{path}: the image is {wrong}; delete {made} and run the workflow again") from None
    lossless = max(small.size) <= SMALL
    small.thumbnail((widest, widest), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=80, method=4, lossless=lossless)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
