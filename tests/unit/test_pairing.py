"""Pairs from two folders or a list: partners by name, splits that stay, and a list of what is left out."""

import csv
import shutil
import tarfile
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from conftest import script
from PIL import Image

from pix2pix.pairing import archive
from pix2pix.pairing.partners import Pair, split_of
from pix2pix.system.errors import InputError


def draw(path: Path, width: int = 16, height: int = 12, shade: int = 100, **options: object) -> Path:
    """A lone image with a bright top left corner."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (width, height), (shade, 20, 30))
    image.paste((250, 250, 250), (0, 0, width // 2, height // 2))
    image.save(path, **options)
    return path


def pair(tmp_path: Path, *flags: object, status: int = 0) -> list[str]:
    """Run the program; return its lines."""
    out = ("--left_out", tmp_path / "out" / "unpaired.csv", "--threads", 2)
    done = script("pair", tmp_path / "out" / "mine.tar.gz", *out, *flags)
    assert done.returncode == status, done.stdout
    assert "Traceback" not in done.stdout
    assert (tmp_path / "out" / "mine.tar.gz").exists() == (status == 0)
    return [line for line in done.stdout.splitlines() if not line.startswith("threads: ")]


def folders(tmp_path: Path) -> tuple[str, str]:
    return f"--folder_a={tmp_path / 'a'}", f"--folder_b={tmp_path / 'b'}"


def made(tmp_path: Path) -> dict[str, np.ndarray]:
    """The pairs in the archive."""
    with tarfile.open(tmp_path / "out" / "mine.tar.gz") as tar:
        return {member.name: np.asarray(Image.open(tar.extractfile(member))) for member in tar.getmembers()}


def left_out(tmp_path: Path) -> list[str]:
    with open(tmp_path / "out" / "unpaired.csv", newline="") as file:
        return [line for [line] in csv.reader(file)][1:]


FRACTIONS = ("--splits", "train=0.8", "val=0.2")


def test_fractions_split_by_a_hash_and_what_is_left_out_is_listed(tmp_path):
    for number in range(30):
        draw(tmp_path / "a" / f"{number}.{'png' if number % 2 else 'jpg'}", shade=number)
        draw(tmp_path / "b" / f"{number}.{'webp' if number % 3 else 'png'}", shade=200)
    lonely = [draw(tmp_path / "a" / "only a.png"), draw(tmp_path / "b" / "only b.png")]
    other = draw(tmp_path / "a" / "wide.png", width=40)
    draw(tmp_path / "b" / "wide.png", width=20)
    lines = pair(tmp_path, *folders(tmp_path), *FRACTIONS)
    expected = [
        f"{lonely[0]}: has no partner in {tmp_path / 'b'}",
        f"{lonely[1]}: has no partner in {tmp_path / 'a'}",
        f"{other}: has 40x12 pixels, but {tmp_path / 'b' / 'wide.png'} has 20x12: another aspect ratio",
    ]
    assert left_out(tmp_path) == expected
    assert [line for line in lines if line.startswith("left out: ")] == [f"left out: {line}" for line in expected]
    before = made(tmp_path)
    assert lines[-1].endswith(f"{sum(name.startswith('train/') for name in before)} train, "
                              f"{sum(name.startswith('val/') for name in before)} val, 3 left out")  # fmt: skip
    assert len(before) == 30
    assert 15 < sum(name.startswith("train/") for name in before) < 30
    for name, image in before.items():
        assert image.shape == (12, 32, 3)
        assert abs(int(image[11, 15, 0]) - int(Path(name).stem)) < 12
        assert abs(int(image[11, 31, 0]) - 200) < 12
    # ten more images move none
    for number in range(100, 110):
        for half in ("a", "b"):
            draw(tmp_path / half / f"{number}.png")
    pair(tmp_path, *folders(tmp_path), *FRACTIONS)
    assert len(made(tmp_path)) == 40
    assert before.keys() <= made(tmp_path).keys()


def test_fractions_are_met_and_do_not_depend_on_their_order():
    names = [f"IMG_{number}" for number in range(5000)]
    parts = {"train": 0.7, "val": 0.2, "test": 0.1}
    splits = [split_of(name, parts) for name in names]
    for split, part in parts.items():
        assert abs(splits.count(split) / len(names) - part) < 0.02
    assert splits == [split_of(name, dict(reversed(parts.items()))) for name in names]


def test_splits_may_be_folders(tmp_path):
    for split, number in (("train", 1), ("train", 2), ("val", 1), ("old", 9)):
        for half in ("a", "b"):
            draw(tmp_path / half / split / f"{number}.png")
    pair(tmp_path, *folders(tmp_path), "--splits", "train", "val")
    assert list(made(tmp_path)) == ["train/1.png", "train/2.png", "val/1.png"]


def test_splits_may_be_lists_of_names_with_or_without_ending(tmp_path):
    for name in ("1", "2", "a.b", "10", "none"):
        for half in ("a", "b"):
            draw(tmp_path / half / f"{name}.png")
    (tmp_path / "train.txt").write_text("10.jpg\r\na.b\n\n2\nlost\n")
    (tmp_path / "val.txt").write_text("\ufeff1.png\n")
    lists = (f"train=@{tmp_path / 'train.txt'}", f"val=@{tmp_path / 'val.txt'}")
    pair(tmp_path, *folders(tmp_path), "--splits", *lists)
    assert list(made(tmp_path)) == ["train/2.png", "train/10.png", "train/a.b.png", "val/1.png"]
    assert left_out(tmp_path) == [
        f"{tmp_path / 'a' / 'none.png'}: is in none of the lists",
        f"lost: is listed for train, but is not in both {tmp_path / 'a'} and {tmp_path / 'b'}",
    ]
    (tmp_path / "val.txt").write_text("1\n2.png\n")
    shutil.rmtree(tmp_path / "out")
    lines = pair(tmp_path, *folders(tmp_path), "--splits", *lists, status=1)
    assert lines[-1] == f"error: {tmp_path / 'val.txt'}: 2: is also listed for train: keep one"


def write_list(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_pairs_may_be_listed_with_paths_relative_to_the_list(tmp_path):
    for name in ("x/1.jpg", "x/2.jpg", "y/1 map.png", "y/2,map.png", "z.png"):
        draw(tmp_path / name)
    rows = 'split, a, b\ntrain ,x/1.jpg,y/1 map.png\nval,x/2.jpg, "y/2,map.png"\nval,lost.png,z.png\nold,z.png,z.png\n'
    path = write_list(tmp_path / "pairs.csv", rows)
    pair(tmp_path, "--pairs", path, "--splits", "train", "val")
    assert list(made(tmp_path)) == ["train/1.png", "val/2.png"]
    assert left_out(tmp_path) == [
        f"{path}: line 4: {tmp_path / 'lost.png'}: no such file",
        f"{path}: line 5: is for the split 'old', which the dataset does not have",
    ]
    write_list(path, "a,b\n" + "".join(f"x/{number}.jpg,z.png\n" for number in range(1, 30)))
    for number in range(3, 30):
        draw(tmp_path / f"x/{number}.jpg")
    pair(tmp_path, "--pairs", path, *FRACTIONS)
    assert len(made(tmp_path)) == 29


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("left,right\n1,2\n", "has no column a (it has left, right)"),
        ("a,b\n1,2\n", "has no column split (it has a, b)"),
        ("", "has no column a (it has none)"),
        ("a,b,split\n1.png,,train\n", "line 2: has no value for b"),
        ("a,b,split\n1.png\n", "line 2: has no value for b"),
        ("a,b,split\nx/1.png,y.png,val\nz/1.png,y.png,val\n", "has the same name as"),
    ],
)
def test_mistake_in_a_list_gives_one_line(tmp_path, text, expected):
    for name in ("x/1.png", "z/1.png", "y.png"):
        draw(tmp_path / name)
    lines = pair(tmp_path, "--pairs", write_list(tmp_path / "pairs.csv", text), "--splits", "train", "val", status=1)
    assert len(lines) == 1
    assert lines[0].startswith(f"error: {tmp_path / 'pairs.csv'}")
    assert expected in lines[0]


def test_unreadable_images_are_all_named_and_nothing_is_written(tmp_path):
    for number in range(9):
        for half in ("a", "b"):
            draw(tmp_path / half / f"{number}.png")
    (tmp_path / "a" / "2.png").write_bytes(b"no image")
    (tmp_path / "b" / "5.png").write_bytes((tmp_path / "b" / "5.png").read_bytes()[:60])
    lines = pair(tmp_path, *folders(tmp_path), *FRACTIONS, status=1)
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 2
    assert any(line.startswith(f"error: {tmp_path / 'a' / '2.png'}: is not an image") for line in errors)
    assert any(line.startswith(f"error: {tmp_path / 'b' / '5.png'}: ") for line in errors)
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize("listed", [False, True])
def test_pairs_that_extraction_would_refuse_are_named_as_the_files_that_they_are(tmp_path, listed):
    names = ["good", "y" * 201, "ta\tb", "y" * 200, "thin"]
    for half in ("a", "b"):
        for name in names[:-1]:
            draw(tmp_path / half / f"{name}.png")
        Image.new("RGB", (1, 5)).save(tmp_path / half / "thin.png")
    rows = "a,b\n" + "".join(f'"a/{name}.png","b/{name}.png"\n' for name in names)
    given = ("--pairs", write_list(tmp_path / "pairs.csv", rows)) if listed else folders(tmp_path)
    lines = pair(tmp_path, *given, *FRACTIONS, status=1)
    assert sorted(line for line in lines if line.startswith("error: ")) == [
        f"error: {tmp_path}/a/thin.png: is 1x5: smaller than 2x2",
        f"error: {tmp_path}/a: 'ta\\tb.png': contains control characters or is not UTF-8 text: rename both images",
        f"error: {tmp_path}/a: {'y' * 201}.png: has a name longer than 200 bytes without its ending: "
        "rename both images",
    ]
    assert not list(tmp_path.glob("out/*"))


def test_an_image_that_is_too_large_for_a_pair_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_PIXELS", 2 * 16 * 12 - 1)
    one = Pair("train", "1", draw(tmp_path / "a" / "1.png"), draw(tmp_path / "b" / "1.png"))
    with pytest.raises(
        InputError, match=r"a/1\.png: has 16x12 pixels, and twice as many with its B are more than 383:"
    ):
        archive.write_pairs([one], [], tmp_path / "out.tar.gz", tmp_path / "out.csv")


def test_two_images_of_one_name_and_an_empty_split_are_errors(tmp_path):
    for half in ("a", "b"):
        draw(tmp_path / half / "1.png")
    lines = pair(tmp_path, *folders(tmp_path), "--splits", "train=0.5", "val=0.5", status=1)
    assert next(line for line in lines if line.startswith("error: ")).endswith("gets none of 1 pairs")
    lines = pair(tmp_path, *folders(tmp_path), "--splits", "train=0.5", "val=nan", status=1)
    assert lines == ["error: --splits: must be fractions greater than 0 that add up to 1"]
    draw(tmp_path / "a" / "1.jpg")
    lines = pair(tmp_path, *folders(tmp_path), *FRACTIONS, status=1)
    assert lines == [f"error: {tmp_path / 'a' / '1.png'}: has the same name as 1.jpg: pairs are found by their names"]


def test_b_takes_the_size_of_a_and_photographs_are_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the image is to be rotated by 90 degrees clockwise
    for number in range(12):
        draw(tmp_path / "a" / f"{number}.jpg", width=36, height=24, exif=exif, quality=95)
        draw(tmp_path / "b" / f"{number}.png", width=12, height=18)
    lines = pair(tmp_path, *folders(tmp_path), *FRACTIONS, "--labels_b")
    assert "12 images B were resized to the size of their A (nearest neighbour)" in lines
    for image in made(tmp_path).values():
        assert image.shape == (36, 48, 3)
        # the bright corner of A is now top right, that of B is still top left
        assert image[5, 20, 1] > 200
        assert image[5, 4, 1] < 100
        assert len(np.unique(image[:, 24:].reshape(-1, 3), axis=0)) == 2
        assert image[5, 28, 1] == 250


def test_names_of_any_kind_are_matched(tmp_path):
    names = ["-n", "a b", "{x}", "é", "$(touch HIT)", "..", "日本", "quote'\"", "#1%20"]
    for name in names:
        draw(tmp_path / "a" / f"{unicodedata.normalize('NFD', name)}.png", format="PNG")
        draw(tmp_path / "b" / f"{unicodedata.normalize('NFC', name)}.JPG", format="JPEG")
    pair(tmp_path, *folders(tmp_path), "--splits", "train=0.5", "val=0.5")
    assert {name.partition("/")[2] for name in made(tmp_path)} == {f"{name}.png" for name in names}
    assert left_out(tmp_path) == []


def test_same_images_give_the_same_archive(tmp_path):
    contents = []
    for _ in range(2):
        for number in range(9):
            for half in ("a", "b"):
                draw(tmp_path / half / f"{number}.png")
        pair(tmp_path, *folders(tmp_path), *FRACTIONS)
        contents.append((tmp_path / "out" / "mine.tar.gz").read_bytes())
    assert contents[0] == contents[1]
