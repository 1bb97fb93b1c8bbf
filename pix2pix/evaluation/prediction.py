"""Predictions of a trained generator for a split, as images."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix.config.settings import PredictSettings
from pix2pix.config.values import height_and_width
from pix2pix.data.loader import to_pixels, whole_pairs
from pix2pix.data.records import count
from pix2pix.evaluation.facts import FACTS, KINDS
from pix2pix.evaluation.tiles import translate_padded
from pix2pix.model.checkpoint import load_network
from pix2pix.model.networks import Generator, compile_forward
from pix2pix.system.checksum import sha256_of
from pix2pix.system.json_file import write_json
from pix2pix.system.progress import Progress

SQUASHED = "each half to {0} pixels, {1} (Pillow), regardless of its aspect ratio; not resized if it has that size"
FITTED = "each half to fit into {0} pixels, {1} (Pillow), its aspect ratio kept; padded by reflection for the generator"


def generate(
    settings: PredictSettings, ckpt: Path, files: list[Path]
) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield name, input, prediction and target of every pair; images are (height, width, 3) uint8.

    Images are translated one at a time and normalised with their own statistics, as in training (Isola et al.
    2017, section 3.4).

    Raises:
        InputError: the checkpoint is damaged or belongs to another network, or the records are damaged.
    """
    translate = Translator(settings, ckpt)
    labels = settings.target_palette is not None
    pairs = whole_pairs(files, settings.val_pic_size, settings.direction, labels, settings.keep_aspect)
    for number, (name, x, y) in enumerate(pairs):
        yield name, x, translate(x, number), y


class Translator:
    """A trained generator that translates one image at a time.

    Raises:
        InputError: the checkpoint is damaged or belongs to another network.
    """

    def __init__(self, settings: PredictSettings, ckpt: Path):
        self.settings = settings
        self.generator = Generator(settings, settings.val_pic_size)
        load_network(self.generator, ckpt)
        self.forward = compile_forward(self.generator)

    def __call__(self, image: np.ndarray, number: int = 0) -> np.ndarray:
        """Translate an image that is resized as for prediction: (h, w, 3) uint8 to the same.

        `number`, its place in the split, determines the dropout masks, if dropout is used.
        """
        self.generator.sample_dropout(self.settings.seed, number)
        size = height_and_width(self.settings.val_pic_size)
        return to_pixels(translate_padded(self.forward, image, self.settings.g_in_planes, *size))


def write_predictions(
    run: str, settings: PredictSettings, ckpt: Path, files: list[Path], folder: Path
) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Write one PNG per pair to prediction/, input/ and target/ in `folder`, and yield what `generate` yields.

    The files are named after the pairs. At the end, facts.json is written with everything that the images
    depend on (settings, name and checksum of the checkpoint, mode of the generator).
    """
    for kind in KINDS:
        (folder / kind).mkdir(parents=True)
    generated = generate(settings, ckpt, files)
    with Progress(generated, total=count(files), desc=f"predicting {run}", unit="image") as bar:
        for name, x, fake, y in bar:
            for kind, image in zip(KINDS, (x, fake, y), strict=True):
                # Pillow cannot infer the format from the name "..png"
                Image.fromarray(image).save(folder / kind / f"{name}.png", "PNG")
            yield name, x, fake, y
    facts = {"checkpoint": ckpt.name, "checkpoint_sha256": sha256_of(ckpt), "generator_mode": mode_of(settings)}
    how = "targets by nearest neighbour, inputs bicubic" if settings.target_palette else "bicubic"
    height, width = height_and_width(settings.val_pic_size)
    resize = (FITTED if settings.keep_aspect else SQUASHED).format(f"{width}x{height}", how)
    facts |= {"resize": resize} | settings.model_dump()
    write_json(facts, folder / FACTS)


def mode_of(settings: PredictSettings) -> str:
    """Describe how the generator runs for prediction."""
    statistics = "instance" if settings.norm == "instance" else "batch"
    noise = f"dropout on (seed {settings.seed})" if settings.dropout else "no dropout"
    return f"{statistics} statistics of each image alone, as in training; {noise}"
