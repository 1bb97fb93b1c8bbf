"""MindRecord files of paired pictures.

Column layout, one record a pair, in the order of the names:
    name  string  the picture's file name without its ending
    pair  bytes   the A|B picture's file as published, byte for byte (A left, B right)

A published JPEG stays a JPEG: the file is less than half the size of lossless halves and is
read faster, and what is decoded is by construction what Pillow decodes from the picture.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path

from mindspore.dataset import MindDataset, SubsetSampler
from mindspore.mindrecord import FileWriter

from pix2pix.errors import InputError
from pix2pix.files import natural_order, scratch_folder, sync
from pix2pix.progress import Progress

SCHEMA = {"name": {"type": "string"}, "pair": {"type": "bytes"}}


def split_files(folder: Path, shard: int = 1, shards: int = 1) -> list[Path]:
    """The pictures of a split that belong to shard `shard` of `shards` (from 1), in the order of the names."""
    files = sorted(folder.iterdir(), key=lambda file: natural_order(file.stem))
    first, last = (len(files) * part // shards for part in (shard - 1, shard))
    return files[first:last]


def write_records(files: list[Path], path: Path) -> None:
    """Write the pictures to `path` and `path`.db, both whole or not at all, and read them back.

    Raises:
        InputError: what is read back differs from the pictures.
        OSError: the disk is full.
    """
    checksums = {}
    # the index names its data file, so both are written under their own names in a scratch folder
    with scratch_folder(path) as scratch:
        written = scratch / path.name
        writer = FileWriter(str(written), shard_num=1, overwrite=True)
        writer.add_schema(SCHEMA, "A|B pairs as published")
        for file in Progress(files, desc=f"writing {path.name}", unit="pair"):
            pair = file.read_bytes()
            checksums[file.stem] = zlib.crc32(pair)
            writer.write_raw_data([{"name": file.stem, "pair": pair}])
        writer.commit()
        _check_records(written, checksums)
        sync(scratch)
        Path(f"{written}.db").replace(f"{path}.db")
        written.replace(path)


def _check_records(path: Path, checksums: dict[str, int]) -> None:
    found = {name: zlib.crc32(pair) for name, pair in iterate([path])}
    if found != checksums:
        raise InputError(
            f"{path.name}: reads back {len(found)} of {len(checksums)} pairs as written; is the disk sound?"
        )


def iterate(paths: list[Path], order: list[int] | None = None) -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes of the pair) of the records, in their order or in that of the indices `order`."""
    dataset = MindDataset(
        [str(path) for path in paths],
        columns_list=list(SCHEMA),
        shuffle=None if order is not None else False,
        sampler=None if order is None else SubsetSampler(order),
        num_parallel_workers=1,
    )
    for name, pair in dataset.create_tuple_iterator(num_epochs=1, output_numpy=True):
        yield str(name), pair.tobytes()


def count(paths: list[Path]) -> int:
    """How many pairs the files hold together.

    Raises:
        InputError: a file is damaged or no MindRecord file.
    """
    try:
        return MindDataset([str(path) for path in paths]).get_dataset_size()
    except RuntimeError:
        names = ", ".join(map(str, paths))
        raise InputError(
            f"{names}: no sound MindRecord file; delete it, so that the workflow writes it again"
        ) from None
