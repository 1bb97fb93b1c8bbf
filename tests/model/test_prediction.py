"""Images are translated several at a time, and each prediction is that of the image alone."""

from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from PIL import Image

from pix2pix.config.settings import PredictSettings
from pix2pix.data.loader import to_array, to_pixels
from pix2pix.evaluation.prediction import IMAGES_AT_ONCE, KINDS, Translator, save_all
from pix2pix.model.checkpoint import save_network
from pix2pix.model.networks import Generator, compile_forward

SIZE = 64


def trained(settings: PredictSettings, ckpt: Path) -> Generator:
    """A generator with weights as large as those of a trained one, saved to `ckpt`."""
    random = np.random.default_rng(5)
    generator = Generator(settings, SIZE)
    for parameter in generator.trainable_params():
        mean = 1 if parameter.name.endswith("gamma") else 0
        parameter.set_data(ms.Tensor(random.normal(mean, 0.2, parameter.shape), ms.float32))
    save_network(generator, "generator.", ckpt)
    return generator


def images(number: int) -> list[np.ndarray]:
    """Random images of different brightness and contrast, (SIZE, SIZE, 3) uint8."""
    random = np.random.default_rng(6)
    return [random.integers(20 * i, 60 + 40 * i, (SIZE, SIZE, 3)).astype(np.uint8) for i in range(number)]


@pytest.mark.parametrize(("norm", "dropout"), [("batch", False), ("batch", True), ("instance", False)])
def test_images_translated_together_are_normalised_and_dropped_out_alone(tmp_path, norm, dropout):
    settings = PredictSettings(g_ngf=4, g_layers=6, val_pic_size=SIZE, norm=norm, dropout=dropout, seed=3)
    generator = trained(settings, tmp_path / "g.ckpt")
    alone = compile_forward(generator)
    translate = Translator(settings, tmp_path / "g.ckpt")
    assert translate.images == IMAGES_AT_ONCE
    inputs = images(IMAGES_AT_ONCE)
    fakes = translate(inputs, first=8)
    for number, (image, fake) in enumerate(zip(inputs, fakes, strict=True), start=8):
        generator.sample_dropout(settings.seed, number)
        expected = to_pixels(alone(ms.Tensor(to_array(Image.fromarray(image), 3)[np.newaxis])).asnumpy()[0])
        assert expected.std() > 20
        # sums in another order may change the rounding of a few pixels
        assert np.abs(fake.astype(int) - expected).max() <= 1
        assert (fake != expected).mean() < 0.002
    assert np.abs(fakes[0].astype(int) - fakes[-1]).max() > 20


# the second one is wide enough that its middle layers compute in tiles
@pytest.mark.parametrize(("filters", "layers"), [(8, 6), (128, 3)])
def test_a_prediction_depends_on_its_image_alone(tmp_path, filters, layers):
    settings = PredictSettings(g_ngf=filters, g_layers=layers, val_pic_size=SIZE)
    trained(settings, tmp_path / "g.ckpt")
    translate = Translator(settings, tmp_path / "g.ckpt")
    a, b, c, d = images(4)
    together = translate([a, b, c, d])
    for others in ([b, a], [c, d, b, a], [a]):
        place = next(i for i, image in enumerate(others) if image is a)
        np.testing.assert_array_equal(translate(others)[place], together[0])


def test_images_of_more_than_256_pixels_are_translated_one_at_a_time(tmp_path):
    settings = PredictSettings(g_ngf=1, g_layers=2, val_pic_size=260)
    generator = Generator(settings, 260)
    save_network(generator, "generator.", tmp_path / "g.ckpt")
    translate = Translator(settings, tmp_path / "g.ckpt")
    assert translate.images == 1
    [fake] = translate([np.zeros((260, 260, 3), np.uint8)])
    assert fake.shape == (260, 260, 3)


def test_saved_images_are_lossless_and_errors_of_the_writing_threads_surface(tmp_path):
    rows = [(f"{i}", *images(4)[:3]) for i in range(5)]
    for kind in KINDS:
        (tmp_path / kind).mkdir()
    assert [row[0] for row in save_all(rows, tmp_path)] == ["0", "1", "2", "3", "4"]
    for name, *saved in rows:
        for kind, image in zip(KINDS, saved, strict=True):
            np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / kind / f"{name}.png")), image)
    (tmp_path / "input" / "7.png").mkdir()
    with pytest.raises(IsADirectoryError, match=r"input/7\.png"):
        list(save_all([("7", *rows[0][1:]), *rows], tmp_path))
