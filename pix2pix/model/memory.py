"""The memory that settings ask for at least, so that absurd ones are refused before anything is built."""

from collections.abc import Iterator, Mapping
from itertools import pairwise

import psutil

from pix2pix.config.settings import GeneratorSettings, PredictSettings, TrainSettings
from pix2pix.system.errors import InputError

FLOAT = 4  # bytes
COPIES = 4  # of each weight while it is trained: itself, its gradient and Adam's two moments
PILLOW = 4  # bytes of an RGB pixel in Pillow's memory
KERNEL = 16  # weights of a 4x4 convolution, for each pair of channels


def training_memory(settings: TrainSettings, on_cpu: bool) -> dict[str, int]:
    """Bytes that a worker needs at least, by the setting to lower; on another device those of its images alone."""
    key = "load_size" if settings.jitter else "train_pic_size"
    needed = {key: PILLOW * getattr(settings, key) ** 2}
    if on_cpu:
        needed["g_ngf"] = COPIES * FLOAT * _generator_weights(settings)
        needed["d_ndf"] = COPIES * FLOAT * _discriminator_weights(settings)
        floats = sum(_generator_outputs(settings, settings.train_pic_size))
        needed["batch_size, g_ngf or train_pic_size"] = FLOAT * settings.batch_size * floats
    return needed


def prediction_memory(settings: PredictSettings, on_cpu: bool) -> dict[str, int]:
    """Bytes that a prediction needs at least, by the setting to lower; on another device those of an image alone."""
    needed = {"val_pic_size": PILLOW * settings.val_pic_size**2}
    if on_cpu:
        needed["g_ngf"] = FLOAT * _generator_weights(settings)
        needed["g_ngf or val_pic_size"] = FLOAT * max(_generator_outputs(settings, settings.val_pic_size))
    return needed


def check_memory(needed: Mapping[str, int], workers: int = 1) -> None:
    """Refuse what this machine has not the memory for, with so many workers on it.

    Raises:
        InputError: it would take more than there is; the text names the setting that takes most.
    """
    most, there_is = workers * sum(needed.values()), psutil.virtual_memory().total
    if most > there_is:
        key = max(needed, key=lambda name: needed[name])
        raise InputError(
            f"{key}: would take at least {_gigabytes(most)} of memory, and this machine has {_gigabytes(there_is)}: "
            f"lower {key}"
        )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size < 1e15 else f"{size / 1e9:.0e} GB"


def _filters(settings: GeneratorSettings) -> list[int]:
    return [settings.g_ngf * min(2**level, 8) for level in range(settings.g_layers)]


def _generator_weights(settings: GeneratorSettings) -> int:
    """Weights of the U-Net's convolutions (pix2pix.model.networks.Generator), without biases and norms."""
    filters, weights = _filters(settings), 0
    for level, inner in enumerate(filters):
        channels, outer = (filters[level - 1],) * 2 if level else (settings.g_in_planes, settings.g_out_planes)
        joined = 2 * inner if settings.skip_connections and level < settings.g_layers - 1 else inner
        weights += KERNEL * (channels * inner + joined * outer)
    return weights


def _generator_outputs(settings: GeneratorSettings, size: int) -> Iterator[int]:
    """Numbers that each convolution on the way down makes of an image."""
    return (channels * (size >> level + 1) ** 2 for level, channels in enumerate(_filters(settings)))


def _discriminator_weights(settings: TrainSettings) -> int:
    """Weights of the convolutions of pix2pix.model.networks.Discriminator but the last; 1x1 for d_layers 0."""
    filters = [settings.d_channels] + [settings.d_ndf * min(2**level, 8) for level in range(settings.d_layers + 1)]
    return sum(KERNEL * a * b for a, b in pairwise(filters)) if settings.d_layers else 2 * settings.d_ndf**2
