"""Pairs from the official Cityscapes packages: equal, pixel by pixel, to what the documentation says."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from archives import contents
from conftest import script
from PIL import Image

from pix2pix.data.cityscapes import prepare_cityscapes
from pix2pix.data.extract import extract
from pix2pix.system.errors import InputError

FRAMES = [("train", "zurich", 1), ("train", "aachen", 20), ("train", "aachen", 3), ("val", "lindau", 7)]
COLOURS = np.array([(128, 64, 128), (70, 70, 70), (220, 20, 60), (0, 0, 142)], np.uint8)  # road, building, rider, car


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def packages(folder: Path, packed: bool) -> tuple[Path, Path, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Draw a miniature of both packages; return them, and (photo, labels) by the name that the pair should have."""
    random = np.random.default_rng(3)
    files: dict[str, dict[str, bytes]] = {"leftImg8bit": {}, "gtFine": {}}
    drawn = {}
    for split, city, frame in FRAMES:
        photo = random.integers(0, 256, (256, 512, 3), np.uint8)
        labels = COLOURS[random.integers(0, 4, (256, 512))]
        stem = f"{city}_{frame:06d}_000019"
        alpha = np.full((256, 512, 1), 255, np.uint8)
        files["leftImg8bit"][f"leftImg8bit/{split}/{city}/{stem}_leftImg8bit.png"] = png(photo)
        files["gtFine"][f"gtFine/{split}/{city}/{stem}_gtFine_color.png"] = png(np.concatenate([labels, alpha], 2))
        files["gtFine"][f"gtFine/{split}/{city}/{stem}_gtFine_labelIds.png"] = png(labels[..., 0])
        drawn[stem] = photo, labels
    files["leftImg8bit"]["leftImg8bit/test/berlin/berlin_000000_000019_leftImg8bit.png"] = png(photo)
    files["gtFine"] |= {"README": b"", "license.txt": b"", "gtFine/train/aachen/x_polygons.json": b"{}"}
    for package, members in files.items():
        if packed:
            with zipfile.ZipFile(folder / f"{package}.zip", "w") as archive:
                for name, data in reversed(members.items()):
                    archive.writestr(name, data)
        else:
            for name, data in members.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(data)
    order = ["aachen_000003", "aachen_000020", "zurich_000001"]
    expected = {f"train/{n}.jpg": drawn[f"{name}_000019"] for n, name in enumerate(order, 1)}
    expected["val/1.jpg"] = drawn["lindau_000007_000019"]
    ending = ".zip" if packed else ""
    return folder / f"leftImg8bit{ending}", folder / f"gtFine{ending}", expected


@pytest.mark.parametrize("packed", [True, False])
def test_pairs_are_what_the_documentation_says(tmp_path, packed):
    photos, labels, expected = packages(tmp_path, packed)
    result = script("prepare_cityscapes", photos, labels, "--out", tmp_path / "made/pairs")
    assert result.stdout.splitlines()[-1] == f"{tmp_path / 'made/pairs'}: 3 train, 1 val"
    assert contents(tmp_path / "made/pairs").keys() == expected.keys()
    for name, (photo, label_map) in expected.items():
        left = np.asarray(Image.fromarray(photo).resize((256, 256), Image.Resampling.BICUBIC))
        right = label_map[:, 1::2]  # nearest neighbour to half the width; the height is kept
        buffer = io.BytesIO()
        joined = Image.fromarray(np.concatenate([left, right], 1))
        joined.save(buffer, "JPEG", quality=100, subsampling=0)
        with Image.open(tmp_path / "made/pairs" / name) as made, Image.open(buffer) as wanted:
            assert made.size == (512, 256)
            assert (np.asarray(made) == np.asarray(wanted)).all()
            assert np.abs(np.asarray(made, int)[:, 256:] - right).max() <= 8  # JPEG of quality 100
    assert extract(tmp_path / "made/pairs", tmp_path / "p", {"train": 3, "val": 1}) == {"train": 3, "val": 1}


def test_what_is_missing_is_named_and_nothing_is_written(tmp_path):
    photos, labels, _ = packages(tmp_path, packed=False)
    before = sorted(tmp_path.iterdir())
    (photos / "val/lindau/lindau_000007_000019_leftImg8bit.png").rename(photos / "val/lindau/b_leftImg8bit.png")
    with pytest.raises(InputError) as error:
        prepare_cityscapes(photos, labels, tmp_path / "pairs")
    assert str(error.value).splitlines() == [
        f"{photos}: val/lindau/b: {labels} has no label map of this photo",
        f"{labels}: val/lindau/lindau_000007_000019: {photos} has no photo of this label map",
    ]
    (photos / "val/lindau/b_leftImg8bit.png").write_bytes(b"no image")
    for arguments, reason in [
        ((photos, labels), f"{photos}: val/lindau/b_leftImg8bit.png: is not an image"),
        ((labels, photos), f"{photos}: has no train/CITY/*_gtFine_color.png"),
        ((photos, tmp_path / "gt.zip"), f"{tmp_path / 'gt.zip'}: no such file"),
    ]:
        result = script("prepare_cityscapes", *arguments, "--out", tmp_path / "pairs")
        assert result.returncode == 1
        assert f"error: {reason}" in result.stdout
        assert "Traceback" not in result.stdout
    assert sorted(tmp_path.iterdir()) == before
    copy = labels / "copy/val/lindau/lindau_000007_000019_gtFine_color.png"
    copy.parent.mkdir(parents=True)
    copy.write_bytes((labels / "val/lindau" / copy.name).read_bytes())
    with pytest.raises(InputError, match=f"^{labels}: val/lindau/{copy.name}: occurs twice, in different folders"):
        prepare_cityscapes(photos, labels, tmp_path / "pairs")
    (tmp_path / "pairs").mkdir()
    with pytest.raises(InputError, match="exists already"):
        prepare_cityscapes(photos, labels, tmp_path / "pairs")
