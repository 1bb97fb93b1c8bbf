"""A 4x4 convolution with a quarter of the multiplications (Winograd; Lavin and Gray 2016, section 4).

In one dimension, 3 adjacent outputs of a 4-tap filter g applied to 6 inputs d are A ((G g) * (B d)): 6
multiplications instead of 12. In two dimensions, all three matrices act on rows and columns: 36 instead of
144. Summed over the channels, the 36 products become 36 matrix multiplications, which processors do fastest.
This pays off when there are enough pixels and channels to outweigh the transforms.
"""

import mindspore as ms
import numpy as np
from mindspore import nn, ops

OUTPUTS, TAPS = 3, 4
INPUTS = OUTPUTS + TAPS - 1
# of the sets of small numbers tried, the one with the smallest rounding error; infinity is the sixth point
POINTS = (0, 1, -1, 0.5, -2)
CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))
# one 16 x 16 image is slower with the transforms, four are faster (docs/performance.md)
PIXELS_WORTH_IT = 1024


def transforms() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A (3, 6), G (6, 4) and B (6, 6), float64: the transposed Toom-Cook algorithm at POINTS.

    The product of two polynomials is determined by its values at six points: with V(k) the values of k
    powers, it is V(6)^-1 ((V(4) g) * (V(3) y)). Its transpose is a correlation: V(3)^T ((V(4) g) * (V(6)^-T d)).
    """

    def values(powers: int) -> np.ndarray:
        at_infinity = np.eye(powers)[-1:]
        return np.concatenate((np.vander(POINTS, powers, increasing=True), at_infinity))

    return values(OUTPUTS).T, values(TAPS), np.linalg.inv(values(INPUTS)).T


class WinogradConvolution(nn.Conv2d):
    """A 4x4 convolution, stride 1, zero padding 1: (N, channels, H, W) to (N, filters, H-1, W-1).

    On a CPU, for N H W of at least 1024, it computes tiles of 3x3 output pixels from 6x6 input pixels. In
    float32, the result differs from the plain convolution by 2e-6 in relative norm.
    """

    def __init__(self, channels: int, filters: int, bias: bool):
        super().__init__(channels, filters, TAPS, 1, pad_mode="pad", padding=1, has_bias=bias)
        self.in_bfloat16: ops.Custom | None = None
        self.on_cpu = ms.get_context("device_target") == "CPU"
        outputs, taps, inputs = (np.kron(matrix, matrix) for matrix in transforms())
        # the 6 rows and columns of a tile are 3 of its own and 3 of its neighbour
        grid = inputs.reshape(-1, 2, OUTPUTS, 2, OUTPUTS).transpose(0, 1, 3, 2, 4).reshape(inputs.shape)
        self.of_outputs, self.of_taps, self.of_inputs = (
            ms.Tensor(matrix.astype(np.float32)) for matrix in (outputs, taps, grid)
        )

    def construct(self, x):
        if self.in_bfloat16 is not None:
            return with_bias(self.in_bfloat16(x, self.weight), self.bias)
        images, channels, height, width = x.shape
        if not self.on_cpu or images * height * width < PIXELS_WORTH_IT:
            return super().construct(x)
        down, across = ((size - 1 + OUTPUTS - 1) // OUTPUTS for size in (height, width))
        inputs = ops.matmul(self.of_inputs, overlapping_tiles(x, down, across))
        taps = ops.matmul(self.of_taps, self.weight.transpose(2, 3, 1, 0).reshape(TAPS * TAPS, -1))
        products = ops.BatchMatMul()(
            inputs.reshape(INPUTS * INPUTS, -1, channels), taps.reshape(INPUTS * INPUTS, channels, -1)
        )
        values = ops.matmul(self.of_outputs, products.reshape(INPUTS * INPUTS, -1))
        values = values.reshape(OUTPUTS, OUTPUTS, down, across, images, -1).transpose(4, 5, 2, 0, 3, 1)
        values = values.reshape(images, -1, OUTPUTS * down, OUTPUTS * across)
        # slicing with [...] takes ten times as long
        values = ops.slice(values, (0, 0, 0, 0), (images, values.shape[1], height - 1, width - 1))
        return with_bias(values, self.bias)


def with_bias(values: ms.Tensor, bias: ms.Parameter | None) -> ms.Tensor:
    """(N, C, H, W) plus a bias (C) for each channel, if there is one."""
    return values if bias is None else values + bias.reshape(1, -1, 1, 1)


def overlapping_tiles(x: ms.Tensor, down: int, across: int) -> ms.Tensor:
    """Cut (N, C, H, W) into down x across overlapping tiles of 36 pixels, three apart: (36, down across N C).

    The first tile starts at the zero padding before the image. The tile's own 9 pixels come first, then
    those of its right, lower, and diagonal neighbours.
    """
    images, channels, height, width = x.shape
    after, right = OUTPUTS * (down + 1) - height - 1, OUTPUTS * (across + 1) - width - 1
    x = x.transpose(2, 3, 0, 1)
    row, column = (width, images, channels), (1 + height + after, 1, images, channels)
    x = ops.concat((ops.zeros((1, *row), x.dtype), x, ops.zeros((after, *row), x.dtype)), 0)
    x = ops.concat((ops.zeros(column, x.dtype), x, *[ops.zeros(column, x.dtype)] * right), 1)
    x = x.reshape(down + 1, OUTPUTS, across + 1, OUTPUTS, images, channels).transpose(1, 3, 0, 2, 4, 5)
    shape = (OUTPUTS, OUTPUTS, down, across, images, channels)
    corners = [ops.slice(x, (0, 0, *corner, 0, 0), shape) for corner in CORNERS]
    return ops.concat(corners, 0).reshape(INPUTS * INPUTS, -1)
