"""Convolutions and trainings in bfloat16 on a CPU."""

import hashlib
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from conftest import TINY_RUN, draw_pairs, script
from mindspore import nn
from test_layers import value_and_gradients

from pix2pix.config.flags import as_flags
from pix2pix.config.settings import TrainSettings
from pix2pix.devices import bfloat16
from pix2pix.model.bfloat16 import operations, use_bfloat16
from pix2pix.model.layers import DownConvolution, StrideOneConvolution, UpConvolution
from pix2pix.system.checksum import keep, sha256_of
from pix2pix.system.errors import InputError
from pix2pix.training.step import Trainer

MISSING = [need.name for need in bfloat16.needs() if need.found is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"missing: {', '.join(MISSING)}: make bf16")

LAYERS = {"down": DownConvolution, "up": UpConvolution, "stride 1": StrideOneConvolution}


def rounded(values: np.ndarray) -> np.ndarray:
    """Round float32 to the nearest bfloat16, ties to even: the upper 16 bits."""
    bits = values.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).view(np.float32)


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32)


def pair(kind: str, channels: int, filters: int, bias: bool) -> tuple[nn.Cell, nn.Cell]:
    """A layer in bfloat16, and MindSpore's own with the same weights, rounded to bfloat16."""
    own = nn.Conv2dTranspose if kind == "up" else nn.Conv2d
    layer = LAYERS[kind](channels, filters, bias)
    plain = own(channels, filters, 4, 1 if kind == "stride 1" else 2, "pad", 1, has_bias=bias)
    use_bfloat16(layer)
    for parameter, same in zip(layer.trainable_params(), plain.trainable_params(), strict=True):
        weights = drawn(*parameter.shape)
        parameter.set_data(ms.Tensor(weights))
        same.set_data(ms.Tensor(weights if weights.ndim == 1 else rounded(weights)))
    return layer, plain


@pytest.mark.parametrize(
    ("kind", "images", "channels", "filters", "height", "width", "bias"),
    [
        ("down", 1, 16, 32, 8, 24, True),
        ("down", 3, 48, 16, 2, 6, False),
        ("down", 2, 64, 128, 32, 32, False),
        ("up", 1, 32, 16, 4, 12, True),
        ("up", 3, 16, 80, 1, 3, False),
        ("up", 2, 128, 64, 16, 16, False),
        ("stride 1", 1, 16, 48, 7, 12, True),
        ("stride 1", 2, 64, 128, 32, 32, False),
        ("stride 1", 2, 16, 16, 2, 2, False),
    ],
)
def test_products_of_rounded_numbers_are_summed_in_float32(kind, images, channels, filters, height, width, bias):
    layer, plain = pair(kind, channels, filters, bias)
    out = {"down": (height // 2, width // 2), "up": (2 * height, 2 * width), "stride 1": (height - 1, width - 1)}[kind]
    x, pull = drawn(images, channels, height, width), drawn(images, filters, *out)
    found, expected = value_and_gradients(layer, x, pull), value_and_gradients(plain, rounded(x), rounded(pull))
    for ours, exact in zip(found[:3], expected[:3], strict=True):
        assert ours.shape == exact.shape
        # also the value at the gradient of the bias is that of the rounded weights
        assert np.linalg.norm(ours - exact) < 1e-6 * np.sqrt(x.size) * np.linalg.norm(exact) + 1e-30
    if bias:
        np.testing.assert_allclose(found[3], pull.sum((0, 2, 3)), rtol=1e-4, atol=1e-4)


# oneDNN crashes with 8 channels and stride 1
@pytest.mark.parametrize(
    ("kind", "channels", "size"), [("down", 3, 16), ("down", 16, 9), ("up", 8, 4), ("stride 1", 8, 5)]
)
def test_layers_of_images_and_odd_sizes_stay_float32(kind, channels, size):
    layer, plain = pair(kind, channels, 16, False)
    plain.weight.set_data(layer.weight.value())
    x = drawn(1, channels, size, size)
    out = {"down": size // 2, "up": 2 * size, "stride 1": size - 1}[kind]
    pull = drawn(1, 16, out, out)
    for ours, exact in zip(value_and_gradients(layer, x, pull), value_and_gradients(plain, x, pull), strict=True):
        assert np.linalg.norm(ours - exact) < 1e-6 * np.linalg.norm(exact)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_gradients_of_a_step_are_near_those_in_float32(norm):
    shape = {"train_pic_size": 64, "load_size": 64, "g_layers": 5, "g_ngf": 16, "d_ndf": 16, "norm": norm}
    x, y = np.random.default_rng(0).uniform(-1, 1, (2, 2, 3, 64, 64)).astype(np.float32)
    moments, losses = {}, {}
    for precision in ("float32", "bf16"):
        trainer = Trainer(TrainSettings(batch_size=2, precision=precision, **shape))
        losses[precision] = trainer.step(ms.Tensor(x), ms.Tensor(y), ms.Tensor(0.0, ms.float32)).asnumpy()
        parameters = trainer.parameters().items()
        # after one step, Adam's first moment is the gradient times 1 - beta1
        moments[precision] = {name: value.asnumpy() for name, value in parameters if ".m." in name}
    np.testing.assert_allclose(losses["bf16"], losses["float32"], rtol=5e-3)
    assert len(moments["bf16"]) > 10
    for network in ("adam_g", "adam_d"):
        found, exact = (
            np.concatenate([value.ravel() for name, value in moments[precision].items() if name.startswith(network)])
            for precision in ("bf16", "float32")
        )
        distance = np.linalg.norm(found - exact) / np.linalg.norm(exact)
        # PyTorch's autocast differs by 0.12 and 0.09 here
        assert 1e-3 < distance < 0.15, network


def test_a_library_that_the_system_cannot_load_gives_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiled = bfloat16.compiled()
    compiled.parent.mkdir()
    compiled.write_text("of another system")
    keep(sha256_of(compiled), compiled)
    with pytest.raises(InputError, match=r"precision: bf16: .*\.so: cannot be loaded \(.*\): set XDG_CACHE_HOME"):
        operations.__wrapped__()


def test_a_training_repeats_itself_and_a_state_is_of_one_precision(tmp_path):
    records = tmp_path / "train.mindrecord"
    assert script("mindrecord", draw_pairs(tmp_path / "own"), records, "--split", "train").returncode == 0
    run = {name: value for name, value in TINY_RUN.items() if name in TrainSettings.model_fields}

    def train(folder: Path, precision: str) -> str:
        places = {"ckpt_dir": "ckpt", "train_fakeimg_dir": "fake_img", "loss_show_dir": "loss", "state_dir": "state"}
        flags = [f"--{flag}={folder / name}" for flag, name in places.items()]
        settings = TrainSettings(**run | {"g_ngf": 8, "d_ndf": 8, "precision": precision})
        done = script("train", records, *flags, *as_flags(settings))
        assert done.returncode == 0, done.stdout
        return done.stdout

    def digest(folder: Path) -> str:
        return hashlib.sha256((folder / "ckpt" / "Generator_2.ckpt").read_bytes()).hexdigest()

    for name in ("once", "again"):
        train(tmp_path / name, "bf16")
    assert digest(tmp_path / "once") == digest(tmp_path / "again")
    log = train(tmp_path / "again", "float32")
    assert "precision" in log
    assert list(tmp_path.rglob("earlier*"))
    assert digest(tmp_path / "once") != digest(tmp_path / "again")
