"""Splits that are listed in a file, for images that are not in one folder per split.

The file is in the archive or folder, and names images relative to itself:

    splits.csv     name,split          splits.json     {"train": ["images/1.jpg"],
                   images/1.jpg,train                   "val": ["images/2.jpg"]}
                   images/2.jpg,val
"""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from pix2pix.sources.members import Files, Refuse, Wanted
from pix2pix.system.errors import InputError

Reader = Callable[[Wanted, Refuse], Files]
ALIASES = {"validation": "val"}


def by_split_file(read: Reader, source: Path, split_file: str, wanted: Wanted, refuse: Refuse) -> Files:
    """Yield the listed files as {split}/{name}; other files are skipped, and their number is printed.

    Args:
        read: reads the source.
        source: the archive, folder or parquet file, for messages and to find the split file.
        split_file: its path in the source, which may be below one top folder.
        wanted: tells whether a file is to be read, by its new path.
        refuse: called with a line for each listed file that does not exist.

    Raises:
        InputError: there is no such split file, or it is not as described.
    """
    base, content = _find(read, source, split_file)
    table = _parse(content, f"{source}: {split_file}")
    left, skipped = dict(table), 0

    def listed(path: PurePosixPath) -> bool:
        nonlocal skipped
        name = str(path.relative_to(base)) if path.is_relative_to(base) else ""
        if name not in table:
            skipped += path.name != PurePosixPath(split_file).name
            return False
        left.pop(name, None)
        return wanted(PurePosixPath(table[name], path.name))

    for path, data in read(listed, refuse):
        yield PurePosixPath(table[str(path.relative_to(base))], path.name), data
    for name in left:
        refuse(f"{split_file} lists {name}, which does not exist")
    if skipped:
        files = "1 file" if skipped == 1 else f"{skipped} files"
        print(f"{source}: {files} skipped: not listed in {split_file}", file=sys.stderr)


def _find(read: Reader, source: Path, split_file: str) -> tuple[PurePosixPath, bytes]:
    """The folder that the listed names are relative to, and the content of the split file."""
    path = PurePosixPath(split_file)
    if source.suffix == ".parquet" or source.is_dir():
        on_disk = Path(source if source.is_dir() else source.parent, split_file)
        if on_disk.is_file():
            return path.parent, on_disk.read_bytes()
    else:
        for found, data in read(lambda each: PurePosixPath(*each.parts[-len(path.parts) :]) == path, lambda line: None):
            if isinstance(data, bytes):
                return found.parent, data
    raise InputError(f"{source}: contains no {split_file}")


def _parse(content: bytes, where: str) -> dict[str, str]:
    try:
        text = content.decode("utf-8-sig")
        pairs = list(_from_csv(text) if where.endswith(".csv") else _from_json(text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, csv.Error):
        raise InputError(
            f'{where}: must be a CSV file with the columns name and split, or a JSON file like {{"train": ["1.jpg"]}}'
        ) from None
    table: dict[str, str] = {}
    for name, split in pairs:
        name = str(PurePosixPath(name))
        if table.setdefault(name, split) != split:
            raise InputError(f"{where}: {name} is listed in two splits")
    return {name: ALIASES.get(split, split) for name, split in table.items()}


def _from_csv(text: str) -> Iterator[tuple[str, str]]:
    for row in csv.DictReader(io.StringIO(text)):
        yield row["name"].strip(), row["split"].strip()


def _from_json(text: str) -> Iterator[tuple[str, str]]:
    # a list of pairs keeps both of two equal keys
    for split, names in json.loads(text, object_pairs_hook=list):
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise TypeError(names)
        for name in names:
            yield name, split
