"""Layers that are written for speed give what the plain ones give."""

import mindspore as ms
import numpy as np
from mindspore import nn

from pix2pix.layers import PureBatchNorm


def value_and_gradients(layer: nn.Cell, x: np.ndarray, pull: np.ndarray) -> list[np.ndarray]:
    """The layer's value, and the gradients of its sum weighted by `pull` by x and by each parameter."""

    def weighted(x, pull):
        value = layer(x)
        return (value * pull).sum(), value

    graph = ms.jit(ms.value_and_grad(weighted, 0, layer.trainable_params(), has_aux=True))
    (_, value), (by_x, by_parameters) = graph(ms.Tensor(x), ms.Tensor(pull))
    return [array.asnumpy() for array in (value, by_x, *by_parameters)]


def test_pure_normalisation_is_the_usual_one_and_leaves_its_moving_statistics():
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
