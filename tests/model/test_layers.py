"""Layers optimised for speed compute the same as the plain ones."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from pix2pix.config.settings import TrainSettings
from pix2pix.model import layers
from pix2pix.model.layers import DownConvolution, PureBatchNorm, StrideOneConvolution, UpConvolution, tiles_pay_off
from pix2pix.model.networks import Discriminator, Generator, compile_forward
from pix2pix.model.winograd import convolve, convolve_transposed, transforms


def value_and_gradients(layer: nn.Cell, x: np.ndarray, pull: np.ndarray) -> list[np.ndarray]:
    """The layer's output, and the gradients of its sum weighted by `pull` with respect to x and each parameter."""

    def weighted(x, pull):
        value = layer(x)
        return (value * pull).sum(), value

    graph = ms.jit(ms.value_and_grad(weighted, 0, layer.trainable_params(), has_aux=True))
    # twice: the gradient of ops.pad keeps returning the values of the first call
    graph(ms.Tensor(-x), ms.Tensor(2 * pull))
    (_, value), (by_x, by_parameters) = graph(ms.Tensor(x), ms.Tensor(pull))
    return [array.asnumpy() for array in (value, by_x, *by_parameters)]


# one image of size 16, and batches of small images, are folded into one image; others are not
@pytest.mark.parametrize("images", [1, 2, 5])
@pytest.mark.parametrize("size", [1, 2, 8, 16, 20])
@pytest.mark.parametrize("direction", ["down", "up"])
def test_folded_convolutions_equal_plain_ones(direction, size, images):
    random = np.random.default_rng(size)
    if direction == "down":
        layer, plain = DownConvolution(3, 4, True), nn.Conv2d(3, 4, 4, 2, "pad", 1, has_bias=True)
        before, after = 2 * size, size
    else:
        layer, plain = UpConvolution(3, 4, True), nn.Conv2dTranspose(3, 4, 4, 2, "pad", 1, has_bias=True)
        before, after = size, 2 * size
    for parameter, same in zip(layer.trainable_params(), plain.trainable_params(), strict=True):
        weights = ms.Tensor(random.normal(size=parameter.shape).astype(np.float32))
        parameter.set_data(weights)
        same.set_data(weights)
    # a rectangle
    x = random.normal(size=(images, 3, before, 3 * before)).astype(np.float32)
    pull = random.normal(size=(images, 4, after, 3 * after)).astype(np.float32)
    for ours, expected in zip(value_and_gradients(layer, x, pull), value_and_gradients(plain, x, pull), strict=True):
        assert ours.shape == expected.shape
        np.testing.assert_allclose(ours, expected, atol=1e-5 * np.abs(expected).max())


# with full last tiles, and with one to three of their rows in use
@pytest.mark.parametrize(("images", "height", "width"), [(1, 8, 8), (3, 33, 33), (2, 10, 67), (1, 3, 2), (2, 12, 6)])
@pytest.mark.parametrize("stride", [1, 2])
def test_convolutions_in_tiles_equal_plain_ones(images, height, width, stride):
    random = np.random.default_rng(height)
    layer, plain = Tiled(5, 7, stride), nn.Conv2d(5, 7, 4, stride, "pad", 1)
    plain.weight.set_data(layer.weight)
    x = random.normal(size=(images, 5, height, width)).astype(np.float32)
    pull = random.normal(size=plain(ms.Tensor(x)).shape).astype(np.float32)
    check_equality(layer, plain, x, pull)


@pytest.mark.parametrize(("images", "height", "width"), [(1, 1, 1), (2, 9, 4), (3, 5, 17)])
def test_transposed_convolutions_in_tiles_equal_plain_ones(images, height, width):
    random = np.random.default_rng(height)
    layer, plain = TiledTransposed(5, 7, 2), nn.Conv2dTranspose(7, 5, 4, 2, pad_mode="pad", padding=1)
    plain.weight.set_data(layer.weight)
    x = random.normal(size=(images, 7, height, width)).astype(np.float32)
    pull = random.normal(size=(images, 5, 2 * height, 2 * width)).astype(np.float32)
    check_equality(layer, plain, x, pull)


class Tiled(nn.Cell):
    """A convolution in tiles, whether they pay off or not."""

    def __init__(self, channels: int, filters: int, stride: int):
        super().__init__()
        random = np.random.default_rng(filters)
        self.weight = ms.Parameter(ms.Tensor(random.normal(size=(filters, channels, 4, 4)).astype(np.float32)))
        self.stride = stride

    def construct(self, x):
        return convolve(x, self.weight, self.stride)


class TiledTransposed(Tiled):
    """The same, transposed: from `filters` to `channels`."""

    def construct(self, x):
        return convolve_transposed(x, self.weight)


