"""HTML pages that need neither a network nor files outside their own folder."""

import os
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from pix2pix.evaluation.facts import KINDS
from pix2pix.system.files import replacing

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)


def write_gallery(folder: str | Path, title: str, facts: dict[str, str], names: list[str]) -> None:
    """Write index.html to a folder of predictions: every input, prediction and target with its name.

    Args:
        folder: contains input/{name}.png, prediction/{name}.png and target/{name}.png, all of the same size,
            and optionally grid.png, to which the page links.
        title: the heading, for example the name of the run.
        facts: further facts by name: settings, checkpoint, date.
        names: the names of the images without .png, at least one, in display order.

    Raises:
        OSError: the first image is missing or the page cannot be written.
    """
    folder = Path(folder)
    with Image.open(folder / "prediction" / f"{names[0]}.png") as first:
        width, height = first.size
    overview = "grid.png" if (folder / "grid.png").exists() else None
    trios = [{"name": readable(name), "links": links(name)} for name in names]
    page = TEMPLATES.get_template("gallery.html").render(
        title=title, facts=facts, trios=trios, width=width, height=height, overview=overview
    )
    with replacing(folder / "index.html") as scratch:
        scratch.write_text(page, encoding="utf-8")


def links(name: str) -> dict[str, str]:
    """The relative URLs of the three files of an image."""
    # quoted completely: "a:b" would be read as a URL with scheme a, and "a#b" and "a?b" would be cut off
    file = quote(os.fsencode(f"{name}.png"), safe="")
    return {kind: f"{kind}/{file}" for kind in KINDS}


def readable(name: str) -> str:
    """A file name as text that can be encoded in UTF-8, whatever its bytes are."""
    return os.fsencode(name).decode("utf-8", "replace")
