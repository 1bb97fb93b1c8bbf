"""Images inside a page, so that it stands alone."""

import base64
import io
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image


def embed(data: bytes, kind: str) -> str:
    """A data address of an image's bytes; `kind` is png, jpeg or svg+xml."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def embed_image(path: Path, widest: int) -> str:
    """The image as a JPEG of at most `widest` pixels either way; smaller ones keep their pixels, as PNG.

    Raises:
        OSError: it is missing or damaged.
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
    """The figure as an SVG, the same bytes each time."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return embed(buffer.getvalue(), "svg+xml")
