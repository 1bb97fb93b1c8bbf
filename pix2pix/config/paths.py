"""User-supplied files and folders: checks that they exist, and detection of changes in image folders."""

import functools
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from pix2pix.config.entries import Config, nearest
from pix2pix.config.values import is_address
from pix2pix.system.errors import InputError

INITIAL_KEYS = ("init_ckpt", "init_d_ckpt")
DEEPEST_LINK = 3  # folders above it; extraction reads no deeper


def check_paths(config: Config) -> None:
    """Check that the files and folders in the configuration exist; Snakemake does not once results exist.

    These are each dataset's folders, with a readable folder for each split, its lists and parquet files, the folders of
    inputs, and each run's ckpt, except those in results/, which the workflow creates.

    Raises:
        InputError: with one line per problem.
    """
    try:
        wrong = [*_folders(config), *_parquets(config), *_checkpoints(config), *_inputs(config)]
    except OSError as error:
        raise InputError(f"config: {error.filename}: {error.strerror}; correct the path or its permissions") from None
    if wrong:
        raise InputError("\n".join(wrong))


def _checkpoints(config: Config) -> Iterator[str]:
    for name, run in config.runs.items():
        if run.path and Path(run.path).parts[:1] != ("results",) and not Path(run.path).is_file():
            yield f"config: runs.{name}.ckpt: {run.path}: no such file; correct the path"
    entries = [(f"runs.{name}.", run) for name, run in config.runs.items()]
    for owner, each in [("", config), ("defaults.", config.defaults), *entries]:
        for key in INITIAL_KEYS:
            value = getattr(each, key)
            if value is None or value in config.runs or is_address(value) or Path(value).parts[:1] == ("results",):
                continue
            if not Path(value).is_file():
                near = nearest(value, config.runs)
                yield f"config: {owner}{key}: {value}: no such run or file{near}"


def _inputs(config: Config) -> Iterator[str]:
    for name, inputs in config.inputs.items():
        if not Path(inputs.folder).is_dir():
            yield f"config: inputs.{name}.folder: {inputs.folder}: no such folder; correct the path"
        elif not os.access(inputs.folder, os.R_OK | os.X_OK):
            yield f"config: inputs.{name}.folder: {inputs.folder}: cannot be read; change its permissions"


def _folders(config: Config) -> Iterator[str]:
    for name, dataset in config.datasets.items():
        for path in dataset.lists:
            if not Path(path).is_file():
                yield f"config: datasets.{name}: {path}: no such file; correct the path"
        for which in ("folder", "folder_a", "folder_b"):
            folder = getattr(dataset, which)
            if folder is not None:
                in_folders = dataset.split_kind == "folders" and not dataset.split_file
                splits = list(map(str, dataset.splits)) if in_folders else []
                yield from _folder(f"config: datasets.{name}.{which}: {folder}", folder, splits)
        if dataset.on_disk and dataset.split_file and Path(dataset.on_disk).exists():
            beside = _folder_of(dataset.on_disk)
            if not Path(beside, dataset.split_file).is_file():
                key = f"config: datasets.{name}.{'folder' if dataset.folder else 'parquet'}: {beside}"
                yield f"{key}: has no file {dataset.split_file}, which is the dataset's split_file; correct the path"


def _folder(key: str, folder: str, splits: list[str]) -> Iterator[str]:
    if not Path(folder).is_dir():
        yield f"{key}: no such folder; correct the path"
        return
    for split in splits or [""]:
        images = Path(folder, split)
        if not images.is_dir():
            yield f"{key}: has no folder {split}/, which is one of the dataset's splits; add it"
        elif not os.access(images, os.R_OK | os.X_OK):
            yield f"{key}: {split and f'{split}/ '}cannot be read; change its permissions"


def _parquets(config: Config) -> Iterator[str]:
    for name, dataset in config.datasets.items():
        if dataset.parquet is not None and not Path(dataset.parquet).exists():
            yield f"config: datasets.{name}.parquet: {dataset.parquet}: no such file or folder; correct the path"


def _folder_of(path: str) -> Path:
    """The folder itself, or that of a file."""
    return Path(path) if Path(path).is_dir() else Path(path).parent


@functools.cache
def listing_of_all(source: str, split_file: str | None = None) -> str:
    """Like listing_of, of a folder and all folders in it, or of a file and the split file beside it."""
    if Path(source).is_dir():
        return listing_of(source, tuple(sorted(os.path.relpath(found, source) for found in _all_folders(source))))
    files = [Path(source), *([_folder_of(source) / split_file] if split_file else [])]
    found = [f"{each.st_size} {each.st_mtime_ns}" for each in (file.stat() for file in files)]
    return hashlib.sha256(" ".join(found).encode()).hexdigest()


def _all_folders(top: str) -> Iterator[str]:
    """A folder and all folders in it; links are followed where images can be, but not in circles."""
    for found, folders, _ in os.walk(top, followlinks=True):
        if len(Path(found).relative_to(top).parts) >= DEEPEST_LINK:
            folders[:] = [name for name in folders if not Path(found, name).is_symlink()]
        yield found


@functools.cache
def listing_of(folder: str, splits: tuple[str, ...]) -> str:
    """Compute a checksum of the names, sizes and times of the files in these splits; links are followed.

    The files are not opened: 140,000 of them take about a second.

    Raises:
        OSError: a split cannot be read.
    """
    digest = hashlib.sha256()
    for split in splits:
        with os.scandir(Path(folder, split)) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                try:
                    found = entry.stat()
                except OSError:  # a broken link, or one to itself, which extract rejects
                    found = entry.stat(follow_symlinks=False)
                digest.update(os.fsencode(f"{split}/{entry.name}\0{found.st_size}\0{found.st_mtime_ns}\n"))
    return digest.hexdigest()
