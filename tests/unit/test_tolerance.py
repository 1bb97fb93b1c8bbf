"""Datasets with unreadable images and wrong numbers: refused with all of them listed, or used without them."""

import json
import shutil

import pytest
from archives import GOOD, contents, errors_of, image, make_archive, noise_image
from conftest import script

from pix2pix.config.datasets import Tolerance
from pix2pix.data.extract import extract
from pix2pix.system.errors import InputError

BAD = {
    "train/cut.jpg": noise_image(64, 64, "JPEG")[:-200],
    "train/none.jpg": b"",
    "val/odd.jpg": image(width=9),
}
# 5 images in train/, of which 3 can be read, and 2 in val/, of which 1 can be read
FILES = {f"x/{name}": data for name, data in (GOOD | BAD).items()}


@pytest.fixture
def archive(tmp_path):
    return make_archive(tmp_path / "a.tar.gz", FILES)


def test_by_default_all_of_them_are_listed(archive, tmp_path):
    result = script("extract", archive, tmp_path / "p", "--splits", "train=6", "val=2")
    lines = [line.removeprefix(f"error: {archive}: ") for line in errors_of(result, tmp_path / "p")]
    assert [line.split(":")[0] for line in lines] == [
        "x/train/cut.jpg",
        "x/train/none.jpg",
        "x/val/odd.jpg",
        "split train has 5 images, but 6 are declared",
    ]
    assert not (tmp_path / "left_out.json").exists()


def test_tolerated_they_are_left_out_and_listed(archive, tmp_path):
    flags = ["--splits", "train=6", "val=2", "--bad", 3, "--count", 1]
    result = script("extract", archive, tmp_path / "p", *flags)
    assert result.returncode == 0, result.stdout
    assert contents(tmp_path / "p") == GOOD
    listed = json.loads((tmp_path / "left_out.json").read_text())
    assert {name: text.split(":")[0] for name, text in listed["images"].items()} == {
        "x/train/cut.jpg": "cannot be decoded",
        "x/train/none.jpg": "is empty (0 bytes)",
        "x/val/odd.jpg": "is 9x4",
    }
    assert listed["counts"] == {"train": {"declared": 6, "found": 5}}
    assert result.stdout.splitlines()[-1] == (
        f"warning: {archive}: tolerated: 2 unreadable images of train/ left out; 1 unreadable image of val/ left out; "
        "train/ has 5 images instead of 6"
    )


@pytest.mark.parametrize(
    ("tolerate", "expected"),
    [
        (Tolerance(bad=2, count=1), "3 images cannot be read; tolerate.bad is 2"),
        (Tolerance(bad=3), "split train has 5 images, but 6 are declared"),
    ],
)
def test_one_too_many_is_refused(archive, tmp_path, tolerate, expected):
    with pytest.raises(InputError) as error:
        extract(archive, tmp_path / "p", {"train": 6, "val": 2}, tolerate=tolerate)
    assert str(error.value).splitlines()[-1] == f"{archive}: {expected}"
    assert not (tmp_path / "p").exists()


def test_other_problems_are_not_tolerated(tmp_path):
    archive = make_archive(tmp_path / "a.tar.gz", GOOD | {"train/1.png": image(format="PNG"), "train/x.jpg": b""})
    with pytest.raises(InputError) as error:
        extract(archive, tmp_path / "p", {"train": 4, "val": 1}, tolerate=Tolerance(bad=9, count=9))
    assert str(error.value).splitlines() == [
        f"{archive}: train/1.png: has the same name as 1.jpg: predictions are named after it, so it must be unique in "
        "its split"
    ]


def test_a_split_needs_one_image_that_can_be_read(tmp_path):
    archive = make_archive(tmp_path / "a.tar.gz", GOOD | {"val/1.jpg": b""})
    with pytest.raises(InputError, match=r"split val has no image that can be read$"):
        extract(archive, tmp_path / "p", {"train": 3, "val": 1}, tolerate=Tolerance(bad=1))


def test_the_list_is_deleted_when_the_dataset_is_whole_again(archive, tmp_path):
    extract(archive, tmp_path / "p", {"train": None, "val": None}, tolerate=Tolerance(bad=3))
    assert (tmp_path / "left_out.json").exists()
    # as Snakemake does before the job
    shutil.rmtree(tmp_path / "p")
    extract(make_archive(archive, GOOD), tmp_path / "p", {"train": 3, "val": 1}, tolerate=Tolerance(bad=3))
    assert not (tmp_path / "left_out.json").exists()
