"""Sizes of datasets and of trained networks in bytes: of the files that exist, else estimated."""

import os
from collections.abc import Iterable
from math import ceil
from pathlib import Path

from pix2pix.config.datasets import DatasetSettings, KeepSettings
from pix2pix.config.settings import TrainSettings
from pix2pix.config.values import Split
from pix2pix.model.memory import FLOAT, discriminator_weights, generator_weights

MIB = 2**20
# bytes of the archives, as the index of the server that publishes them rounds them (docs/datasets.md)
PUBLISHED = {
    "facades": 29 * MIB,
    "cityscapes": 99 * MIB,
    "maps": 239 * MIB,
    "night2day": 1.9 * 1024 * MIB,
    "edges2shoes": 2.0 * 1024 * MIB,
    "edges2handbags": 8.0 * 1024 * MIB,
}
UNPACKED = 1.04  # bytes of the images per byte of the tar.gz: JPEG files hardly shrink (facades 1.04, maps 1.02)
HALF_A_BLOCK = 2048  # bytes that a file wastes on average in its last block
MOST_PAIRS = 20_000  # in a file of records, as in rules/
HEAD, PAGE = 16 * MIB, 32 * MIB  # a MindRecord file is its head and whole pages
MOMENTS = 2  # Adam's, for every weight
STATES = 2  # the newest and the previous one


def data_bytes(name: str, dataset: DatasetSettings, archive: Path) -> dict[str, float | None]:
    """Bytes of a dataset's archive, images and records; None if unknown.

    Args:
        name: its name, which finds the published size.
        dataset: its settings.
        archive: where its archive is or will be.
    """
    if dataset.folder:
        packed, images = 0.0, float(sum(_files_in(Path(dataset.folder), dataset.splits)))
    elif archive.exists() or name in PUBLISHED:
        packed = float(archive.stat().st_size if archive.exists() else PUBLISHED[name])
        images = UNPACKED * packed
    else:
        return {"archive": None, "images": None, "records": None}
    counts = [count or 0 for count in dataset.counts.values()]
    # a split takes its share of the images; without counts, all of them are taken for one split
    shares = [(count / (sum(counts) or 1), ceil(count / MOST_PAIRS)) for count in counts] if all(counts) else [(1, 1)]
    records = sum(files * HEAD + max(files, ceil(share * images / PAGE)) * PAGE for share, files in shares)
    return {"archive": packed, "images": images + HALF_A_BLOCK * sum(counts), "records": float(records)}


def largest_data(dataset: DatasetSettings, keep: KeepSettings) -> tuple[float, float]:
    """The most bytes that data/ holds at once: per byte of the archive, and beyond that.

    That is while records are written; without pairs, the images are in one file per split meanwhile.
    """
    counts = [count or 0 for count in dataset.counts.values()]
    more = sum(max(1, ceil(count / MOST_PAIRS)) for count in counts) * (HEAD + PAGE)
    return keep.archive + 2 * UNPACKED, more + HALF_A_BLOCK * sum(counts) * keep.pairs


def training_bytes(settings: TrainSettings, save_epoch_freq: int) -> int:
    """Bytes of the checkpoints, the snapshots and the two saved states of a training."""
    generator, both = generator_weights(settings), generator_weights(settings) + discriminator_weights(settings)
    snapshots = (settings.epoch_num - 1) // save_epoch_freq
    best = generator if settings.eval_epoch_freq else 0
    return FLOAT * (both * (1 + snapshots + STATES * (1 + MOMENTS)) + best)


def pairs_in(dataset: DatasetSettings, split: Split) -> int | None:
    """Number of pairs in a split: as declared, else the files in its folder; None if unknown."""
    if dataset.counts[split] is None and dataset.folder and Path(dataset.folder, split).is_dir():
        return len(_files_in(Path(dataset.folder), [split]))
    return dataset.counts[split]


def _files_in(folder: Path, splits: Iterable[str]) -> list[int]:
    """Sizes of the files in a folder's splits."""
    sizes = []
    for split in splits:
        if (folder / split).is_dir():
            with os.scandir(folder / split) as entries:
                sizes += [entry.stat().st_size for entry in entries if entry.is_file()]
    return sizes
