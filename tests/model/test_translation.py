"""Lone images are translated at their own size, like the pairs that they are part of."""

import os
import re
import shutil

import numpy as np
import pytest
from conftest import script
from PIL import Image

import pix2pix
from pix2pix.config.settings import GeneratorSettings, PredictSettings, TrainSettings
from pix2pix.evaluation.prediction import Translator
from pix2pix.model.checkpoint import save_network
from pix2pix.model.networks import Generator, initialise
from pix2pix.system.errors import InputError
from pix2pix.translation.generator import LoadedGenerator

ORIENTATION = 0x0112  # the EXIF tag; 6: turn the stored image by 90 degrees clockwise
SHAPE = (20, 31, 3)


@pytest.fixture(scope="module")
def ckpt(finished):
    """A run's folder, which holds its checkpoint."""
    return finished[0] / "results" / "roofs"


@pytest.fixture
def photo() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, SHAPE, np.uint8)


def read(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_inputs_of_pairs_give_the_predictions_of_the_pairs(finished, ckpt, tmp_path):
    for name in ("1", "2", "3"):
        shutil.copy(ckpt / f"predict/input/{name}.png", tmp_path)
    result = script("translate", tmp_path, "--ckpt", ckpt, "--out", tmp_path / "out")
    assert result.returncode == 0, result.stdout
    assert "3 translations" in result.stdout
    for name in ("1", "2", "3"):
        assert (tmp_path / f"out/{name}.png").read_bytes() == (ckpt / f"predict/prediction/{name}.png").read_bytes()


def test_unreadable_images_are_named_and_the_others_translated(ckpt, tmp_path, photo):
    inputs = tmp_path / "my {pictures}"
    inputs.mkdir()
    image = Image.fromarray(photo)
    for name in ("a.png", "a.jpg", "-b c.bmp", "ümlaut.tif", "A.PPM"):
        image.save(inputs / name)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.fromarray(np.rot90(photo)).save(inputs / "turned.png", exif=exif)
    (inputs / "notes.txt").write_text("no image")
    (inputs / "cut.jpg").write_bytes((inputs / "a.jpg").read_bytes()[:300])
    (inputs / "exif.tif").write_bytes(b"II*\0" + b"\xff" * 200)
    os.mkfifo(inputs / "pipe.png")
    result = script("translate", inputs, "--ckpt", ckpt, "--out", tmp_path / "out")
    assert result.returncode == 1
    assert f"error: {inputs}/pipe.png: is neither a file nor a folder" in result.stdout.splitlines()
    assert "Warning" not in result.stdout
    [line] = [line for line in result.stdout.splitlines() if "cut.jpg" in line]
    assert line.startswith(f"error: {inputs}/cut.jpg: ")
    assert "truncated" in line.lower()
    assert result.stdout.splitlines()[-1].startswith("error: 3 of 9 images could not be translated")
    assert f"{inputs}: not images by their names: notes.txt" in result.stdout
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made == {"a.png.png", "a.jpg.png", "-b c.png", "ümlaut.png", "A.png", "turned.png"}
    assert {read(tmp_path / "out" / name).shape for name in made} == {SHAPE}
    # turned upright, it is the photo
    assert np.array_equal(read(tmp_path / "out/turned.png"), read(tmp_path / "out/a.png.png"))


def test_output_over_an_input_is_an_error(ckpt, tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    result = script("translate", tmp_path / "a.png", "--ckpt", ckpt, "--out", tmp_path)
    assert result.returncode == 1
    assert "contains the input a.png" in result.stdout.splitlines()[-1]
    (tmp_path / "links").mkdir()
    (tmp_path / "links/a.png").symlink_to("../a.png")
    result = script("translate", tmp_path / "links", "--ckpt", ckpt, "--out", tmp_path)
    assert result.returncode == 1
    assert "contains the input a.png" in result.stdout.splitlines()[-1]
    assert (tmp_path / "a.png").read_bytes() == before


def test_size_is_that_of_the_longer_side(ckpt, tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "a.png")
    result = script("translate", tmp_path / "a.png", "--ckpt", ckpt, "--out", tmp_path / "out", "--size", 64)
    assert result.returncode == 0, result.stdout
    assert read(tmp_path / "out/a.png").shape == (41, 64, 3)


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (("--size", 100000), "a.png: would be 100000x64516: more than 89,478,485 pixels: lower --size"),
        (("--ckpt", "ckpt/Discriminator_2.ckpt"), "ckpt/Discriminator_2.ckpt: no float32 model.model.0.weight"),
    ],
)
def test_images_or_weights_that_cannot_be_used_give_one_line(ckpt, tmp_path, photo, monkeypatch, flags, line):
    Image.fromarray(photo).save(tmp_path / "a.png")
    monkeypatch.chdir(ckpt)
    result = script("translate", tmp_path / "a.png", "--ckpt", ckpt, "--out", tmp_path / "out", *flags)
    assert result.returncode == 1
    assert re.search(rf"^error: .*{re.escape(line)}", result.stdout, re.MULTILINE)
    assert "Discriminator" not in line or result.stdout.count("error: ") == 1
    assert not (tmp_path / "out/a.png").exists()


