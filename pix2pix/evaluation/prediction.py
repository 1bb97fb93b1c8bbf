"""Predictions of a trained generator for a split, as images."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import mindspore as ms
import numpy as np
from PIL import Image

from pix2pix.config.settings import PredictSettings
from pix2pix.config.values import NATIVE
from pix2pix.data.ahead import map_ahead
from pix2pix.data.loader import to_array, to_pixels, whole_pairs
from pix2pix.data.records import count
from pix2pix.evaluation.facts import FACTS, KINDS, trained_on
from pix2pix.evaluation.tiles import cropped, padded, translate_padded, translate_whole
from pix2pix.model.checkpoint import load_network
from pix2pix.model.layers import tuned_for_cpu
from pix2pix.model.networks import Generator, compile_forward
from pix2pix.system.checksum import sha256_of
from pix2pix.system.json_file import write_json
from pix2pix.system.progress import Progress

SQUASHED = "each half to {0} pixels, {1} (Pillow), regardless of its aspect ratio; not resized if it has that size"
NOT_RESIZED = "not resized; padded by reflection for the generator, in tiles of {0}x{0} pixels if larger"
FITTED = "each half to fit into {0} pixels, {1} (Pillow), its aspect ratio kept; padded by reflection for the generator"
IMAGES_AT_ONCE = 4
LARGEST_TOGETHER = 256  # pixels
WRITING_THREADS = 2
IMAGES_WAITING = 16  # to be written;
LARGE_WAITING = 1  # so many if they have their own size, since they may be large
# name, input, prediction and target
Row = tuple[str, np.ndarray, np.ndarray, np.ndarray]


class Translator:
    """A trained generator that translates up to `images` images in one pass, each with its own statistics.

    That is how it was trained at batch size 1 (Isola et al. 2017, section 3.4). On a CPU, small images are translated
    several at a time, because the weights of the inner layers are then read once for all of them; a large image has
    enough pixels by itself.

    Raises:
        InputError: the checkpoint is damaged or belongs to another network.
    """

    def __init__(self, settings: PredictSettings, ckpt: Path):
        self.settings = settings
        native = settings.val_pic_size == NATIVE
        together = tuned_for_cpu() and not native and max(settings.pass_size) <= LARGEST_TOGETHER
        self.images = IMAGES_AT_ONCE if together else 1
        self.generator = Generator(settings, settings.pass_size, self.images, separate=together)
        load_network(self.generator, ckpt)
        self.forward = compile_forward(self.generator)

    def __call__(self, inputs: Sequence[np.ndarray], first: int = 0) -> list[np.ndarray]:
        """Translate at most `images` images that are resized as for prediction, each (h, w, 3) uint8, to the same.

        `first` is the number of the first one in its split: with dropout, the numbers determine the masks.
        """
        if self.images > 1:
            return self._together(inputs, first)
        return [self._alone(image, first + place) for place, image in enumerate(inputs)]

    def _together(self, inputs: Sequence[np.ndarray], first: int) -> list[np.ndarray]:
        settings = self.settings
        self.generator.sample_dropouts([(settings.seed, first + place) for place in range(self.images)])
        height, width = settings.pass_size
        # unused places stay empty, so that there is one shape and the graph is compiled once
        batch = np.zeros((self.images, settings.g_in_planes, height, width), np.float32)
        for place, image in enumerate(inputs):
            batch[place] = to_array(Image.fromarray(padded(image, height, width)), settings.g_in_planes)
        outputs = self.forward(ms.Tensor(batch)).asnumpy()
        pairs = zip(outputs[: len(inputs)], inputs, strict=True)
        return [to_pixels(cropped(output, *image.shape[:2])) for output, image in pairs]

    def _alone(self, image: np.ndarray, number: int) -> np.ndarray:
        settings = self.settings

        def sample_dropout(tile: int) -> None:
            self.generator.sample_dropout(settings.seed, number, *([tile] if tile else []))

        if settings.val_pic_size == NATIVE:
            how = settings.g_in_planes, settings.g_layers, settings.tile_size
            return to_pixels(translate_whole(self.forward, image, *how, sample_dropout))
        sample_dropout(0)
        return to_pixels(translate_padded(self.forward, image, settings.g_in_planes, *settings.pass_size))


def generate(translate: Translator, files: list[Path]) -> Iterator[Row]:
    """Yield name, input, prediction and target of every pair; images are (height, width, 3) uint8.

    Raises:
        InputError: the records are damaged.
    """
    settings, first = translate.settings, 0
    labels = settings.target_palette is not None
    pairs = whole_pairs(files, settings.val_pic_size, settings.direction, labels, settings.keep_aspect)
    while group := list(islice(pairs, translate.images)):
        fakes = translate([x for _, x, _ in group], first)
        for (name, x, y), fake in zip(group, fakes, strict=True):
            yield name, x, fake, y
        first += len(group)


def write_predictions(
    run: str, settings: PredictSettings, ckpt: Path, files: list[Path], folder: Path
) -> Iterator[Row]:
    """Write one PNG per pair to prediction/, input/ and target/ in `folder`, and yield what `generate` yields.

    The files are named after the pairs. At the end, facts.json is written with everything that the images
    depend on (settings, name and checksum of the checkpoint, mode of the generator).
    """
    for kind in KINDS:
        (folder / kind).mkdir(parents=True)
    waiting = LARGE_WAITING if settings.val_pic_size == NATIVE else IMAGES_WAITING
    saved = save_all(generate(Translator(settings, ckpt), files), folder, waiting)
    with Progress(saved, total=count(files), desc=f"predicting {run}", unit="image") as bar:
        yield from bar
    facts = {"checkpoint": ckpt.name, "checkpoint_sha256": sha256_of(ckpt), "generator_mode": mode_of(settings)}
    how = "targets by nearest neighbour, inputs bicubic" if settings.target_palette else "bicubic"
    height, width = settings.pass_size
    resize = (FITTED if settings.keep_aspect else SQUASHED).format(f"{width}x{height}", how)
    if settings.val_pic_size == NATIVE:
        resize = NOT_RESIZED.format(settings.tile_size)
    facts |= {"resize": resize, "trained_on": trained_on(ckpt)} | settings.model_dump()
    write_json(facts, folder / FACTS)


def save_all(rows: Iterable[Row], folder: Path, waiting: int = IMAGES_WAITING) -> Iterator[Row]:
    """Save the images of rows as PNGs in folders named after KINDS, in threads; yield the rows that are saved."""
    yield from map_ahead(partial(save_images, folder), rows, WRITING_THREADS, waiting)


def save_images(folder: Path, row: Row) -> Row:
    """Save input, prediction and target of one row."""
    name, *images = row
    for kind, image in zip(KINDS, images, strict=True):
        # Pillow cannot infer the format from the name "..png"; its default strategy takes four times as long and
        # makes photographs 0 to 4 % smaller
        Image.fromarray(image).save(folder / kind / f"{name}.png", "PNG", compress_type=zlib.Z_RLE)
    return row


def mode_of(settings: PredictSettings) -> str:
    """Describe how the generator runs for prediction."""
    statistics = "instance" if settings.norm == "instance" else "batch"
    noise = f"dropout on (seed {settings.seed})" if settings.dropout else "no dropout"
    return f"{statistics} statistics of each image alone, as in training; {noise}"
