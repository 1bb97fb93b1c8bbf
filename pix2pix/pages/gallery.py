"""The pages that a person opens: HTML that needs no network and nothing beside its own folder."""

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
    """Write index.html into a folder of predictions: each input, prediction and target with its name.

    Args:
        folder: holds input/{name}.png, prediction/{name}.png and target/{name}.png, all of one size,
            and maybe grid.png, to which the page links.
        title: the heading, a run's name for example.
        facts: what else to know, by its name: settings, the checkpoint, the date.
        names: the images' names without .png, at least one, in the order to show.

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
    """The relative addresses of an image's three files."""
    # quoted whole: "a:b" would read as an address of scheme a, "a#b" and "a?b" would end early
    file = quote(os.fsencode(f"{name}.png"), safe="")
    return {kind: f"{kind}/{file}" for kind in KINDS}


def readable(name: str) -> str:
    """A file's name as text that UTF-8 can hold, whatever its bytes are."""
    return os.fsencode(name).decode("utf-8", "replace")