def test_loaded_generator_maps_each_kind_of_image_to_the_same_kind(ckpt, photo):
    generator = pix2pix.load_generator(ckpt)
    assert generator.description.dataset == "roofs"
    expected = generator(photo)
    assert (expected.shape, expected.dtype) == (SHAPE, np.uint8)
    assert np.array_equal(generator(np.stack([photo, photo])), np.stack([expected, expected]))
    from_pil = generator(Image.fromarray(photo))
    assert (from_pil.mode, from_pil.size) == ("RGB", (31, 20))
    assert np.array_equal(np.asarray(from_pil), expected)
    several = generator([Image.fromarray(photo), photo[:9, :9]])
    assert np.array_equal(np.asarray(several[0]), expected)
    assert several[1].shape == (9, 9, 3)
    grey = photo[:, :, 0]
    assert np.array_equal(generator(grey), generator(np.repeat(grey[:, :, np.newaxis], 3, axis=2)))
    assert np.array_equal(generator(grey), generator(grey[:, :, np.newaxis]))
    with pytest.raises(InputError, match=r"^device_target: 'cpu' is not one of CPU, GPU, Ascend$"):
        pix2pix.load_generator(ckpt, "cpu")
    for wrong in (photo / 255, photo[0, 0], "a.png", [photo.astype(float)]):
        with pytest.raises(TypeError):
            generator(wrong)


def test_dropout_depends_on_the_seed_and_fits_any_size(tmp_path, photo):
    settings = GeneratorSettings(g_layers=6, g_ngf=4, dropout=True)
    network = Generator(settings, 64)
    initialise(network, TrainSettings(**settings.model_dump(), train_pic_size=64, load_size=64, init_gain=0.2))
    save_network(network, "", tmp_path / "g.ckpt")
    generator = LoadedGenerator(tmp_path / "g.ckpt", given={"dropout": True})
    assert np.array_equal(generator(photo, seed=1), generator(photo, seed=1))
    assert not np.array_equal(generator(photo, seed=1), generator(photo, seed=2))
    wide = np.concatenate([photo] * 5, axis=1)
    assert generator(wide).shape == wide.shape


def test_an_image_larger_than_a_tile_is_translated_as_predict_does_at_native_size(ckpt, photo):
    tiled = LoadedGenerator(ckpt, tile_size=16)
    settings = tiled.settings.model_dump() | {"val_pic_size": "native", "tile_size": 16}
    expected = Translator(PredictSettings(**settings), tiled.path)([photo])[0]
    assert np.array_equal(tiled(photo), expected)
    assert expected.shape == photo.shape
    # one pass has other statistics, so tiles differ from it
    assert not np.array_equal(LoadedGenerator(ckpt)(photo), expected)


def test_a_tile_size_that_the_generator_cannot_halve_is_refused(ckpt):
    with pytest.raises(InputError, match=r"^tile_size: 20 is not a multiple of 2\^g_layers \(8\)$"):
        LoadedGenerator(ckpt, tile_size=20)
