"""Layers of both networks, written to be fast with MindSpore's CPU kernels."""

from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindspore import nn, ops

from pix2pix.model.winograd import convolve, convolve_transposed, tiles

PADDED = ((0, 0), (0, 0), (1, 1), (1, 1))


class InstanceNorm(nn.Cell):
    """Normalise each channel of each image to mean 0 and variance 1, without trainable parameters.

    MindSpore's own layer only runs on GPU and Ascend.
    """

    def construct(self, x):
        mean = x.mean((2, 3), keep_dims=True)
        centred = x - mean
        variance = (centred * centred).mean((2, 3), keep_dims=True)
        return centred * ops.rsqrt(variance + 1e-5)


class LeakyReLU(nn.Cell):
    """x where it is positive, else alpha x; nn.LeakyReLU is a maximum, whose gradient is slow on a CPU."""

    def __init__(self, alpha: float):
        super().__init__()
        self.alpha = alpha

    def construct(self, x):
        # only sums and products: a difference needs a slow negation in the backward pass
        return self.alpha * x + (1 - self.alpha) * ops.relu(x)


class PatchLogits(nn.Cell):
    """A 4x4 convolution to one channel, which as a matrix multiplication with one column is slow on a CPU.

    Instead, a 1x1 convolution computes each of the 16 taps as a channel, and a fixed convolution shifts and adds them.
    """

    def __init__(self, channels: int, padding: int, bias: bool):
        super().__init__()
        self.weight = ms.Parameter(ms.Tensor(np.zeros((1, channels, 4, 4), np.float32)))
        self.bias = ms.Parameter(ms.Tensor(np.zeros(1, np.float32))) if bias else None
        self.shifts = ms.Tensor(np.eye(16, dtype=np.float32).reshape(1, 16, 4, 4))
        self.padding = padding

    def construct(self, x):
        taps = ops.conv2d(x, self.weight.reshape(-1, 16).transpose().reshape(16, -1, 1, 1))
        logits = ops.conv2d(taps, self.shifts, pad_mode="pad", padding=self.padding)
        return logits if self.bias is None else logits + self.bias


class PureBatchNorm(nn.BatchNorm2d):
    """Batch normalisation with the statistics of the batch, without updating moving statistics.

    Because it has no side effects, the compiler can merge two calls on the same values into one. This is how
    both losses share the discriminator's forward pass on the generated image.
    """

    def __init__(self, channels: int):
        super().__init__(channels, use_batch_statistics=True)
        # kernels write moving statistics here; nothing reads them
        self.unread = ms.Tensor(np.zeros(channels, np.float32)), ms.Tensor(np.zeros(channels, np.float32))
        self.pure = ops.BatchNorm(is_training=True, epsilon=self.eps)
        # otherwise MindSpore assumes side effects and does not merge calls
        self.pure.add_prim_attr("side_effect_mem", False)
        self.pure.set_signatures(())

    def construct(self, x):
        return self.pure(x, self.gamma, self.beta, *self.unread)[0]


class SeparateBatchNorm(PureBatchNorm):
    """Batch normalisation of every image with its own statistics, as if it were alone in its batch."""

    def construct(self, x):
        images, channels, height, width = x.shape
        # what other images hold are other channels
        unread = ops.zeros(images * channels, x.dtype)
        gamma, beta = ops.tile(self.gamma, (images,)), ops.tile(self.beta, (images,))
        return self.pure(x.reshape(1, -1, height, width), gamma, beta, unread, unread)[0].reshape(x.shape)


