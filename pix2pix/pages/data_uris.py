"""Images embedded in a page, so that it is self-contained."""

import base64
import io
from pathlib import Path

from PIL import Image

SMALL = 128  # pixels; images up to this size are embedded unchanged


def embed_image(path: Path, widest: int) -> str:
    """The data URI of an image, as WebP of at most `widest` pixels per side.

    Images of at most 128 pixels are embedded without loss, larger ones with.

    Raises:
        OSError: the image is missing or damaged.
    """
    with Image.open(path) as image:
        small = image.convert("RGBA" if image.has_transparency_data else "RGB")
    lossless = max(small.size) <= SMALL
    small.thumbnail((widest, widest), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=80, method=4, lossless=lossless)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
