"""Lists that a user writes: pairs of images (CSV), and the names of a split; and a checksum of what they name."""

import csv
import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pix2pix.config.datasets import DatasetSettings
from pix2pix.system.checksum import sha256_of
from pix2pix.system.errors import InputError

COLUMNS = ("a", "b")


@dataclass(frozen=True)
class ListedPair:
    """A row of a list of pairs; `split` is empty if the list has no such column."""

    where: str  # "pairs.csv: line 3"
    a: Path
    b: Path
    split: str = ""


def read_pairs(path: Path, needs_split: bool) -> list[ListedPair]:
    """Read a CSV file with the columns a, b and, if needed, split; paths are relative to the file.

    Raises:
        InputError: the file is missing, is not UTF-8, has no such column, or a row lacks a value.
    """
    columns = (*COLUMNS, "split") if needs_split else COLUMNS
    reader = csv.DictReader(_lines(path), skipinitialspace=True)
    if missing := [column for column in columns if column not in (reader.fieldnames or ())]:
        has = ", ".join(reader.fieldnames or ()) or "none"
        needed = "its first line must name the columns a,b,split, or a,b if splits has fractions"
        raise InputError(f"{path}: has no column {missing[0]} (it has {has}): {needed}")
    rows = []
    try:
        for row in reader:
            where = f"{path}: line {reader.line_num}"
            values = [(row[column] or "").strip() for column in columns]
            if not all(values):
                raise InputError(f"{where}: has no value for {columns[values.index('')]}")
            a, b, *split = values
            rows.append(ListedPair(where, path.parent / a, path.parent / b, *split))
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: {error}") from None
    return rows


def read_names(path: Path) -> list[str]:
    """Read a list of names, one per line; empty lines are ignored.

    Raises:
        InputError: the file is missing, is not UTF-8 or has no names.
    """
    names = [line.strip() for line in _lines(path) if line.strip()]
    if not names:
        raise InputError(f"{path}: lists no names: write one per line")
    return names


def _lines(path: Path) -> list[str]:
    try:
        # with or without a byte order mark
        return list(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 (byte {error.start}): save it as UTF-8") from None


def files_digest(dataset: DatasetSettings) -> str:
    """A checksum of the lists of a dataset of separate images, and of the names, sizes and times of its images.

    The images are not opened.

    Raises:
        InputError: a list is damaged.
        OSError: a folder cannot be read.
    """
    digest = hashlib.sha256()
    for path in dataset.lists:
        digest.update(os.fsencode(f"{path}\0{sha256_of(Path(path))}\n"))
    for file in _files(dataset):
        try:
            found = Path(file).stat()
            digest.update(os.fsencode(f"{file}\0{found.st_size}\0{found.st_mtime_ns}\n"))
        except (OSError, ValueError):  # the rule pair says what is wrong with a path
            digest.update(os.fsencode(f"{file}\0missing\n"))
    return digest.hexdigest()


def _files(dataset: DatasetSettings) -> Iterator[str]:
    if dataset.pairs:
        for row in read_pairs(Path(dataset.pairs), dataset.split_kind == "folders"):
            yield from (str(row.a), str(row.b))
    for folder in (dataset.folder_a, dataset.folder_b):
        parts: Iterable[str] = dataset.splits if dataset.split_kind == "folders" else [""]
        for part in parts if folder else ():
            with os.scandir(Path(str(folder), part)) as entries:
                yield from sorted(entry.path for entry in entries)