def check_equality(layer: nn.Cell, plain: nn.Cell, x: np.ndarray, pull: np.ndarray) -> None:
    """Values and gradients are equal except for rounding."""
    for ours, expected in zip(value_and_gradients(layer, x, pull), value_and_gradients(plain, x, pull), strict=True):
        assert ours.shape == expected.shape
        assert np.linalg.norm(ours - expected) < 5e-6 * np.linalg.norm(expected)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("layer", "plain", "before", "after"),
    [
        (StrideOneConvolution, nn.Conv2d, (2, 17, 33), (16, 32)),
        (DownConvolution, nn.Conv2d, (2, 32, 64), (16, 32)),
        (UpConvolution, nn.Conv2dTranspose, (2, 16, 32), (32, 64)),
    ],
)
def test_layers_that_compute_in_tiles_equal_plain_ones(layer, plain, before, after, bias):
    random = np.random.default_rng(4)
    channels, filters = 128, 130
    stride = 1 if layer is StrideOneConvolution else 2
    ours = layer(channels, filters, bias)
    plain = plain(channels, filters, 4, stride, pad_mode="pad", padding=1, has_bias=bias)
    for parameter, same in zip(ours.trainable_params(), plain.trainable_params(), strict=True):
        weights = ms.Tensor(random.normal(size=parameter.shape).astype(np.float32))
        parameter.set_data(weights)
        same.set_data(weights)
    images, *larger = before if layer is not UpConvolution else (2, *after)
    assert tiles_pay_off(images, *larger, ours.weight, stride)
    x = random.normal(size=(images, channels, *before[1:])).astype(np.float32)
    check_equality(ours, plain, x, random.normal(size=(images, filters, *after)).astype(np.float32))


@pytest.mark.parametrize(
    ("stride", "filter_taps", "pixels", "expected"),
    [
        (1, [1, 10, 100, 1000], [1, 2, 3, 4, 5, 6, 7], [4321, 5432, 6543, 7654]),
        (2, [1, 10], [1, 2, 3, 4, 5], [21, 32, 43, 54]),
    ],
)
def test_winograd_transforms_of_known_examples(stride, filter_taps, pixels, expected):
    of_outputs, of_taps, of_inputs = transforms(stride)
    values = of_outputs @ ((of_taps @ filter_taps) * (of_inputs @ pixels))
    np.testing.assert_allclose(values, expected, rtol=1e-12)


def test_an_odd_size_is_convolved_without_folding():
    layer = DownConvolution(2, 3, False)
    x = np.random.default_rng(0).normal(size=(4, 2, 5, 5)).astype(np.float32)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (4, 4), (2, 3))[:, :, ::2, ::2]
    expected = np.einsum("nchwij,fcij->nfhw", patches, layer.weight.asnumpy())
    np.testing.assert_allclose(layer(ms.Tensor(x)).asnumpy(), expected, atol=1e-5 * np.abs(expected).max())


def test_pure_batch_norm_equals_batch_norm_without_moving_statistics():
    random = np.random.default_rng(0)
    layer, plain = PureBatchNorm(4), nn.BatchNorm2d(4, use_batch_statistics=True)
    for name in ("gamma", "beta"):
        values = ms.Tensor(random.normal(size=4).astype(np.float32))
        getattr(layer, name).set_data(values)
        getattr(plain, name).set_data(values)
    x, pull = random.normal(2, 3, size=(2, 3, 4, 6, 6)).astype(np.float32)
    for ours, expected in zip(value_and_gradients(layer, x, pull), value_and_gradients(plain, x, pull), strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-6 * np.abs(expected).max())
    assert not layer.moving_mean.asnumpy().any()
    assert plain.moving_mean.asnumpy().any()


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_layers_of_other_devices_have_the_same_parameters_and_results(monkeypatch, norm):
    settings = TrainSettings(g_ngf=4, d_ndf=4, g_layers=5, train_pic_size=32, load_size=32, norm=norm)
    networks = {}
    for tuned in (True, False):
        monkeypatch.setattr(layers, "tuned_for_cpu", lambda tuned=tuned: tuned)
        networks[tuned] = Generator(settings, 32), Discriminator(settings)
    random = np.random.default_rng(3)
    for ours, plain, channels in zip(networks[True], networks[False], (3, 6), strict=True):
        values = {p.name: random.normal(0, 0.1, p.shape).astype(np.float32) for p in ours.trainable_params()}
        assert {p.name: p.shape for p in plain.trainable_params()} == {k: v.shape for k, v in values.items()}
        for network in (ours, plain):
            for parameter in network.trainable_params():
                parameter.set_data(ms.Tensor(values[parameter.name]))
        x = ms.Tensor(random.uniform(-1, 1, (2, channels, 32, 32)).astype(np.float32))
        expected = compile_forward(plain)(x).asnumpy()
        assert np.abs(compile_forward(ours)(x).asnumpy() - expected).max() <= 1e-4 * np.abs(expected).max()
