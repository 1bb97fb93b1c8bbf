"""The U-Net generator and the PatchGAN discriminator (Isola et al. 2017, section 3.2 and appendix 6.1).

Parameter names and shapes are those of the published MindSpore checkpoints
(model.model.0.weight ..., features.0.weight ...).
"""

from collections.abc import Callable

import mindspore as ms
import numpy as np
from mindspore import nn, ops
from mindspore.common.initializer import Constant, Normal, XavierUniform, initializer

from pix2pix.settings import GeneratorSettings, TrainSettings

PADDED = ((0, 0), (0, 0), (1, 1), (1, 1))


class InstanceNorm(nn.Cell):
    """Each channel of each picture to mean 0 and variance 1, without learnt parameters.

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
    """A 4x4 convolution to one plane: one filter leaves a CPU's matrix multiply nothing to share.

    So each of the 16 taps becomes a plane by a 1x1 convolution, and a fixed convolution shifts and adds them.
    """

    def __init__(self, planes: int, padding: int, bias: bool):
        super().__init__()
        self.weight = ms.Parameter(ms.Tensor(np.zeros((1, planes, 4, 4), np.float32)))
        self.bias = ms.Parameter(ms.Tensor(np.zeros(1, np.float32))) if bias else None
        self.shifts = ms.Tensor(np.eye(16, dtype=np.float32).reshape(1, 16, 4, 4))
        self.padding = padding

    def construct(self, x):
        taps = ops.conv2d(x, self.weight.reshape(-1, 16).transpose().reshape(16, -1, 1, 1))
        logits = ops.conv2d(taps, self.shifts, pad_mode="pad", padding=self.padding)
        return logits if self.bias is None else logits + self.bias


def norm_layer(norm: str, planes: int) -> nn.Cell:
    """Normalisation by the statistics of the batch at hand, in training and at prediction."""
    return nn.BatchNorm2d(planes, use_batch_statistics=True) if norm == "batch" else InstanceNorm()


def convolution(planes: int, filters: int, stride: int, norm: str, pad_mode: str) -> list[nn.Cell]:
    """A 4x4 convolution with one pixel of padding, as layers; biased only under instance norm."""
    bias = norm == "instance"
    if pad_mode == "CONSTANT":
        return [nn.Conv2d(planes, filters, 4, stride, pad_mode="pad", padding=1, has_bias=bias)]
    padding = nn.Pad(paddings=PADDED, mode=pad_mode)
    return [padding, nn.Conv2d(planes, filters, 4, stride, pad_mode="valid", has_bias=bias)]


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


class UnetBlock(nn.Cell):
    """One level of the U-Net: down, the levels below, up; its input is joined to its output.

    Maps (N, planes, H, W) to (N, outer + planes, H, W) with the skip connection, else to
    (N, outer, H, W).
    """

    def __init__(self, settings: GeneratorSettings, planes: int, inner: int, outer: int, below, drop, outermost=False):
        super().__init__()
        bias = settings.norm == "instance"
        innermost = below is None
        joined = inner if innermost or not settings.skip_connections else 2 * inner
        down = convolution(planes, inner, 2, settings.norm, settings.pad_mode)
        up = [nn.ReLU(), nn.Conv2dTranspose(joined, outer, 4, 2, pad_mode="pad", padding=1, has_bias=bias)]
        if outermost:
            layers = [*down, below, *up, nn.Tanh()]
        else:
            layers = [LeakyReLU(settings.alpha), *down]
            if not innermost:
                layers += [norm_layer(settings.norm, inner), below]
            layers += [*up, norm_layer(settings.norm, outer)]
            if drop is not None:
                layers.append(drop)
        self.model = nn.SequentialCell(layers)
        self.joins = settings.skip_connections and not outermost

    def construct(self, x):
        out = self.model(x)
        return ops.concat((out, x), 1) if self.joins else out


class Generator(nn.Cell):
    """U-Net of g_layers levels: (N, g_in_planes, S, S) to (N, g_out_planes, S, S), both in [-1, 1], float32.

    With dropout, N is at most `batch` and S is `size`; `draw_dropout` is called before each forward pass.
    """

    def __init__(self, settings: GeneratorSettings, size: int, batch: int = 1):
        super().__init__()
        filters = [settings.g_ngf * min(2**level, 8) for level in range(settings.g_layers)]
        self.dropouts = []
        block = None
        for level in reversed(range(1, settings.g_layers)):
            outer, drop = filters[level - 1], None
            # the widest levels but the innermost: the three that the paper drops from at 8 levels
            if settings.dropout and 4 <= level < settings.g_layers - 1:
                drop = Dropout((batch, outer, size >> level, size >> level))
                self.dropouts.append(drop)
            block = UnetBlock(settings, outer, filters[level], outer, block, drop)
        self.model = UnetBlock(settings, settings.g_in_planes, filters[0], settings.g_out_planes, block, None, True)
        self.set_train()

    def construct(self, x):
        return self.model(x)

    def draw_dropout(self, *seed: int) -> None:
        """New dropout masks, a function of the numbers given; nothing without dropout."""
        random = np.random.default_rng(seed)
        for dropout in self.dropouts:
            dropout.draw(random)


class ConvNormReLU(nn.Cell):
    """A convolution, normalisation and LeakyReLU of the discriminator."""

    def __init__(self, settings: TrainSettings, planes: int, filters: int, stride: int):
        super().__init__()
        layers = convolution(planes, filters, stride, settings.norm, settings.pad_mode)
        layers += [norm_layer(settings.norm, filters), LeakyReLU(settings.alpha)]
        self.features = nn.SequentialCell(layers)

    def construct(self, x):
        return self.features(x)


class PixelConvNormReLU(nn.Cell):
    """The same with a 1x1 convolution, for the discriminator of single pixels."""

    def __init__(self, settings: TrainSettings, planes: int, filters: int):
        super().__init__()
        conv = nn.Conv2d(planes, filters, 1, has_bias=settings.norm == "instance")
        self.features = nn.SequentialCell([conv, norm_layer(settings.norm, filters), LeakyReLU(settings.alpha)])

    def construct(self, x):
        return self.features(x)


class Discriminator(nn.Cell):
    """PatchGAN: (N, d_in_planes, S, S) to a logit for each patch, (N, 1, P, P), float32.

    d_layers 0, 1, 3 and 5 judge patches of 1, 16, 70 and 286 pixels (appendix 6.1.2).
    """

    def __init__(self, settings: TrainSettings):
        super().__init__()
        planes, ndf = settings.d_in_planes, settings.d_ndf
        if settings.d_layers == 0:
            layers = [nn.Conv2d(planes, ndf, 1, has_bias=settings.norm == "instance"), LeakyReLU(settings.alpha)]
            layers += [PixelConvNormReLU(settings, ndf, 2 * ndf), nn.Conv2d(2 * ndf, 1, 1)]
        else:
            layers = [*convolution(planes, ndf, 2, settings.norm, settings.pad_mode), LeakyReLU(settings.alpha)]
            filters = ndf
            for layer in range(1, settings.d_layers + 1):
                planes, filters = filters, ndf * min(2**layer, 8)
                layers.append(ConvNormReLU(settings, planes, filters, 2 if layer < settings.d_layers else 1))
            bias = settings.norm == "instance"
            if settings.pad_mode == "CONSTANT":
                layers.append(PatchLogits(filters, 1, bias))
            else:
                layers += [nn.Pad(paddings=PADDED, mode=settings.pad_mode), PatchLogits(filters, 0, bias)]
        self.features = nn.SequentialCell(layers)
        self.set_train()

    def construct(self, x):
        return self.features(x)


def initialise(network: nn.Cell, settings: TrainSettings) -> None:
    """Draw the starting weights from MindSpore's seeded generator (ms.set_seed decides them).

    Convolutions: normal with standard deviation init_gain, Xavier uniform with gain init_gain, or
    all init_gain; biases 0. Normalisation: gamma 1, beta 0.
    """
    draw = {"normal": Normal, "xavier": XavierUniform, "constant": Constant}[settings.init_type](settings.init_gain)
    for parameter in network.trainable_params():
        if parameter.name.endswith("weight"):
            parameter.set_data(initializer(draw, parameter.shape, ms.float32))
        elif parameter.name.endswith("bias"):
            parameter.set_data(initializer("zeros", parameter.shape, ms.float32))


def compile_forward(network: nn.Cell) -> Callable[[ms.Tensor], ms.Tensor]:
    """The network as one compiled graph, without gradients."""

    @ms.jit
    def forward(x):
        return network(x)

    return forward
