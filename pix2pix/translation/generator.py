"""A generator loaded from a checkpoint, as a function from images to images."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from PIL import Image

from pix2pix.config.settings import PredictSettings
from pix2pix.config.values import NATIVE
from pix2pix.data.images import to_rgb
from pix2pix.evaluation.prediction import Translator
from pix2pix.model.description import generator_settings
from pix2pix.model.device import check_device
from pix2pix.model.memory import check_memory, prediction_memory
from pix2pix.system.errors import InputError

CHECKPOINT = re.compile(r"Generator_(\d+)\.ckpt")
RESULTS = Path("results")
SIZES_KEPT = 4  # compiled networks, each with its own copy of the weights


def find_checkpoint(path_or_run: str | Path) -> Path:
    """The checkpoint meant by a file, the folder of a run or of checkpoints, or the name of a run in results/.

    In a folder this is the generator with the most epochs.

    Raises:
        InputError: there is no such checkpoint.
    """
    path = Path(path_or_run)
    if not path.exists() and len(path.parts) == 1 and (RESULTS / path).is_dir():
        path = RESULTS / path
    if not path.is_dir():
        if path.exists():
            return path
        raise InputError(f"{path_or_run}: no such checkpoint or folder, and no run of that name in {RESULTS}/")
    found = {int(match[1]): file for folder in (path, path / "ckpt") for file in folder.glob("*.ckpt")
             if (match := CHECKPOINT.fullmatch(file.name))}  # fmt: skip
    if not found:
        raise InputError(f"{path}: has no Generator_N.ckpt, and neither has its ckpt/: name the checkpoint's file")
    return found[max(found)]


class LoadedGenerator:
    """A generator that translates images of any size, one at a time.

    Attributes:
        path: the checkpoint.
        settings: the architecture (GeneratorSettings).
        description: what the checkpoint says it was trained on (Description), or None if it says nothing.
    """

    def __init__(
        self,
        path_or_run: str | Path,
        device_target: str = "CPU",
        given: Mapping[str, Any] | None = None,
        tile_size: int = PredictSettings.model_fields["tile_size"].default,
    ):
        """Load a generator.

        Args:
            path_or_run: as for `find_checkpoint`.
            device_target: CPU, GPU or Ascend.
            given: architecture that the checkpoint must not contradict, and that an old checkpoint does not tell.
            tile_size: larger images are translated in overlapping tiles of this height and width, blended at the seams.

        Raises:
            InputError: the checkpoint is missing, damaged or not of a generator, or the device is not available.
        """
        self.path = find_checkpoint(path_or_run)
        self.settings, self.description = generator_settings(self.path, given or {})
        if tile_size < 1 or tile_size % 2**self.settings.g_layers:
            raise InputError(f"tile_size: {tile_size} is not a multiple of 2^g_layers ({2**self.settings.g_layers})")
        self.tile_size = tile_size
        self.on_cpu = device_target == "CPU"
        check_device(device_target)
        self._translators: dict[tuple[tuple[int, int] | str, int], Translator] = {}

    @overload
    def __call__(self, images: Image.Image, seed: int = 0) -> Image.Image: ...

    @overload
    def __call__(self, images: np.ndarray, seed: int = 0) -> np.ndarray: ...

    @overload
    def __call__(self, images: Sequence[Image.Image | np.ndarray], seed: int = 0) -> list: ...

    def __call__(self, images, seed=0):
        """Translate an image, or several.

        Args:
            images: a PIL image of any mode; an array (H, W, C) or (H, W), uint8, with C 3 or 1; N images as an array
                (N, H, W, C); or a list of PIL images and arrays, which may differ in size.
            seed: of the dropout, for a generator that has it.

        Returns:
            the same kind and size: a PIL image of mode RGB, or arrays (H, W, 3), uint8.

        Raises:
            InputError: an image has no pixels, or is too large for the memory of this machine.
            TypeError: something else than an image.
        """
        if isinstance(images, Image.Image):
            return Image.fromarray(self.translate(_pixels(images), seed, 0))
        if isinstance(images, np.ndarray):
            if images.ndim != 4:
                return self.translate(_as_rgb(images), seed, 0)
            return np.stack([self.translate(_as_rgb(image), seed, number) for number, image in enumerate(images)])
        if not isinstance(images, Sequence) or isinstance(images, str | bytes):
            raise TypeError(f"expected a PIL image, an array, or a list of them, not {type(images).__name__}")
        pixels = [_pixels(each) if isinstance(each, Image.Image) else _as_rgb(each) for each in images]
        outputs = [self.translate(each, seed, number) for number, each in enumerate(pixels)]
        return [Image.fromarray(output) if isinstance(each, Image.Image) else output
                for each, output in zip(images, outputs, strict=True)]  # fmt: skip

    def padded_size(self, image: np.ndarray) -> tuple[int, int] | str:
        """The height and width that an image is padded to; "native" if it is translated in tiles."""
        unit = 2**self.settings.g_layers
        height, width = (-(-side // unit) * unit for side in image.shape[:2])
        return (height, width) if max(height, width) <= self.tile_size else NATIVE

    def check_size(self, size: tuple[int, int] | str) -> None:
        """Check that images of this padded size, or tiles, can be translated.

        Raises:
            InputError: this machine has not enough memory for the size.
        """
        needed = prediction_memory(self._settings(size, 0), self.on_cpu)
        check_memory({"size of the image": sum(needed.values())})

    def _settings(self, size: tuple[int, int] | str, seed: int) -> PredictSettings:
        # without validation: here an image may also be smaller than the SSIM window
        chosen: dict[str, Any] = {"val_pic_size": size, "tile_size": self.tile_size, "seed": seed}
        return PredictSettings.model_construct(**self.settings.model_dump(), **chosen)

    def translator(self, size: tuple[int, int] | str, seed: int) -> Translator:
        """The translator for images of this padded size, or for tiles, the same as in prediction.

        Raises:
            InputError: this machine has not enough memory for the size, or the checkpoint is not of a generator.
        """
        key = (size, seed if self.settings.dropout else 0)
        if key not in self._translators:
            self.check_size(size)
            while len(self._translators) >= SIZES_KEPT:
                del self._translators[next(iter(self._translators))]
            self._translators[key] = Translator(self._settings(size, seed), self.path)
        return self._translators[key]

    def translate(self, image: np.ndarray, seed: int, number: int) -> np.ndarray:
        """Translate (H, W, 3) uint8 to the same; with dropout, the seed and the number determine the noise."""
        if not image.size:
            raise InputError(f"image: is {image.shape[1]}x{image.shape[0]}: has no pixels")
        return self.translator(self.padded_size(image), seed)([image], number)[0]


def _pixels(image: Image.Image) -> np.ndarray:
    try:
        return np.asarray(to_rgb(image))
    except ValueError as error:
        raise InputError(f"image: {error}") from None


def _as_rgb(image: np.ndarray) -> np.ndarray:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        found = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise TypeError(f"expected arrays of uint8 (0 to 255), not {found}")
    pixels = image[..., np.newaxis] if image.ndim == 2 else image
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3):
        raise TypeError(f"expected the shape (H, W, 3), (H, W, 1), (H, W) or (N, H, W, C), not {image.shape}")
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))
