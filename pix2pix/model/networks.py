"""The U-Net generator and the PatchGAN discriminator (Isola et al. 2017, section 3.2 and appendix 6.1).

Parameter names and shapes are those of the published MindSpore checkpoints
(model.model.0.weight ..., features.0.weight ...).
"""

from collections.abc import Callable, Sequence

import mindspore as ms
import numpy as np
from mindspore import nn, ops
from mindspore.common.initializer import Constant, Normal, XavierUniform, initializer

from pix2pix.config.settings import GeneratorSettings, TrainSettings
from pix2pix.config.values import height_and_width
from pix2pix.model.layers import (
    PADDED,
    Dropout,
    convolution,
    leaky_relu,
    norm_layer,
    patch_logits,
    up_convolution,
)


class UnetBlock(nn.Cell):
    """One level of the U-Net: downsampling, the levels below, upsampling; a skip connection appends its input.

    Maps (N, channels, H, W) to (N, outer + channels, H, W) with the skip connection, else to
    (N, outer, H, W).
    """

    def __init__(
        self,
        settings: GeneratorSettings,
        channels: int,
        inner: int,
        outer: int,
        below,
        drop,
        outermost=False,
        separate=False,
    ):
        super().__init__()
        bias = settings.norm == "instance"
        innermost = below is None
        joined = inner if innermost or not settings.skip_connections else 2 * inner
        down = convolution(channels, inner, 2, settings.norm, settings.pad_mode, separate)
        up = [nn.ReLU(), up_convolution(joined, outer, bias, separate)]
        if outermost:
            layers = [*down, below, *up, nn.Tanh()]
        else:
            layers = [leaky_relu(settings.alpha), *down]
            if not innermost:
                layers += [norm_layer(settings.norm, inner, separate=separate), below]
            layers += [*up, norm_layer(settings.norm, outer, separate=separate)]
            if drop is not None:
                layers.append(drop)
        self.model = nn.SequentialCell(layers)
        self.joins = settings.skip_connections and not outermost

    def construct(self, x):
        out = self.model(x)
        return ops.concat((out, x), 1) if self.joins else out


class Generator(nn.Cell):
    """U-Net with g_layers levels: (N, g_in_planes, H, W) to (N, g_out_planes, H, W), both float32 in [-1, 1].

    H and W are multiples of 2^g_layers. With dropout, N, H and W are at most `batch` and `size`, and
    `sample_dropout` must be called before each forward pass.
    Images are normalised together, or, with `separate`, each with its own statistics.
    """

    def __init__(
        self, settings: GeneratorSettings, size: int | tuple[int, int], batch: int = 1, separate: bool = False
    ):
        super().__init__()
        height, width = height_and_width(size)
        filters = [settings.g_ngf * min(2**level, 8) for level in range(settings.g_layers)]
        self.dropouts = []
        block = None
        for level in reversed(range(1, settings.g_layers)):
            outer, drop = filters[level - 1], None
            # the widest levels except the innermost: with 8 levels, the three with dropout in the paper
            if settings.dropout and 4 <= level < settings.g_layers - 1:
                drop = Dropout((batch, outer, height >> level, width >> level))
                self.dropouts.append(drop)
            block = UnetBlock(settings, outer, filters[level], outer, block, drop, separate=separate)
        channels = settings.g_in_planes, filters[0], settings.g_out_planes
        self.model = UnetBlock(settings, *channels, block, None, outermost=True, separate=separate)
        self.set_train()

    def construct(self, x):
        return self.model(x)

    def sample_dropout(self, *seed: int) -> None:
        """Draw new dropout masks, determined by the numbers given; without dropout, do nothing."""
        self.sample_dropouts([seed])

    def sample_dropouts(self, seeds: Sequence[tuple[int, ...]]) -> None:
        """Draw new dropout masks for equal parts of the batch, each determined by its own numbers."""
        randoms = [np.random.default_rng(seed) for seed in seeds]
        for dropout in self.dropouts:
            dropout.draw(randoms)


class ConvNormReLU(nn.Cell):
    """A convolution of the discriminator with normalisation and LeakyReLU."""

    def __init__(self, settings: TrainSettings, channels: int, filters: int, stride: int):
        super().__init__()
        layers = convolution(channels, filters, stride, settings.norm, settings.pad_mode)
        layers += [norm_layer(settings.norm, filters, pure=True), leaky_relu(settings.alpha)]
        self.features = nn.SequentialCell(layers)

    def construct(self, x):
        return self.features(x)


class PixelConvNormReLU(nn.Cell):
    """The same with a 1x1 convolution, for the pixel discriminator (PixelGAN)."""

    def __init__(self, settings: TrainSettings, channels: int, filters: int):
        super().__init__()
        conv = nn.Conv2d(channels, filters, 1, has_bias=settings.norm == "instance")
        norm = norm_layer(settings.norm, filters, pure=True)
        self.features = nn.SequentialCell([conv, norm, leaky_relu(settings.alpha)])

    def construct(self, x):
        return self.features(x)


class Discriminator(nn.Cell):
    """PatchGAN: (N, d_channels, H, W) to one logit per patch, (N, 1, P, Q), float32.

    With d_layers 0, 1, 3 and 5, patches are 1, 16, 70 and 286 pixels wide (appendix 6.1.2).
    """

    def __init__(self, settings: TrainSettings):
        super().__init__()
        channels, ndf = settings.d_channels, settings.d_ndf
        bias = settings.norm == "instance"
        if settings.d_layers == 0:
            layers = [nn.Conv2d(channels, ndf, 1, has_bias=bias), leaky_relu(settings.alpha)]
            layers += [PixelConvNormReLU(settings, ndf, 2 * ndf), nn.Conv2d(2 * ndf, 1, 1, has_bias=bias)]
        else:
            layers = [*convolution(channels, ndf, 2, settings.norm, settings.pad_mode), leaky_relu(settings.alpha)]
            filters = ndf
            for layer in range(1, settings.d_layers + 1):
                channels, filters = filters, ndf * min(2**layer, 8)
                layers.append(ConvNormReLU(settings, channels, filters, 2 if layer < settings.d_layers else 1))
            if settings.pad_mode == "CONSTANT":
                layers.append(patch_logits(filters, 1, bias))
            else:
                layers += [nn.Pad(paddings=PADDED, mode=settings.pad_mode), patch_logits(filters, 0, bias)]
        self.features = nn.SequentialCell(layers)
        self.set_train()

    def construct(self, x):
        return self.features(x)


def initialise(network: nn.Cell, settings: TrainSettings) -> None:
    """Draw the initial weights from MindSpore's random number generator (seeded by ms.set_seed).

    Convolutions: normal with standard deviation init_gain, Xavier uniform with gain init_gain, or
    constant init_gain; biases 0. Normalisation: gamma 1, beta 0.
    """
    draw = {"normal": Normal, "xavier": XavierUniform, "constant": Constant}[settings.init_type](settings.init_gain)
    for parameter in network.trainable_params():
        if parameter.name.endswith("weight"):
            parameter.set_data(initializer(draw, parameter.shape, ms.float32))
        elif parameter.name.endswith("bias"):
            parameter.set_data(initializer("zeros", parameter.shape, ms.float32))


def compile_forward(network: nn.Cell) -> Callable[[ms.Tensor], ms.Tensor]:
    """Compile the network, without gradients, as one graph for each shape of its input."""
    # a function around it would be one function compiled for several networks, which MindSpore warns of
    return ms.jit(network)
