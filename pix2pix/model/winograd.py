"""4x4 convolutions with fewer multiplications (Winograd; Lavin and Gray 2016, section 4).

In one dimension, 4 adjacent outputs of a filter g with 4 taps, applied to 7 inputs d, are A ((G g) * (B d)):
7 multiplications instead of 16. With stride 2, even and odd inputs are two phases with 2 taps each: 5 instead of 8
for each. In two dimensions, the matrices act on rows and columns, and the squares of these numbers count. Summed over
the channels, the products become 49, or 4 times 25, matrix multiplications, which processors do fastest.

The transforms of a whole row of tiles are one matrix, which also pads the row, cuts it into tiles, and puts tiles
together again. Products with a transposed matrix move an axis at no cost; a transposition of its own is slow.
"""

import mindspore as ms
import numpy as np
from mindspore import ops
from mindspore.ops import constexpr

TAPS, OUTPUTS = 4, 4
# for each stride, of the sets of small numbers tried, one with the smallest rounding error; infinity is one point more
POINTS = {1: (0, 1, -1, 2, -2, 1 / 3), 2: (0, 1, -1, 0.5)}
times_transposed, transposed_times = ops.MatMul(transpose_b=True), ops.MatMul(transpose_a=True)
batch_times, batch_times_transposed = ops.BatchMatMul(), ops.BatchMatMul(transpose_b=True)
batch_transposed_times = ops.BatchMatMul(transpose_a=True)


def transforms(stride: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A (4, K), G (K, 4 / stride) and B (K, K), float64, of one phase: the transposed Toom-Cook algorithm at POINTS.

    The product of two polynomials is determined by its values at K points: with V(n) the values of n
    powers, it is V(K)^-1 ((V(taps) g) * (V(4) y)). Its transpose is a correlation: V(4)^T ((V(taps) g) * (V(K)^-T d)).
    """

    def values(powers: int) -> np.ndarray:
        at_infinity = np.eye(powers)[-1:]
        return np.concatenate((np.vander(POINTS[stride], powers, increasing=True), at_infinity))

    return values(OUTPUTS).T, values(TAPS // stride), np.linalg.inv(values(points(stride))).T


def points(stride: int) -> int:
    """K, the multiplications for 4 outputs of one phase: 7 with stride 1, and 5 with stride 2."""
    return OUTPUTS + TAPS // stride - 1


def outputs(size: int, stride: int) -> int:
    """Outputs of a convolution of `size` pixels with one pixel of zero padding on both sides."""
    return (size + 2 - TAPS) // stride + 1


def tiles(size: int, stride: int) -> int:
    """Tiles of 4 outputs that cover the outputs of `size` pixels."""
    return -(-outputs(size, stride) // OUTPUTS)


@constexpr
def input_matrix(size: int, stride: int, phase: int, copies: int = 1) -> ms.Tensor:
    """(copies, K tiles, size): pads a row of pixels, cuts the pixels of a phase into overlapping tiles, applies B."""
    of_inputs = transforms(stride)[2]
    matrix = np.zeros((points(stride), tiles(size, stride), size), np.float32)
    for tile in range(tiles(size, stride)):
        for i in range(points(stride)):
            pixel = stride * (OUTPUTS * tile + i) + phase - 1
            # pixels outside are the padding
            if 0 <= pixel < size:
                matrix[:, tile, pixel] = of_inputs[:, i]
    return ms.Tensor(np.tile(matrix.reshape(-1, size), (copies, 1, 1)))


@constexpr
def output_matrix(size: int, stride: int, copies: int = 1) -> ms.Tensor:
    """(copies, K tiles, outputs): its transpose applies A to the products of `size` pixels and joins the tiles."""
    of_outputs = transforms(stride)[0]
    matrix = np.zeros((points(stride), tiles(size, stride), outputs(size, stride)), np.float32)
    for i in range(outputs(size, stride)):
        matrix[:, i // OUTPUTS, i] = of_outputs[i % OUTPUTS]
    return ms.Tensor(np.tile(matrix.reshape(-1, outputs(size, stride)), (copies, 1, 1)))


@constexpr
def tap_matrix(stride: int, across: int, down: int) -> ms.Tensor:
    """(K K, 16): applies G to the taps of one phase in both directions, columns first."""
    of_taps = transforms(stride)[1]
    matrix = np.zeros((points(stride), points(stride), TAPS, TAPS), np.float32)
    matrix[:, :, down::stride, across::stride] = np.einsum("wj,hi->whij", of_taps, of_taps)
    return ms.Tensor(matrix.reshape(-1, TAPS * TAPS))


def convolve(x: ms.Tensor, weight: ms.Tensor, stride: int) -> ms.Tensor:
    """The convolution of x (N, C, H, W) with weight (F, C, 4, 4), stride 1 or 2, zero padding 1: (N, F, H', W').

    In float32, values differ from those of the plain convolution by 4e-6 with stride 1 and by 2e-6 with
    stride 2, in relative norm.
    """
    images, channels, height, width = x.shape
    filters, k = weight.shape[0], points(stride)
    products = []
    for across in range(stride):
        columns = times_transposed(input_matrix(width, stride, across)[0], x.reshape(-1, width))
        for down in range(stride):
            # columns: (K, tiles across, N, C, H); inputs: (K, K, tiles down, tiles across, N, C)
            inputs = batch_times_transposed(input_matrix(height, stride, down, k), columns.reshape(k, -1, height))
            taps = times_transposed(tap_matrix(stride, across, down), weight.reshape(-1, TAPS * TAPS))
            taps = taps.reshape(k * k, filters, channels)
            products.append(batch_times_transposed(inputs.reshape(k * k, -1, channels), taps))
    total = ops.addn(products) if stride > 1 else products[0]
    # total: (K, K, tiles down, tiles across, N, F); rows: (K, tiles across, N, F, H')
    total = total.reshape(k, k * tiles(height, stride), -1)
    rows = batch_transposed_times(total, output_matrix(height, stride, k)).reshape(k * tiles(width, stride), -1)
    values = transposed_times(rows, output_matrix(width, stride)[0])
    return values.reshape(images, filters, outputs(height, stride), outputs(width, stride))


def convolve_transposed(x: ms.Tensor, weight: ms.Tensor) -> ms.Tensor:
    """The transposed convolution of x (N, C, H, W) with weight (C, F, 4, 4), stride 2, padding 1: (N, F, 2 H, 2 W).

    It is the gradient of `convolve` with respect to its input, so the matrices of inputs and outputs change places.
    """
    images, channels, height, width = x.shape
    filters, k = weight.shape[1], points(2)
    columns = times_transposed(output_matrix(2 * width, 2)[0], x.reshape(-1, width)).reshape(k, -1, height)
    inputs = batch_times_transposed(output_matrix(2 * height, 2, k), columns).reshape(k * k, -1, channels)
    values = []
    for across in range(2):
        rows = []
        for down in range(2):
            taps = times_transposed(tap_matrix(2, across, down), weight.reshape(-1, TAPS * TAPS))
            products = batch_times(inputs, taps.reshape(k * k, channels, filters))
            products = products.reshape(k, k * tiles(2 * height, 2), -1)
            rows.append(batch_transposed_times(products, input_matrix(2 * height, 2, down, k)))
        total = ops.addn(rows).reshape(k * tiles(2 * width, 2), -1)
        values.append(transposed_times(total, input_matrix(2 * width, 2, across)[0]))
    return ops.addn(values).reshape(images, filters, 2 * height, 2 * width)
