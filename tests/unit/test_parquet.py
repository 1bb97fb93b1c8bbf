"""Parquet files of paired images, and files that list the splits: what is read, pixel by pixel, and what is refused."""

import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from archives import contents, image, make_archive, make_folder
from conftest import script
from PIL import Image

from pix2pix.config.paths import check_paths, listing_of, listing_of_all
from pix2pix.config.runs import read_config
from pix2pix.data.extract import extract
from pix2pix.data.images import joined
from pix2pix.sources.reading import reader_of
from pix2pix.system.errors import InputError


def picture(number: int, width: int = 8, format: str = "PNG") -> tuple[np.ndarray, bytes]:
    pixels = np.random.default_rng(number).integers(0, 256, (6, width, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format)
    return pixels, buffer.getvalue()


def write_parquet(path: Path, rows: list[tuple[bytes | None, bytes | None]], columns=("imageA", "imageB")) -> Path:
    """Write pairs as the library `datasets` does: structs of the file and its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    halves = zip(*rows, strict=True)
    table = {
        name: [None if data is None else {"bytes": data, "path": None} for data in half]
        for name, half in zip(columns, halves, strict=True)
    }
    pyarrow.parquet.write_table(pyarrow.table(table), path, row_group_size=3)
    return path


def read(source: Path, output: Path, splits: dict[str, int | None], split_file: str | None = None, parquet=True):
    return extract(source, output, splits, read=reader_of(source, joined, split_file, parquet))


def test_rows_become_pairs_without_loss(tmp_path):
    pairs = [(picture(n), picture(100 + n)) for n in range(7)]
    rows = [(left[1], right[1]) for left, right in pairs]
    write_parquet(tmp_path / "hub/data/train-00000-of-00002.parquet", rows[:4])
    write_parquet(tmp_path / "hub/data/train-00001-of-00002.parquet", rows[4:6])
    write_parquet(tmp_path / "hub/default/validation/0000.parquet", rows[6:])
    done = script("extract", tmp_path / "hub", tmp_path / "p", "--parquet", "--splits", "train=6", "val=1")
    assert done.returncode == 0, done.stdout
    names = [f"train/{n}.png" for n in range(1, 7)] + ["val/1.png"]
    assert sorted(contents(tmp_path / "p")) == names
    for name, (left, right) in zip(names, pairs, strict=True):
        with Image.open(tmp_path / "p" / name) as pair:
            assert (np.asarray(pair) == np.concatenate([left[0], right[0]], 1)).all()


def test_copy_with_joined_splits_is_divided_by_a_split_file(tmp_path):
    rows = [(picture(n)[1], picture(n)[1]) for n in range(4)]
    source = write_parquet(tmp_path / "train-00000-of-00001.parquet", rows)
    (tmp_path / "splits.json").write_text(json.dumps({"val": ["train/2.png"], "train": ["train/1.png", "train/4.png"]}))
    assert read(source, tmp_path / "p", {"train": 2, "val": 1}, "splits.json") == {"train": 2, "val": 1}
    assert sorted(contents(tmp_path / "p")) == ["train/1.png", "train/4.png", "val/2.png"]


def test_rows_that_are_no_pairs_are_listed(tmp_path):
    good, wide = picture(1)[1], picture(2, width=10)[1]
    rows = [(good, good), (good, None), (good, wide), (b"GIF89a", good)]
    write_parquet(tmp_path / "hub/train.parquet", rows)
    with pytest.raises(InputError) as error:
        read(tmp_path / "hub", tmp_path / "p", {"train": 4})
    no_image = "is not an image (JPEG, PNG, WEBP, BMP, TIFF, PPM), or is truncated"
    bad = [
        "train/2.png: train.parquet: row 2: has no bytes in imageB",
        "train/3.png: train.parquet: row 3: its halves have different sizes: 8x6 and 10x6",
        f"train/4.png: train.parquet: row 4: left half: {no_image}",
    ]
    assert str(error.value).splitlines() == [f"{tmp_path / 'hub'}: {line}" for line in bad]
    assert not (tmp_path / "p").exists()
    # like images that cannot be read, they may be tolerated
    flags = ("--parquet", "--splits", "train=4", "--bad", 3, "--packed")
    done = script("extract", tmp_path / "hub", tmp_path / "p", *flags)
    assert done.returncode == 0, done.stdout
    assert "tolerated: 3 unreadable images of train/ left out" in done.stdout.splitlines()[-1]
    listed = json.loads((tmp_path / "left_out.json").read_text())["images"]
    assert [f"{name}: {problem}" for name, problem in listed.items()] == bad
    with zipfile.ZipFile(tmp_path / "p/train.zip") as packed:
        assert packed.namelist() == ["1.png"]


def test_other_files_are_refused_with_one_line(tmp_path):
    row = [(picture(1)[1], picture(2)[1])]
    (tmp_path / "train-broken.parquet").write_bytes(b"PAR1" + bytes(100))
    (tmp_path / "empty").mkdir()
    for source, reason in [
        (write_parquet(tmp_path / "pairs.parquet", row), "the name must start with the split"),
        (
            write_parquet(tmp_path / "train-x.parquet", row, ("image", "imageB")),
            "has no column imageA; it has image",
        ),
        (tmp_path / "train-broken.parquet", "is not a parquet file, or is damaged"),
        (tmp_path / "empty", "contains no file *.parquet"),
        (tmp_path / "train-none.parquet", "no such file or folder"),
    ]:
        with pytest.raises(InputError) as error:
            read(source, tmp_path / "p", {"train": None})
        assert str(error.value).startswith(f"{source}: {reason}")
        assert "\n" not in str(error.value)


def test_missing_files_are_noticed_before_the_first_job(tmp_path):
    config = {"all": ["shoes"], "datasets": {"shoes": {"parquet": str(tmp_path / "shoes")}}, "runs": {"shoes": {}}}
    expected = f"config: datasets.shoes.parquet: {tmp_path}/shoes: no such file or folder; correct the path"
    with pytest.raises(InputError, match=f"^{re.escape(expected)}$"):
        check_paths(read_config(config)[0])
    write_parquet(tmp_path / "shoes/train-0.parquet", [(b"", b"")])
    check_paths(read_config(config)[0])
    config["datasets"]["shoes"]["split_file"] = "splits.csv"
    with pytest.raises(InputError, match=r"has no file splits\.csv, which is the dataset's split_file"):
        check_paths(read_config(config)[0])


IMAGES = {f"images/{name}.jpg": image(shade=n) for n, name in enumerate("abcde")}
CSV = b"\xef\xbb\xbfname,split\r\nimages/a.jpg,train\r\nimages/c.jpg,validation\r\n"
CSV += b"./images/d.jpg,train\r\nimages/b.jpg,test\r\n"


@pytest.mark.parametrize("kind", ["folder", "w:gz", "top"])
def test_split_file_sorts_the_images_of_one_folder(tmp_path, kind, capfd):
    files = IMAGES | {"splits.csv": CSV}
    if kind == "folder":
        source = make_folder(tmp_path / "mine", files)
    else:
        top = "roofs/" if kind == "top" else ""
        source = make_archive(tmp_path / "a.tar.gz", {top + name: data for name, data in files.items()})
    assert read(source, tmp_path / "p", {"train": 2, "val": 1}, "splits.csv", parquet=False) == {"train": 2, "val": 1}
    assert contents(tmp_path / "p") == {
        "train/a.jpg": IMAGES["images/a.jpg"],
        "train/d.jpg": IMAGES["images/d.jpg"],
        "val/c.jpg": IMAGES["images/c.jpg"],
    }
    assert f"{source}: 1 file skipped: not listed in splits.csv" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("splits.csv", b"name,split\nimages/a.jpg,train\nimages/z.jpg,train\n", "splits.csv lists images/z.jpg, which"),
        ("splits.csv", b"image,part\na.jpg,train\n", "splits.csv: must be a CSV file with the columns name and split"),
        ("splits.csv", b"name,split\na.jpg\n", "splits.csv: must be a CSV file"),
        ("splits.csv", b"name,split\na.jpg,train\na.jpg,val\n", "splits.csv: a.jpg is listed in two splits"),
        ("splits.csv", b"\xff\xfe\x00", "splits.csv: must be a CSV file"),
        ("splits.json", b'{"train": "images/a.jpg"}', "splits.json: must be a CSV file"),
        ("splits.json", b'{"train": [1]}', "splits.json: must be a CSV file"),
        ("splits.json", b'{"train": ["a.jpg"], "val": [], "train": ["b.jpg"]}', "splits.json lists a.jpg, which does"),
        ("splits.json", b'["images/a.jpg"]', "splits.json: must be a CSV file"),
        ("other.csv", b"", "contains no splits.csv"),
        ("splits.csv", b"name,split\nimages/../../a.jpg,train\n", "splits.csv lists images/../../a.jpg, which"),
    ],
)
def test_wrong_split_file_is_refused_with_one_line(tmp_path, name, content, reason):
    source = make_archive(tmp_path / "a.tar.gz", IMAGES | {name: content})
    wanted = name if name != "other.csv" else "splits.csv"
    with pytest.raises(InputError) as error:
        read(source, tmp_path / "p", {"train": None}, wanted, parquet=False)
    assert str(error.value).splitlines()[0].startswith(f"{source}: {reason}")
    assert not (tmp_path / "p").exists()


def test_listing_notices_a_change_in_any_folder(tmp_path):
    folder = make_folder(tmp_path / "mine", IMAGES | {"splits.csv": CSV})
    elsewhere = make_folder(tmp_path / "elsewhere", IMAGES)
    (folder / "more").symlink_to(elsewhere)
    (elsewhere / "circle").symlink_to(folder)
    for changed in (folder, elsewhere):
        before = listing_of_all(str(folder))
        listing_of_all.cache_clear()
        listing_of.cache_clear()
        (changed / "images/e.jpg").write_bytes(image(shade=99, width=16))
        assert listing_of_all(str(folder)) != before


def test_listing_of_a_file_notices_a_change_of_the_split_file_beside_it(tmp_path):
    folder = make_folder(tmp_path, {"train-0.parquet": b"", "splits.csv": CSV})
    before = listing_of_all(str(folder / "train-0.parquet"), "splits.csv")
    listing_of_all.cache_clear()
    (folder / "splits.csv").write_bytes(CSV + CSV)
    assert listing_of_all(str(folder / "train-0.parquet"), "splits.csv") != before
