"""Predictions of a trained generator over a split, as pictures."""

import sys
from collections.abc import Iterator
from pathlib import Path

import mindspore as ms
import numpy as np
from PIL import Image

from pix2pix.checkpoint import load_network
from pix2pix.checksum import sha256_of
from pix2pix.facts import FACTS, write_json
from pix2pix.files import replacing
from pix2pix.grid import spread, write_grid
from pix2pix.loader import to_array, to_pixels, whole_pairs
from pix2pix.networks import Generator, compile_forward
from pix2pix.pages import KINDS, write_gallery
from pix2pix.progress import Progress
from pix2pix.records import count
from pix2pix.settings import PredictSettings

PAIRS_IN_GRID = 8
RESIZE = "each half to {0}x{0} pixels, {1} (Pillow), whatever its shape; none where it has that size"


def generate(
    settings: PredictSettings, ckpt: Path, files: list[Path]
) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield name, input, prediction and target of every pair, pictures (S, S, 3) uint8.

    One picture at a time, normalised by its own statistics as in training (Isola et al. 2017, section 3.4).

    Raises:
        InputError: the checkpoint is damaged or of another network, or the records are damaged.
    """
    generator = Generator(settings, settings.val_pic_size)
    load_network(generator, ckpt)
    forward = compile_forward(generator)
    labels = settings.target_palette is not None
    for number, (name, x, y) in enumerate(whole_pairs(files, settings.val_pic_size, settings.direction, labels)):
        generator.draw_dropout(settings.seed, number)
        batch = to_array(Image.fromarray(x), settings.g_in_planes)[np.newaxis]
        yield name, x, to_pixels(forward(ms.Tensor(batch)).asnumpy()[0]), y


def predict(run: str, settings: PredictSettings, ckpt: Path, files: list[Path], folder: Path) -> int:
    """Write one PNG an input, grid.png, index.html and facts.json to `folder`, all or nothing.

    Pictures lie in prediction/, input/ and target/ under the names of the pairs, whatever these are.
    facts.json is what the pictures depend on: settings, the checkpoint's name and checksum, the
    generator's mode. Returns the number of pairs.
    """
    pairs = count(files)
    in_grid = spread(pairs, PAIRS_IN_GRID)
    names, rows = [], []
    with replacing(folder) as scratch:
        for kind in KINDS:
            (scratch / kind).mkdir(parents=True)
        generated = generate(settings, ckpt, files)
        with Progress(generated, total=pairs, desc=f"predicting {run}", unit="picture") as bar:
            for name, x, fake, y in bar:
                for kind, picture in zip(KINDS, (x, fake, y), strict=True):
                    # Pillow would take no format from the name "..png"
                    Image.fromarray(picture).save(scratch / kind / f"{name}.png", "PNG")
                if len(names) in in_grid:
                    rows.append((name, x, fake, y))
                names.append(name)
        write_grid(rows, scratch / "grid.png")
        facts = {"checkpoint": ckpt.name, "checkpoint_sha256": sha256_of(ckpt), "generator_mode": mode_of(settings)}
        how = "targets by nearest neighbour, inputs bicubic" if settings.target_palette else "bicubic"
        facts |= {"resize": RESIZE.format(settings.val_pic_size, how)} | settings.model_dump()
        write_json(facts, scratch / FACTS)
        write_gallery(scratch, run, {key: str(value) for key, value in facts.items()}, names)
    print(f"{pairs} predictions in {folder}", file=sys.stderr)
    return pairs


def mode_of(settings: PredictSettings) -> str:
    """How the generator runs at prediction, in words."""
    statistics = "instance" if settings.norm == "instance" else "batch"
    noise = f"dropout on (seed {settings.seed})" if settings.dropout else "no dropout"
    return f"{statistics} statistics of each picture alone, as in training; {noise}"
