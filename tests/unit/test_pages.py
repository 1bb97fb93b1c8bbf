"""The gallery is complete without scripts and without a network, for any image names."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from pix2pix.evaluation.facts import trained_on
from pix2pix.pages.gallery import read_scores, write_gallery
from pix2pix.system.errors import InputError
from pix2pix.system.json_file import write_json

NAMES = ["1", "14_1148_to_1163", "a b.c", "50%", "#1?", "c:d", '<b>"x"&amp;\'</script>', "ümläut"]


class Reader(HTMLParser):
    """Collects the links, tags and text of a page."""

    def __init__(self):
        super().__init__()
        self.addresses, self.tags, self.text = [], [], ""

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [value for key, value in attributes if key in ("src", "href")]

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def folder(tmp_path) -> Path:
    """The images of a run's predictions."""
    for kind in ("input", "prediction", "target"):
        (tmp_path / "my run" / kind).mkdir(parents=True)
        for name in NAMES:
            file = tmp_path / "my run" / kind / f"{name.replace('/', '_')}.png"
            Image.fromarray(np.full((64, 96, 3), 128, np.uint8)).save(file)
    return tmp_path / "my run"


def read(page: Path) -> Reader:
    reader = Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    return reader


@pytest.mark.parametrize("place", ["my run/index.html", "gallery.html"])
def test_every_image_is_linked_without_scripts_and_nothing_outside(folder, place):
    page = folder.parent / place
    names = [name.replace("/", "_") for name in NAMES]
    write_gallery(page, folder, "my_run", {}, names)
    found = read(page)
    links = [address for address in found.addresses if not address.startswith(("data:", "#"))]
    linked = {(page.parent / unquote(link)).relative_to(folder) for link in links}
    assert linked == {Path(kind, f"{name}.png") for kind in ("input", "prediction", "target") for name in names}
    assert all((folder / file).is_file() for file in linked)
    assert not any(link.startswith(("/", "..")) or ":" in link for link in links)
    assert "://" not in page.read_text(encoding="utf-8")


def test_names_and_facts_are_text_not_markup(folder):
    write_gallery(folder / "index.html", folder, "my_run", {"note": "<i>&"}, [NAMES[0], NAMES[6].replace("/", "_")])
    page = read(folder / "index.html")
    assert not {"b", "i"} & set(page.tags)
    assert page.tags.count("script") == 1
    assert "<i>&" in page.text
    assert "2 images:" in page.text


def test_grid_is_linked_if_it_exists(folder):
    write_gallery(folder / "index.html", folder, "my_run", {}, NAMES[:1])
    assert "grid.png" not in read(folder / "index.html").addresses
    Image.new("RGB", (8, 8)).save(folder / "grid.png")
    write_gallery(folder / "index.html", folder, "my_run", {}, NAMES[:1])
    page = read(folder / "index.html")
    assert "grid.png" in page.addresses
    assert "1 image:" in page.text
    assert "once they are measured" in page.text
    write_gallery(folder / "index.html", folder, "holiday", {}, NAMES[:1], kinds=("input", "prediction"))
    assert "measured" not in read(folder / "index.html").text, "there are no targets to compare with"


def test_scores_are_read_as_they_were_written(tmp_path):
    (tmp_path / "metrics.csv").write_text('name,l1,psnr\n"a, b",12.5,inf\n2,3,4\n')
    expected = {"a, b": {"l1": 12.5, "psnr": float("inf")}, "2": {"l1": 3.0, "psnr": 4.0}}
    assert read_scores(tmp_path / "metrics.csv") == expected


@pytest.mark.parametrize(
    "content", ["", "name,l1\n", "name,l1\na\n", "l1\n2\n", "name,size\na,2\n", "name,l1\na,2,3\n"]
)
def test_damaged_scores_give_one_line(tmp_path, content):
    (tmp_path / "metrics.csv").write_text(content)
    with pytest.raises(InputError, match=r"metrics\.csv: damaged; delete it and run the workflow again"):
        read_scores(tmp_path / "metrics.csv")


def test_an_image_without_scores_is_an_error(folder):
    with pytest.raises(InputError, match="50% has no scores"):
        write_gallery(folder.parent / "gallery.html", folder, "my_run", {}, ["1", "50%"], {"1": {"l1": 1.0}})


def test_scores_say_what_trained_the_generator(tmp_path):
    ckpt = tmp_path / "run/ckpt/Generator_2.ckpt"
    assert trained_on(ckpt) is None
    facts = {"started": "2026-01-01", "host": "node", "device": "CPU", "workers": 2, "threads": 1, "pairs": 5}
    write_json(facts | {"version": "0.1.0", "mindspore": "2.10.0"}, tmp_path / "run/training.json")
    assert trained_on(ckpt) == "CPU, 2 workers, 1 thread"
    write_json(facts | {"threads": [2, 1], "version": "0.1.0", "mindspore": "2.10.0"}, tmp_path / "run/training.json")
    assert trained_on(ckpt) == "CPU, 2 workers, 2 and 1 threads"
    write_json(facts | {"threads": [], "version": "0.1.0", "mindspore": "2.10.0"}, tmp_path / "run/training.json")
    assert trained_on(ckpt) == "CPU, 2 workers"
    write_json(facts | {"precision": "bf16", "version": "0.1.0", "mindspore": "2.10.0"}, tmp_path / "run/training.json")
    assert trained_on(ckpt) == "CPU, bf16, 2 workers, 1 thread"
