"""Layers of both networks, written so that MindSpore's kernels for the CPU do them fast."""

import mindspore as ms
import numpy as np
from mindspore import nn, ops

from pix2pix.model.winograd import WinogradConvolution

PADDED = ((0, 0), (0, 0), (1, 1), (1, 1))


class InstanceNorm(nn.Cell):
    """Each channel of each image to mean 0 and variance 1, without learnt parameters.

    MindSpore's own layer runs on GPU and Ascend alone.
    """

    def construct(self, x):
        mean = x.mean((2, 3), keep_dims=True)
        centred = x - mean
        variance = (centred * centred).mean((2, 3), keep_dims=True)
        return centred * ops.rsqrt(variance + 1e-5)


class LeakyReLU(nn.Cell):
    """x where it is positive, else alpha x; the gradient of nn.LeakyReLU, of a maximum, is slow on a CPU."""

    def __init__(self, alpha: float):
        super().__init__()
        self.alpha = alpha

    def construct(self, x):
        # of sums and products only: differences cost a slow negation on the way back
        return self.alpha * x + (1 - self.alpha) * ops.relu(x)


class PatchLogits(nn.Cell):
    """A 4x4 convolution to one channel: one filter leaves a CPU's matrix multiply nothing to share.

    So each of the 16 taps becomes a channel by a 1x1 convolution, and a fixed convolution shifts and adds them.
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
    """Batch normalisation by the statistics of the batch that leaves its moving statistics as they are.

    The compiler may then work it out once where it is asked for twice on the same values: that is how
    both losses share the discriminator's forward pass on the generated image.
    """

    def __init__(self, channels: int):
        super().__init__(channels, use_batch_statistics=True)
        # kernels write moving statistics here, nothing reads them
        self.unread = ms.Tensor(np.zeros(channels, np.float32)), ms.Tensor(np.zeros(channels, np.float32))
        self.pure = ops.BatchNorm(is_training=True, epsilon=self.eps)
        # without these MindSpore takes it for an operation with effects, which happens as often as it is written
        self.pure.add_prim_attr("side_effect_mem", False)
        self.pure.set_signatures(())

    def construct(self, x):
        return self.pure(x, self.gamma, self.beta, *self.unread)[0]


def norm_layer(norm: str, channels: int, pure: bool = False) -> nn.Cell:
    """Normalisation by the statistics of the batch at hand, in training and at prediction."""
    if norm == "instance":
        return InstanceNorm()
    return PureBatchNorm(channels) if pure else nn.BatchNorm2d(channels, use_batch_statistics=True)


def empty_rows(images: int, size: int) -> int:
    """Rows of zeros after each image where they are folded into one, at the smaller size of a layer; 0: not folded.

    oneDNN multiplies transposed matrices of few columns (up to some 280, a column a pixel) without
    rearranging them, at half the speed; and small images one by one, each time with all weights.
    One image of 16 x 16 has columns enough with two rows more.
    """
    if size > 16:
        return 0
    return 1 if images > 1 else 2 * (size == 16)


def fold(x: ms.Tensor, rows: int) -> ms.Tensor:
    """All images (N, C, H, W) one below the other, `rows` of zeros after each: (1, C, N (H + rows), W)."""
    n, channels, height, width = x.shape
    # not ops.pad: its gradient gives the first call's values ever after
    x = ops.concat((x, ops.zeros((n, channels, rows, width), x.dtype)), 2)
    return x.transpose(1, 0, 2, 3).reshape(1, channels, n * (height + rows), width)


def unfold(x: ms.Tensor, images: int, height: int) -> ms.Tensor:
    """The first `height` rows of each of the images that lie one below the other: (N, C, height, W)."""
    _, channels, _, width = x.shape
    return x.reshape(channels, images, -1, width)[:, :, :height].transpose(1, 0, 2, 3)


class DownConvolution(nn.Conv2d):
    """A 4x4 convolution of stride 2 with one pixel of zeros around: (N, channels, S, S) to (N, filters, S/2, S/2)."""

    def __init__(self, channels: int, filters: int, bias: bool):
        super().__init__(channels, filters, 4, 2, pad_mode="pad", padding=1, has_bias=bias)
        self.folds = ms.get_context("device_target") == "CPU"

    def construct(self, x):
        images, half = x.shape[0], x.shape[2] // 2
        rows = empty_rows(images, half) if self.folds and x.shape[2] % 2 == 0 else 0
        return unfold(super().construct(fold(x, 2 * rows)), images, half) if rows else super().construct(x)


class UpConvolution(nn.Conv2dTranspose):
    """Its transpose: (N, channels, S, S) to (N, filters, 2S, 2S)."""

    def __init__(self, channels: int, filters: int, bias: bool):
        super().__init__(channels, filters, 4, 2, pad_mode="pad", padding=1, has_bias=bias)
        self.folds = ms.get_context("device_target") == "CPU"

    def construct(self, x):
        images, size = x.shape[0], x.shape[2]
        rows = empty_rows(images, size) if self.folds else 0
        return unfold(super().construct(fold(x, rows)), images, 2 * size) if rows else super().construct(x)


def convolution(channels: int, filters: int, stride: int, norm: str, pad_mode: str) -> list[nn.Cell]:
    """A 4x4 convolution with one pixel of padding, as layers; biased only under instance norm."""
    bias = norm == "instance"
    if pad_mode != "CONSTANT":
        padding = nn.Pad(paddings=PADDED, mode=pad_mode)
        return [padding, nn.Conv2d(channels, filters, 4, stride, pad_mode="valid", has_bias=bias)]
    if stride == 2:
        return [DownConvolution(channels, filters, bias)]
    return [WinogradConvolution(channels, filters, bias)]


class Dropout(nn.Cell):
    """Dropout of one half by a mask that the caller draws, so that it is a function of the seed and the step."""

    def __init__(self, shape: tuple[int, int, int, int]):
        super().__init__()
        self.kept = ms.Parameter(ms.Tensor(np.ones(shape, np.float32)), name="kept", requires_grad=False)

    def construct(self, x):
        return x * self.kept[: x.shape[0]]

    def draw(self, random: np.random.Generator) -> None:
        """Drop each value with probability 0.5; what is kept counts double."""
        mask = random.integers(2, size=self.kept.shape).astype(np.float32) * 2
        # set_data would give the parameter new memory, which a compiled graph does not look at
        ops.assign(self.kept, ms.Tensor(mask))
