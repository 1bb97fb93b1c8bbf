"""Images embedded in a page, so that it is self-contained."""

import base64
import io
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image


def embed(data: bytes, kind: str) -> str:
    """The data URI of an image; `kind` is png, jpeg or svg+xml."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def embed_image(path: Path, widest: int) -> str:
    """The data URI of an image, as a JPEG of at most `widest` pixels per side; smaller images stay unchanged, as PNG.

    Raises:
        OSError: the image is missing or damaged.
    """
    with Image.open(path) as image:
        small = image.convert("RGB")
    buffer = io.BytesIO()
    if max(small.size) <= widest:
        small.save(buffer, "PNG")
        return embed(buffer.getvalue(), "png")
    small.thumbnail((widest, widest), Image.Resampling.LANCZOS)
    small.save(buffer, "JPEG", quality=88)
    return embed(buffer.getvalue(), "jpeg")


def embed_figure(figure: Figure) -> str:
    """The data URI of the figure as an SVG; the same figure always gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return embed(buffer.getvalue(), "svg+xml")
