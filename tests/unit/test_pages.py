"""The gallery opens from disk, complete and without a network, for any image names."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from browser import CHROMIUM, browse
from PIL import Image

from pix2pix.pages.gallery import write_gallery

NAMES = ["1", "14_1148_to_1163", "a b.c", "50%", "#1?", "c:d", '<b>"x"&amp;\'', "ümläut"]


class Reader(HTMLParser):
    """Collects the links, image descriptions and headings of a page."""

    def __init__(self):
        super().__init__()
        self.addresses, self.descriptions, self.headings, self.tags, self.text, self.inside = [], [], [], [], "", ""

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.inside = tag
        attributes = dict(attributes)
        self.addresses += [attributes[key] for key in ("src", "href") if key in attributes]
        if tag == "img":
            self.descriptions.append(attributes["alt"])
            assert attributes["loading"] == "lazy"
        if tag == "h2":
            self.headings.append("")

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        self.text += data
        if self.inside == "h2":
            self.headings[-1] += data.strip()


@pytest.fixture
def gallery(tmp_path) -> Path:
    """A folder of predictions with its page, as written by a run."""
    for place in ("input", "prediction", "target"):
        (tmp_path / place).mkdir(exist_ok=True)
        for name in NAMES:
            Image.fromarray(np.full((64, 96, 3), 128, np.uint8)).save(tmp_path / place / f"{name}.png")
    write_gallery(tmp_path, "my_run", {"lr": "0.0002", "note": "<i>&"}, NAMES)
    return tmp_path


def read(page: Path) -> Reader:
    reader = Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    return reader


def test_every_image_appears_with_its_name(gallery):
    page = read(gallery / "index.html")
    linked = {unquote(a) for a in page.addresses if not a.startswith("data:")}
    assert linked == {f"{place}{name}.png" for place in ("input/", "prediction/", "target/") for name in NAMES}
    assert all((gallery / file).is_file() for file in linked)
    assert page.headings[: len(NAMES)] == NAMES
    assert page.descriptions[:3] == ["input of 1", "prediction of 1", "target of 1"]


def test_page_has_no_external_resources(gallery):
    page = read(gallery / "index.html")
    assert "://" not in (gallery / "index.html").read_text(encoding="utf-8")
    assert not any(a.startswith(("/", "..")) or ":" in a.removeprefix("data:") for a in page.addresses)


def test_names_and_facts_are_text_not_markup(gallery):
    page = read(gallery / "index.html")
    assert "b" not in page.tags
    assert "i" not in page.tags
    assert "<i>&" in page.text
    assert f"{len(NAMES)} images" in page.text


def test_grid_is_linked_if_it_exists(gallery):
    assert "grid.png" not in read(gallery / "index.html").addresses
    Image.new("RGB", (8, 8)).save(gallery / "grid.png")
    write_gallery(gallery, "my_run", {}, NAMES[:1])
    page = read(gallery / "index.html")
    assert "grid.png" in page.addresses
    assert "1 image:" in page.text


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium or chrome on PATH to open the page with")
def test_browser_shows_it_without_errors_and_enlarges_on_a_click(gallery, tmp_path):
    page = (gallery / "index.html").read_text(encoding="utf-8")
    last = f"document.querySelectorAll('article')[{len(NAMES) - 1}].querySelector('a').click();"
    (gallery / "click.html").write_text(page.replace("</script>", last + "</script>"), encoding="utf-8")
    shown, console = browse(gallery / "click.html", tmp_path / "browser")
    assert console == []
    dialog = shown.partition("<dialog")[2].partition("</dialog>")[0]
    assert "open" in dialog.partition(">")[0]
    assert f"<h2>{NAMES[-1]}</h2>" in dialog
    assert dialog.count("<img") == 3
