"""MindRecord files of paired images.

Column layout, one record per pair, in the order of the names:
    name  string  the image's file name without its ending
    pair  bytes   the A|B image's file as published, byte for byte (A left, B right)

A published JPEG stays a JPEG: the file is less than half the size of lossless halves and is
read faster, and what is decoded is by construction what Pillow decodes from the image.
"""

import errno
import hashlib
import os
import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from mindspore.dataset import MindDataset, SubsetSampler
from mindspore.mindrecord import FileWriter

from pix2pix.system.checksum import sha256_of
from pix2pix.system.disk import disk_space
from pix2pix.system.errors import InputError
from pix2pix.system.files import natural_order, scratch_folder, sync
from pix2pix.system.progress import Progress

SCHEMA = {"name": {"type": "string"}, "pair": {"type": "bytes"}}
HEADER = 2**24  # bytes of every MindRecord file before its first image
SPARE = 2**26  # bytes; more than MindRecord ever writes, or demands to be free, at once


def split_files(folder: Path, shard: int = 1, shards: int = 1) -> list[Path]:
    """The images of a split that belong to shard `shard` of `shards` (from 1), in the order of the names."""
    files = sorted(folder.iterdir(), key=lambda file: natural_order(file.stem))
    first, last = (len(files) * part // shards for part in (shard - 1, shard))
    return files[first:last]


def write_records(files: list[Path], path: Path) -> None:
    """Write the images to `path` and `path`.db, both whole or not at all, and read them back.

    Raises:
        InputError: what is read back differs from the images, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    needed = sum(file.stat().st_size for file in files) + HEADER
    # the index names its data file, so both are written under their own names in a scratch folder
    with disk_space(path.parent, needed), scratch_folder(path) as scratch:
        written = scratch / path.name
        try:
            _check_records(written, _write(files, written))
            _seal(written, len(files))
        except (RuntimeError, sqlite3.Error) as error:
            raise _unwritten(path, error) from None
        sync(scratch)
        _index(written).replace(_index(path))
        written.replace(path)


def _write(files: list[Path], path: Path) -> dict[str, int]:
    """Write the images and the index; returns a checksum of each by name."""
    checksums = {}
    writer = FileWriter(str(path), shard_num=1, overwrite=True)
    writer.add_schema(SCHEMA, "A|B pairs as published")
    for file in Progress(files, desc=f"writing {path.name}", unit="pair"):
        pair = file.read_bytes()
        checksums[file.stem] = zlib.crc32(pair)
        writer.write_raw_data([{"name": file.stem, "pair": pair}])
    writer.commit()
    return checksums


def _unwritten(path: Path, error: Exception) -> Exception:
    """What MindRecord's error amounts to: it gives no number for a full disk, and demands that some stays free."""
    if "No free disk" in str(error) or shutil.disk_usage(path.parent).free < SPARE:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return InputError(f"{path}: cannot be written: {_cause(error)}")


def _cause(error: Exception) -> str:
    """The line of MindSpore's page of text that says what is wrong."""
    lines = str(error).splitlines()
    return next((line for line in lines if line.startswith("[ERROR]")), lines[0] if lines else type(error).__name__)


def _check_records(path: Path, checksums: dict[str, int]) -> None:
    found = {name: zlib.crc32(pair) for name, pair in iterate([path])}
    if found != checksums:
        raise InputError(
            f"{path.name}: reads back {len(found)} of {len(checksums)} pairs as written; is the disk sound?"
        )


def _seal(path: Path, records: int) -> None:
    """Note in the index how many records there are, and checksums of the data and of the index itself."""
    with closing(sqlite3.connect(_index(path))) as index, index:
        facts = records, sha256_of(path), _rows(index)
        index.execute("CREATE TABLE WRITTEN(RECORDS INT, SHA256 TEXT, INDEX_SHA256 TEXT)")
        index.execute("INSERT INTO WRITTEN VALUES(?, ?, ?)", facts)


def _rows(index: sqlite3.Connection) -> str:
    """SHA-256 of all that MindRecord keeps in an index."""
    digest = hashlib.sha256()
    for line in index.iterdump():
        if "WRITTEN" not in line:
            digest.update(line.encode())
    return digest.hexdigest()


def iterate(paths: list[Path], order: list[int] | None = None) -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes of the pair) of the records, in their order or in that of the indices `order`.

    Raises:
        InputError: a file cannot be read as its index says.
    """
    try:
        dataset = MindDataset(
            [str(path) for path in paths],
            columns_list=list(SCHEMA),
            shuffle=None if order is not None else False,
            sampler=None if order is None else SubsetSampler(order),
            num_parallel_workers=1,
        )
        for name, pair in dataset.create_tuple_iterator(num_epochs=1, output_numpy=True):
            yield str(name), pair.tobytes()
    except RuntimeError as error:
        raise InputError(f"{', '.join(map(str, paths))}: cannot be read: {_cause(error)}") from None


def count(paths: list[Path]) -> int:
    """How many pairs the files hold together; all of each file is compared with the checksum in its index.

    Raises:
        InputError: a file is missing, damaged, not that of its index, or no MindRecord file.
    """
    for path in paths:
        _check_files(path)
        try:
            with closing(_open_index(path)) as index:
                facts = _facts(index)
                sound = facts is None or facts[2] == _rows(index)
        except (sqlite3.Error, UnicodeDecodeError):
            sound = False
        if not sound:
            raise _damaged(path, "its index is damaged")
        if facts and sha256_of(path) != facts[1]:
            raise _damaged(path, "is damaged, or not the file that its index was written for")
    return sum(map(_count_one, paths))


def place(paths: list[Path], number: int) -> str:
    """Where to find the record of this number, from 0, in files that were counted: `train.mindrecord: record 12`."""
    for path in paths:
        pairs = _count_one(path)
        if number < pairs:
            return f"{path}: record {number + 1}"
        number -= pairs
    raise IndexError(number)


def _count_one(path: Path) -> int:
    with closing(_open_index(path)) as index:
        facts = _facts(index)
    if facts:
        return facts[0]
    try:
        return MindDataset(str(path)).get_dataset_size()
    except RuntimeError:
        raise _damaged(path, "is damaged") from None


def _index(path: Path) -> Path:
    return path.with_name(f"{path.name}.db")


def _open_index(path: Path) -> sqlite3.Connection:
    # as what nobody changes: no lock is taken, which not every network file system has
    return sqlite3.connect(f"{_index(path).resolve().as_uri()}?mode=ro&immutable=1", uri=True)


def _facts(index: sqlite3.Connection) -> tuple[int, str, str] | None:
    """Number of records and checksums of data and index; None in files of the versions that did not note them."""
    if not index.execute("SELECT 1 FROM sqlite_master WHERE name = 'WRITTEN'").fetchone():
        return None
    return index.execute("SELECT * FROM WRITTEN").fetchone()


def _check_files(path: Path) -> None:
    """Whether there are a data file and an index, and the one looks like MindRecord's."""
    index = _index(path)
    if not path.exists():
        remedy = f": delete {index}, so that the workflow writes both again" if index.exists() else ""
        raise InputError(f"{path}: there is no such file{remedy}")
    if index.exists() and path.is_file():
        return
    if path.is_file():
        with open(path, "rb") as file:
            start = file.read(9)
        # the length of a JSON text, and its beginning
        if start[4:] == bytes(4) + b"{":
            raise InputError(f"{path}: its index {index.name} is missing: put it there, or delete {path} to make both")
    raise InputError(
        f"{path}: is not a MindRecord file; put A|B images in FOLDER/test/, run `python scripts/mindrecord.py "
        "FOLDER test.mindrecord --split test`, and give test.mindrecord"
    )


def _damaged(path: Path, what: str) -> InputError:
    return InputError(f"{path}: {what}; delete it and {_index(path)}, so that the workflow writes both again")
