"""Convolutions in bfloat16 on a CPU, as operations of compiled graphs (pix2pix/devices/convolutions.c).

Values, gradients and weights stay float32: the two factors of every product in a convolution are rounded to bfloat16
(8 bits of precision), and the products are summed in float32. Everything else is float32: normalisation, losses, Adam,
and the layers that read or make images.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import mindspore as ms
from mindspore import nn, ops

from pix2pix.devices.bfloat16 import ELSEWHERE, SUBJECT, build
from pix2pix.model.layers import DownConvolution, StrideOneConvolution, UpConvolution
from pix2pix.system.cores import cores_in_use
from pix2pix.system.errors import InputError

Shape = list[int]
# oneDNN computes blocks of 16 channels; other numbers are slow, and some crash it. Layers of images stay float32, too
BLOCK = 16


@dataclass(frozen=True)
class Operations:
    """The three kinds of layers, as functions of an image and the filters, with gradients."""

    stride_1: ops.Custom  # (N, C, H, W) and (F, C, 4, 4) to (N, F, H - 1, W - 1)
    stride_2: ops.Custom  # to (N, F, H / 2, W / 2)
    transposed: ops.Custom  # (N, C, H, W) and (C, F, 4, 4) to (N, F, 2 H, 2 W)


def use_bfloat16(network: nn.Cell) -> None:
    """Let the convolutions of a network compute in bfloat16, those with multiples of 16 channels on both sides.

    Raises:
        InputError: what bfloat16 needs is missing (pix2pix.devices.bfloat16).
    """
    kinds = {StrideOneConvolution: "stride_1", DownConvolution: "stride_2", UpConvolution: "transposed"}
    for _, layer in network.cells_and_names():
        if type(layer) in kinds and all(channels % BLOCK == 0 for channels in layer.weight.shape[:2]):
            layer.in_bfloat16 = getattr(operations(), kinds[type(layer)])


@cache
def operations() -> Operations:
    """Compile and load the library, and make its operations; it computes with one thread per core of this process.

    Raises:
        InputError: what bfloat16 needs is missing.
    """
    compiled, onednn = build()
    try:
        library = ctypes.CDLL(str(compiled))
    except OSError as error:
        # compiled on a newer system, or in a folder that nothing may be executed from
        raise InputError(f"{SUBJECT}: {compiled}: cannot be loaded ({error}): {ELSEWHERE}") from None
    if status := library.load(str(onednn).encode(), cores_in_use()):
        raise InputError(f"{SUBJECT}: {onednn} cannot be used (status {status}): run `make bf16` again")
    correlate = _operation(compiled, "correlate", lambda larger, smaller: [smaller[1], larger[1], 4, 4])
    smaller = _operation(compiled, "convolve_stride_2", _half)
    larger = _operation(compiled, "transpose_stride_2", _double)
    larger_by_one = _operation(compiled, "transpose_stride_1", lambda x, w: [x[0], w[1], x[2] + 1, x[3] + 1])

    def convolution_gradients(x, filters, _, gradient):
        return larger(gradient, filters), correlate(x, gradient)

    def stride_1_gradients(x, filters, _, gradient):
        return larger_by_one(gradient, filters), correlate(x, gradient)

    def transposed_gradients(x, filters, _, gradient):
        return smaller(gradient, filters), correlate(gradient, x)

    return Operations(
        _operation(compiled, "convolve_stride_1", lambda x, w: [x[0], w[0], x[2] - 1, x[3] - 1], stride_1_gradients),
        _operation(compiled, "convolve_stride_2", _half, convolution_gradients),
        _operation(compiled, "transpose_stride_2", _double, transposed_gradients),
    )


def _half(x: Shape, filters: Shape) -> Shape:
    return [x[0], filters[0], x[2] // 2, x[3] // 2]


def _double(x: Shape, filters: Shape) -> Shape:
    return [x[0], filters[1], 2 * x[2], 2 * x[3]]


def _operation(
    compiled: Path, name: str, shape: Callable[[Shape, Shape], Shape], gradients: Callable | None = None
) -> ops.Custom:
    """A function of the compiled library of two float32 tensors, with the shape of its result and its gradients."""
    return ops.Custom(f"{compiled}:{name}", shape, lambda *_: ms.float32, "aot", gradients)
