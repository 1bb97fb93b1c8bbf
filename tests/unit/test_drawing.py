"""The drawn demo dataset: reproducible, in the published layout, with labels that match the photos."""

import io
import subprocess
import sys
import tarfile

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

from pix2pix.demo.drawing import PALETTE, draw_pair, write_demo
from pix2pix.demo.houses import KINDS

PROGRAM = ROOT / "scripts" / "draw_demo.py"


@pytest.fixture(scope="module")
def pairs() -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Three drawn pairs (photo, labels) of each kind of house, 128 pixels wide."""
    return {kind: [draw_pair(kind, np.random.default_rng(n)) for n in range(3)] for kind in KINDS}


def region(labels: np.ndarray, name: str) -> np.ndarray:
    return (labels == PALETTE[name]).all(axis=-1)


def test_same_arguments_give_the_same_bytes_and_another_seed_others(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        write_demo(tmp_path / name, train=2, val=1, seed=seed, size=64)
    first, again, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == again
    assert first != other


def test_archive_has_the_published_layout(tmp_path):
    path = tmp_path / "demo.tar.gz"
    subprocess.run([sys.executable, PROGRAM, path, "--train", "3", "--val", "2", "--size", "64"], check=True)
    with tarfile.open(path) as archive:
        assert archive.getnames() == [f"demo/train/{n}.jpg" for n in (1, 2, 3)] + [f"demo/val/{n}.jpg" for n in (1, 2)]
        images = [Image.open(io.BytesIO(archive.extractfile(m).read())) for m in archive.getmembers()]
    assert {(p.format, p.mode, p.size) for p in images} == {("JPEG", "RGB", (128, 64))}
    assert len({p.tobytes() for p in images}) == 5
    right = np.asarray(images[0])[:, 64:].reshape(-1, 1, 3).astype(int)
    to_nearest_label = np.abs(right - np.array(list(PALETTE.values()))).max(axis=-1).min(axis=-1)
    assert np.mean(to_nearest_label <= 12) > 0.9, "the right half shows flat label colours, but for JPEG's edges"


def test_image_does_not_depend_on_the_number_of_images(tmp_path):
    contents = []
    for count in (1, 2):
        write_demo(tmp_path / "demo", train=count, val=1, size=64)
        with tarfile.open(tmp_path / "demo") as archive:
            contents.append(archive.extractfile("demo/val/1.jpg").read())
    assert contents[0] == contents[1]


def test_labels_contain_only_colours_of_the_palette(pairs):
    for photo, labels in (pair for some in pairs.values() for pair in some):
        assert photo.shape == labels.shape == (128, 128, 3)
        assert photo.dtype == labels.dtype == np.uint8
        assert {tuple(map(int, colour)) for colour in np.unique(labels.reshape(-1, 3), axis=0)} <= set(PALETTE.values())


def unexplained(photo: np.ndarray, labels: np.ndarray) -> float:
    """Mean squared distance of the photo's pixels from the mean colour of their label."""
    flat = photo.astype(float)
    for colour in PALETTE.values():
        where = (labels == colour).all(axis=-1)
        flat[where] -= flat[where].mean(axis=0) if where.any() else 0
    return float((flat**2).mean())


@pytest.mark.parametrize("kind", KINDS)
def test_photo_matches_its_labels(pairs, kind):
    for photo, labels in pairs[kind]:
        wall, window = (photo[region(labels, name)].mean(axis=0) for name in ("facade", "window"))
        assert np.linalg.norm(wall - window) > 20, "windows differ from the wall"
        for shift, axis in ((2, 0), (-2, 0), (2, 1), (-2, 1)):
            assert unexplained(photo, labels) < 0.95 * unexplained(photo, np.roll(labels, shift, axis))


def test_kind_of_house_can_be_inferred_from_its_labels(pairs):
    for kind, label in (("brick", "deco"), ("south", "blind"), ("palace", "pillar"), ("dusk", "shop")):
        assert all(region(labels, label).any() for _, labels in pairs[kind])
    for kind in ("brick", "south", "palace"):
        assert not any(region(labels, "shop").any() for _, labels in pairs[kind])


def test_program_reports_a_flag_that_is_too_small(tmp_path):
    path = tmp_path / "demo.tar.gz"
    result = subprocess.run([sys.executable, PROGRAM, path, "--train", "0"], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (1, "error: --train: 0 is too small: give 1 or more\n")
    assert not path.exists()
