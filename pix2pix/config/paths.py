"""Files and folders of one's own: which are missing, and by what a change in a folder of images is noticed."""

import functools
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from pix2pix.config.runs import Config
from pix2pix.system.errors import InputError


def check_paths(config: Config) -> None:
    """Make sure that what the configuration names is there, since Snakemake does not miss it once results are made.

    That is each dataset's folder, with a folder that can be read for each split, and each run's ckpt but
    those below results/, which the workflow makes.

    Raises:
        InputError: with a line for each that is not.
    """
    wrong = [*_folders(config), *_checkpoints(config)]
    if wrong:
        raise InputError("\n".join(wrong))


def _checkpoints(config: Config) -> Iterator[str]:
    for name, run in config.runs.items():
        if run.path and Path(run.path).parts[:1] != ("results",) and not Path(run.path).is_file():
            yield f"config: runs.{name}.ckpt: {run.path}: there is no such file; correct the path"


def _folders(config: Config) -> Iterator[str]:
    for name, dataset in config.datasets.items():
        if dataset.folder is None:
            continue
        key = f"config: datasets.{name}.folder: {dataset.folder}"
        if not Path(dataset.folder).is_dir():
            yield f"{key}: there is no such folder; correct the path"
            continue
        for split in dataset.splits:
            images = Path(dataset.folder, split)
            if not images.is_dir():
                yield f"{key}: has no folder {split}/, which the dataset's splits name; add it"
            elif not os.access(images, os.R_OK | os.X_OK):
                yield f"{key}: {split}/ cannot be read; give yourself permission"


@functools.cache
def listing_of(folder: str, splits: tuple[str, ...]) -> str:
    """A checksum of the names, sizes and times of what lies in these splits of `folder`; links are followed.

    It takes no look into the files: that of 140,000 is there in a second.

    Raises:
        OSError: a split cannot be read.
    """
    digest = hashlib.sha256()
    for split in splits:
        with os.scandir(Path(folder, split)) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                try:
                    found = entry.stat()
                except FileNotFoundError:  # a link that leads nowhere, which extract refuses
                    found = entry.stat(follow_symlinks=False)
                digest.update(os.fsencode(f"{split}/{entry.name}\0{found.st_size}\0{found.st_mtime_ns}\n"))
    return digest.hexdigest()
