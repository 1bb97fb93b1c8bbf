"""MindRecord files of paired images.

One record per pair, sorted by name, with these columns:
    name  string  the image's file name without its extension
    pair  bytes   the file of the A|B image (A left, B right), byte for byte

JPEG files are stored unchanged: they have less than half the size of lossless halves and are faster
to read, and decoding gives the same pixels as decoding the original file.
"""

import errno
import hashlib
import os
import shutil
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from mindspore.dataset import MindDataset, SubsetSampler
from mindspore.mindrecord import FileWriter

from pix2pix.data.left_out import LeftOut
from pix2pix.data.packing import Pair, size_of
from pix2pix.system.checksum import remember, remembered_sha256, sha256_of
from pix2pix.system.disk import check_room, disk_space
from pix2pix.system.errors import InputError
from pix2pix.system.files import scratch_folder, sync
from pix2pix.system.progress import Progress

SCHEMA = {"name": {"type": "string"}, "pair": {"type": "bytes"}}
HEADER = 2**24  # bytes before the first image in every MindRecord file
AT_ONCE = 2**22  # bytes of images given to MindRecord's writer in one call; one image a call takes four times as long
SPARE = 2**26  # bytes; more than MindRecord writes at once, or requires to be free


def write_records(files: Sequence[Pair], path: Path, left_out: LeftOut | None = None) -> None:
    """Write the images to `path` and `path`.db, atomically, and read them back.

    `left_out`: what the dataset is used without; stored in the index.

    Raises:
        InputError: the data read back differs from the images, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    needed = sum(map(size_of, files)) + HEADER
    check_room(path.parent, needed, f"{path.name} does not fit")
    # the index contains the name of its data file, so both are written under their final names in a scratch folder
    with disk_space(path.parent, needed), scratch_folder(path) as scratch:
        written = scratch / path.name
        try:
            _check_records(written, _write(files, written))
            digest = _seal(written, len(files), left_out)
        except (RuntimeError, sqlite3.Error) as error:
            raise _unwritten(path, error) from None
        sync(scratch)
        _index(written).replace(_index(path))
        written.replace(path)
    remember(path, digest)


def _write(files: Sequence[Pair], path: Path) -> dict[str, int]:
    """Write the images and the index; return a checksum per name."""
    checksums = {}
    writer = FileWriter(str(path), shard_num=1, overwrite=True)
    writer.add_schema(SCHEMA, "A|B pairs as published")
    rows, size = [], 0
    for file in Progress(files, desc=f"writing {path.name}", unit="pair"):
        pair = file.read_bytes()
        if file.stem in checksums:
            raise InputError(f"{path.name}: two pairs are named {file.stem}: names must be unique; rename one")
        checksums[file.stem] = zlib.crc32(pair)
        rows.append({"name": file.stem, "pair": pair})
        size += len(pair)
        if size >= AT_ONCE:
            writer.write_raw_data(rows)
            rows, size = [], 0
    if rows:
        writer.write_raw_data(rows)
    writer.commit()
    return checksums


def _unwritten(path: Path, error: Exception) -> Exception:
    """Interpret an error of MindRecord, which has no error number for a full disk and requires some free space."""
    if "No free disk" in str(error) or shutil.disk_usage(path.parent).free < SPARE:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return InputError(f"{path}: cannot be written: {_cause(error)}")


def _cause(error: Exception) -> str:
    """The line of MindSpore's long message that states the cause."""
    lines = str(error).splitlines()
    return next((line for line in lines if line.startswith("[ERROR]")), lines[0] if lines else type(error).__name__)


def _check_records(path: Path, checksums: dict[str, int]) -> None:
    found = {name: zlib.crc32(pair) for name, pair in iterate([path])}
    if found != checksums:
        raise InputError(
            f"{path.name}: only {len(found)} of {len(checksums)} pairs could be read back as written; check the disk"
        )


def _seal(path: Path, records: int, left_out: LeftOut | None = None) -> str:
    """Store the number of records, what was left out, and the checksums of data and index in the index.

    Returns the checksum of the data.
    """
    digest = sha256_of(path)
    with closing(sqlite3.connect(_index(path))) as index, index:
        if left_out:
            index.execute("CREATE TABLE LEFT_OUT(JSON TEXT)")
            index.execute("INSERT INTO LEFT_OUT VALUES(?)", (left_out.model_dump_json(),))
        facts = records, digest, _rows(index)
        index.execute("CREATE TABLE WRITTEN(RECORDS INT, SHA256 TEXT, INDEX_SHA256 TEXT)")
        index.execute("INSERT INTO WRITTEN VALUES(?, ?, ?)", facts)
    return digest


def _rows(index: sqlite3.Connection) -> str:
    """SHA-256 of everything that MindRecord stores in an index."""
    digest = hashlib.sha256()
    for line in index.iterdump():
        if "WRITTEN" not in line:
            digest.update(line.encode())
    return digest.hexdigest()


def iterate(paths: list[Path], order: list[int] | None = None) -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes of the pair) of the records, in file order or in the order of the indices `order`.

    Raises:
        InputError: a file cannot be read, or does not match its index.
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
    """Count the pairs in the files; each file is verified against the checksum in its index.

    The checksum of a file is computed again only if the file has changed (pix2pix.system.checksum).

    Raises:
        InputError: a file is missing, damaged, does not match its index, or is not a MindRecord file.
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
        if facts and remembered_sha256(path) != facts[1]:
            raise _damaged(path, "is damaged, or does not belong to its index")
    return sum(map(_count_one, paths))


def left_out_of(paths: list[Path]) -> LeftOut | None:
    """What the dataset of the files is used without; None if nothing was left out.

    Raises:
        InputError: like `count`, which checks the files first.
    """
    count(paths)
    with closing(_open_index(paths[0])) as index:
        if not _has_table(index, "LEFT_OUT"):
            return None
        [text] = index.execute("SELECT JSON FROM LEFT_OUT").fetchone()
    return LeftOut.model_validate_json(text)


def place(paths: list[Path], number: int) -> str:
    """The location of a record, by number (from 0), in verified files: `train.mindrecord: record 12`."""
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
    # immutable: SQLite takes no lock, which some network file systems do not support
    return sqlite3.connect(f"{_index(path).resolve().as_uri()}?mode=ro&immutable=1", uri=True)


def _facts(index: sqlite3.Connection) -> tuple[int, str, str] | None:
    """Number of records and checksums of data and index; None in files of earlier versions, which lack them."""
    if not _has_table(index, "WRITTEN"):
        return None
    return index.execute("SELECT * FROM WRITTEN").fetchone()


def _has_table(index: sqlite3.Connection, name: str) -> bool:
    return index.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is not None


def _check_files(path: Path) -> None:
    """Check that the data file and the index exist; explain what is missing."""
    index = _index(path)
    if not path.exists():
        remedy = f": delete {index}, so that the workflow writes both again" if index.exists() else ""
        raise InputError(f"{path}: no such file{remedy}")
    if index.exists() and path.is_file():
        return
    if path.is_file():
        with open(path, "rb") as file:
            start = file.read(9)
        # the length of a JSON text, and its first character
        if start[4:] == bytes(4) + b"{":
            raise InputError(f"{path}: its index {index.name} is missing: restore it, or delete {path} to write both")
    raise InputError(
        f"{path}: is not a MindRecord file; put A|B images in FOLDER/test/, run `python scripts/mindrecord.py "
        "FOLDER test.mindrecord --split test`, and give test.mindrecord"
    )


def _damaged(path: Path, what: str) -> InputError:
    return InputError(f"{path}: {what}; delete it and {_index(path)}, so that the workflow writes both again")