def tiles_pay_off(images: int, height: int, width: int, weight: ms.Tensor, stride: int) -> bool:
    """Whether a convolution of (N, C, height, width) is faster in Winograd tiles, as measured (docs/tuning-log.md).

    Transforming the filters takes many tiles to pay off. The other transforms cost more the longer a row is, and with
    stride 2 they save less, so that they take many channels to pay off. A transposed convolution has the
    size of its result.
    """
    channels, filters = weight.shape[:2]
    if stride == 2 and min(channels, filters) < 128:
        return False
    enough = images * tiles(height, stride) * tiles(width, stride) >= max(64, channels * filters // 2048)
    return enough and max(height, width) <= 128 // stride


def empty_rows(images: int, height: int) -> int:
    """Rows of zeros to insert after each image when a layer folds its batch into one image; 0: do not fold.

    `height` is the smaller of the layer's input and output heights. oneDNN does not repack transposed matrices
    with few columns (up to about 280; one column per pixel), which halves its speed, and it processes small
    images one by one, each time with all weights. A single 16 x 16 image has enough columns with two more rows.
    """
    if height > 16:
        return 0
    return 1 if images > 1 else 2 * (height == 16)


def fold(x: ms.Tensor, rows: int) -> ms.Tensor:
    """Stack all images (N, C, H, W) vertically, each followed by `rows` rows of zeros: (1, C, N (H + rows), W)."""
    n, channels, height, width = x.shape
    # not ops.pad: its gradient keeps returning the values of the first call
    x = ops.concat((x, ops.zeros((n, channels, rows, width), x.dtype)), 2)
    return x.transpose(1, 0, 2, 3).reshape(1, channels, n * (height + rows), width)


def unfold(x: ms.Tensor, images: int, height: int) -> ms.Tensor:
    """The first `height` rows of each of the vertically stacked images: (N, C, height, W)."""
    _, channels, _, width = x.shape
    return x.reshape(channels, images, -1, width)[:, :, :height].transpose(1, 0, 2, 3)


def with_bias(values: ms.Tensor, bias: ms.Parameter | None) -> ms.Tensor:
    """(N, C, H, W) plus a bias (C) for each channel, if there is one."""
    return values if bias is None else values + bias.reshape(1, -1, 1, 1)


class StrideOneConvolution(nn.Conv2d):
    """A 4x4 convolution, stride 1, zero padding 1: (N, channels, H, W) to (N, filters, H-1, W-1)."""

    def __init__(self, channels: int, filters: int, bias: bool):
        super().__init__(channels, filters, 4, 1, pad_mode="pad", padding=1, has_bias=bias)
        self.in_bfloat16: ops.Custom | None = None

    def construct(self, x):
        if self.in_bfloat16 is not None:
            return with_bias(self.in_bfloat16(x, self.weight), self.bias)
        images, _, height, width = x.shape
        if tiles_pay_off(images, height, width, self.weight, 1):
            return with_bias(convolve(x, self.weight, 1), self.bias)
        return super().construct(x)


class DownConvolution(nn.Conv2d):
    """A 4x4 convolution, stride 2, zero padding 1: (N, channels, H, W) to (N, filters, H/2, W/2).

    With `separate`, the result for an image is the same to the last bit in every place of the batch. That of
    matrix products, as tiles need them, is not.
    """

    def __init__(self, channels: int, filters: int, bias: bool, separate: bool = False):
        super().__init__(channels, filters, 4, 2, pad_mode="pad", padding=1, has_bias=bias)
        self.separate = separate
        self.in_bfloat16: ops.Custom | None = None

    def construct(self, x):
        images, _, height, width = x.shape
        if self.in_bfloat16 is not None and height % 2 == 0 and width % 2 == 0:
            return with_bias(self.in_bfloat16(x, self.weight), self.bias)
        if not self.separate and tiles_pay_off(images, height, width, self.weight, 2):
            return with_bias(convolve(x, self.weight, 2), self.bias)
        rows = empty_rows(images, height // 2) if height % 2 == 0 else 0
        return unfold(super().construct(fold(x, 2 * rows)), images, height // 2) if rows else super().construct(x)


class UpConvolution(nn.Conv2dTranspose):
    """The transposed convolution: (N, channels, H, W) to (N, filters, 2H, 2W); `separate` as in DownConvolution."""

    def __init__(self, channels: int, filters: int, bias: bool, separate: bool = False):
        super().__init__(channels, filters, 4, 2, pad_mode="pad", padding=1, has_bias=bias)
        self.separate = separate
        self.in_bfloat16: ops.Custom | None = None

    def construct(self, x):
        if self.in_bfloat16 is not None:
            return with_bias(self.in_bfloat16(x, self.weight), self.bias)
        images, _, height, width = x.shape
        if not self.separate and tiles_pay_off(images, 2 * height, 2 * width, self.weight, 2):
            return with_bias(convolve_transposed(x, self.weight), self.bias)
        rows = empty_rows(images, height)
        return unfold(super().construct(fold(x, rows)), images, 2 * height) if rows else super().construct(x)


class Dropout(nn.Cell):
    """Dropout with probability 0.5; the caller draws the mask, so that it depends only on the seed and the step."""

    def __init__(self, shape: tuple[int, int, int, int]):
        super().__init__()
        self.kept = ms.Parameter(ms.Tensor(np.ones(shape, np.float32)), name="kept", requires_grad=False)

    def construct(self, x):
        if x.shape[2:] == self.kept.shape[2:]:
            return x * self.kept[: x.shape[0]]
        return x * ops.slice(self.kept, (0, 0, 0, 0), x.shape)

    def draw(self, randoms: Sequence[np.random.Generator]) -> None:
        """Draw a new mask: each value is dropped with probability 0.5, and kept values are doubled.

        Each of the generators draws the masks of an equal part of the batch.
        """
        batch, *rest = self.kept.shape
        parts = [random.integers(2, size=(batch // len(randoms), *rest)) for random in randoms]
        mask = np.concatenate(parts).astype(np.float32) * 2
        # set_data would allocate new memory, which a compiled graph would not read
        ops.assign(self.kept, ms.Tensor(mask))


def tuned_for_cpu() -> bool:
    """Whether layers are the ones that are fast on a CPU; on other devices they are MindSpore's own.

    Parameters have the same names and shapes in both. Elsewhere batch normalisation also updates its moving
    statistics, which are never used.
    """
    return ms.get_context("device_target") == "CPU"


def leaky_relu(alpha: float) -> nn.Cell:
    """LeakyReLU with slope `alpha` for negative input."""
    return LeakyReLU(alpha) if tuned_for_cpu() else nn.LeakyReLU(alpha)


def norm_layer(norm: str, channels: int, pure: bool = False, separate: bool = False) -> nn.Cell:
    """Normalisation with the statistics of the current batch, or of every image (`separate`)."""
    if norm == "instance":
        return InstanceNorm()
    if separate:
        return SeparateBatchNorm(channels)
    if pure and tuned_for_cpu():
        return PureBatchNorm(channels)
    return nn.BatchNorm2d(channels, use_batch_statistics=True)


def patch_logits(channels: int, padding: int, bias: bool) -> nn.Cell:
    """The discriminator's last 4x4 convolution, to one channel."""
    if tuned_for_cpu():
        return PatchLogits(channels, padding, bias)
    return nn.Conv2d(channels, 1, 4, pad_mode="pad", padding=padding, has_bias=bias)


def up_convolution(channels: int, filters: int, bias: bool, separate: bool = False) -> nn.Cell:
    """A transposed 4x4 convolution of stride 2: (N, channels, H, W) to (N, filters, 2H, 2W)."""
    if tuned_for_cpu():
        return UpConvolution(channels, filters, bias, separate)
    return nn.Conv2dTranspose(channels, filters, 4, 2, pad_mode="pad", padding=1, has_bias=bias)


def convolution(
    channels: int, filters: int, stride: int, norm: str, pad_mode: str, separate: bool = False
) -> list[nn.Cell]:
    """The layers of a 4x4 convolution with one pixel of padding; it has a bias only with instance norm."""
    bias = norm == "instance"
    if pad_mode != "CONSTANT":
        padding = nn.Pad(paddings=PADDED, mode=pad_mode)
        return [padding, nn.Conv2d(channels, filters, 4, stride, pad_mode="valid", has_bias=bias)]
    if not tuned_for_cpu():
        return [nn.Conv2d(channels, filters, 4, stride, pad_mode="pad", padding=1, has_bias=bias)]
    if stride == 1:
        return [StrideOneConvolution(channels, filters, bias)]
    return [DownConvolution(channels, filters, bias, separate)]
