"""A lower bound of the memory that settings need, so that absurd values are rejected before anything is built."""

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise

import psutil

from pix2pix.config.settings import GeneratorSettings, PredictSettings, TrainSettings
from pix2pix.config.values import NATIVE, height_and_width
from pix2pix.system.errors import InputError

FLOAT = 4  # bytes
COPIES = 4  # per weight in training: the weight, its gradient and Adam's two moments
PILLOW = 4  # bytes per RGB pixel in Pillow
KERNEL = 16  # weights of a 4x4 convolution per pair of channels


def training_memory(settings: TrainSettings, on_cpu: bool) -> dict[str, int]:
    """Minimum bytes that a worker needs, by the setting to lower; on other devices than the CPU only for images."""
    key = "load_size" if settings.jitter else "train_pic_size"
    needed = {key: PILLOW * math.prod(height_and_width(getattr(settings, key)))}
    if on_cpu:
        needed["g_ngf"] = COPIES * FLOAT * generator_weights(settings)
        needed["d_ndf"] = COPIES * FLOAT * discriminator_weights(settings)
        floats = sum(_generator_outputs(settings, settings.train_pic_size))
        needed["batch_size, g_ngf or train_pic_size"] = FLOAT * settings.batch_size * floats
    return needed


def prediction_memory(settings: PredictSettings, on_cpu: bool) -> dict[str, int]:
    """Minimum bytes that a prediction needs, by the setting to lower; on other devices than the CPU only for images."""
    key = "tile_size" if settings.val_pic_size == NATIVE else "val_pic_size"
    needed = {key: PILLOW * math.prod(settings.pass_size)}
    if on_cpu:
        needed["g_ngf"] = FLOAT * generator_weights(settings)
        needed[f"g_ngf or {key}"] = FLOAT * max(_generator_outputs(settings, settings.pass_size))
    return needed


def check_memory(needed: Mapping[str, int], workers: int = 1) -> None:
    """Check that this machine has enough memory for `workers` workers.

    Raises:
        InputError: it does not; the message names the setting that needs most.
    """
    most, total = workers * sum(needed.values()), psutil.virtual_memory().total
    if most > total:
        key = max(needed, key=lambda name: needed[name])
        raise InputError(
            f"{key}: would need at least {_gigabytes(most)} of memory, and this machine has {_gigabytes(total)}: "
            f"lower {key}"
        )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size < 1e15 else f"{size / 1e9:.0e} GB"


def _filters(settings: GeneratorSettings) -> list[int]:
    return [settings.g_ngf * min(2**level, 8) for level in range(settings.g_layers)]


def generator_weights(settings: GeneratorSettings) -> int:
    """Number of weights in the U-Net's convolutions (pix2pix.model.networks.Generator), without biases and norms."""
    filters, weights = _filters(settings), 0
    for level, inner in enumerate(filters):
        channels, outer = (filters[level - 1],) * 2 if level else (settings.g_in_planes, settings.g_out_planes)
        joined = 2 * inner if settings.skip_connections and level < settings.g_layers - 1 else inner
        weights += KERNEL * (channels * inner + joined * outer)
    return weights


def _generator_outputs(settings: GeneratorSettings, size: int | tuple[int, int]) -> Iterator[int]:
    """Number of output values per image of each encoder convolution."""
    height, width = height_and_width(size)
    return (
        channels * (height >> level + 1) * (width >> level + 1) for level, channels in enumerate(_filters(settings))
    )


def discriminator_weights(settings: TrainSettings) -> int:
    """Number of weights in all but the last convolution of pix2pix.model.networks.Discriminator; 1x1 for d_layers 0."""
    filters = [settings.d_channels] + [settings.d_ndf * min(2**level, 8) for level in range(settings.d_layers + 1)]
    return sum(KERNEL * a * b for a, b in pairwise(filters)) if settings.d_layers else 2 * settings.d_ndf**2
