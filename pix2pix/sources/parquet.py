"""Pairs in parquet files, in the layout of paired image datasets on Hugging Face.

Each row has the columns imageA and imageB: structs whose field `bytes` is an image file. The name of a file, or of its
folder, starts with its split: train-00000-of-00002.parquet, validation-00000-of-00001.parquet, val/0000.parquet. Rows
are numbered in each split, in the order of the files' names.
"""

import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from pix2pix.sources.members import LARGEST_FILE, Files, Refuse, Wanted
from pix2pix.system.errors import InputError

COLUMNS = ("imageA", "imageB")
SPLIT = re.compile(r"(train|val|test)(idation)?([-_.]|$)")
ROWS = 16  # read at a time
Join = Callable[[bytes, bytes], bytes]


def parquet_files(join: Join, source: Path, wanted: Wanted, refuse: Refuse) -> Files:
    """Yield the rows as {split}/{number}.png, each made of its two images, or with why it is not a pair.

    Args:
        join: makes the file of a pair from those of its left and right half; raises an InputError with the
            problem if that is not possible.
        source: a parquet file, or a folder that contains some.
        wanted: tells whether a pair is to be read.
        refuse: not called, since nothing but rows can be wrong.

    Raises:
        InputError: pyarrow is not installed; there are no such files; one is damaged, lacks the columns, or does not
            tell its split.
    """
    try:
        pyarrow = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise InputError(
            f"{source}: parquet files need the package pyarrow: pip install 'pix2pix-snakemake[parquet]'"
        ) from None
    numbers: dict[str, int] = {}
    for path in _parquets(source):
        split = _split_of(path, source)
        for row, images in enumerate(_rows(pyarrow, path), 1):
            numbers[split] = numbers.get(split, 0) + 1
            name = PurePosixPath(split, f"{numbers[split]}.png")
            if not wanted(name):
                continue
            try:
                yield name, _pair(join, *images)
            except InputError as error:
                yield name, InputError(f"{path.name}: row {row}: {error}")


def _pair(join: Join, left: bytes | None, right: bytes | None) -> bytes:
    if not left or not right:
        raise InputError(f"has no bytes in {COLUMNS[0] if not left else COLUMNS[1]}")
    if (size := max(len(left), len(right))) > LARGEST_FILE:
        raise InputError(f"is too large for an image ({size:,} bytes)")
    return join(left, right)


def _parquets(source: Path) -> list[Path]:
    paths = sorted(source.rglob("*.parquet")) if source.is_dir() else [source]
    if not paths:
        raise InputError(f"{source}: contains no file *.parquet")
    return paths


def _split_of(path: Path, source: Path) -> str:
    for name in (path.name, path.parent.name if path != source else ""):
        if found := SPLIT.match(name):
            return found[1]
    raise InputError(f"{path}: the name must start with the split: rename it to train-{path.name}, for example")


def _rows(pyarrow: Any, path: Path) -> Iterator[list[bytes | None]]:
    try:
        with pyarrow.ParquetFile(path) as file:
            if missing := [column for column in COLUMNS if column not in file.schema_arrow.names]:
                raise InputError(
                    f"{path}: has no column {missing[0]}; it has {', '.join(file.schema_arrow.names)[:200]}"
                )
            for batch in file.iter_batches(ROWS, columns=list(COLUMNS)):
                for row in batch.to_pylist():
                    yield [_bytes(row[column]) for column in COLUMNS]
    except (ValueError, OSError, TypeError, KeyError, NotImplementedError) as error:  # the bases of pyarrow's errors
        if isinstance(error, OSError) and error.errno:
            raise
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: is not a parquet file, or is damaged ({reason})") from None


def _bytes(value: object) -> bytes | None:
    found = value.get("bytes") if isinstance(value, dict) else value
    return found if isinstance(found, bytes) else None
