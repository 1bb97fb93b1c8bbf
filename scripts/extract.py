"""Extract a dataset's archive, or copy a folder, into one folder per split, and check and count the pairs.

Example:
    python scripts/extract.py data/facades.tar.gz data/facades/pairs --splits train=400 val=100 test=106
"""

import sys
from pathlib import Path
from typing import get_args

from pix2pix.config.datasets import Tolerance
from pix2pix.config.flags import add_flags, read_flags
from pix2pix.config.settings import ThreadSettings
from pix2pix.config.values import Split
from pix2pix.data.extract import extract
from pix2pix.data.images import joined
from pix2pix.data.left_out import LEFT_OUT, read_left_out
from pix2pix.sources.reading import reader_of
from pix2pix.system.checksum import drop_obtained
from pix2pix.system.cores import use_cores
from pix2pix.system.errors import InputError
from pix2pix.system.program import command_line, run


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("source", help="an archive or a folder with one folder per split, or parquet files")
    parser.add_argument("output", help="the folder to write")
    parser.add_argument(
        "--splits",
        nargs="+",
        required=True,
        metavar="SPLIT[=COUNT]",
        help="the splits to extract (train, val, test) and the number of pairs in each (default: at least one)",
    )
    parser.add_argument("--sha256", help="the archive's checksum (default: the one in SOURCE.sha256, if any)")
    parser.add_argument("--split_file", help="a file in SOURCE that lists the splits, .csv or .json")
    parser.add_argument("--parquet", action="store_true", help="SOURCE is a parquet file, or a folder of them")
    parser.add_argument("--packed", action="store_true", help="write one zip file per split, not one file per pair")
    parser.add_argument("--drop_archive", action="store_true", help="at the end, delete SOURCE if it was downloaded")
    add_flags(parser, Tolerance)
    add_flags(parser, ThreadSettings)
    arguments = parser.parse_args()
    splits = read_splits(arguments.splits)
    threads = use_cores(read_flags(arguments, ThreadSettings).threads)
    tolerate = read_flags(arguments, Tolerance)
    source, output = Path(arguments.source), Path(arguments.output)
    read = reader_of(source, joined, arguments.split_file, arguments.parquet)
    counts = extract(source, output, splits, arguments.sha256, threads, tolerate, arguments.packed, read)
    print(f"{arguments.output}: " + ", ".join(f"{n} {split}" for split, n in counts.items()), file=sys.stderr)
    if left_out := read_left_out(Path(arguments.output).with_name(LEFT_OUT)):
        print(f"warning: {arguments.source}: tolerated: {left_out}", file=sys.stderr)
    if arguments.drop_archive and drop_obtained(Path(arguments.source)):
        print(f"{arguments.source}: dropped; it is made or downloaded again if it is needed", file=sys.stderr)


def read_splits(words: list[str]) -> dict[str, int | None]:
    """Parse `["train=400", "val"]` as `{"train": 400, "val": None}`.

    Raises:
        InputError: an unknown or repeated split, or an invalid count.
    """
    splits: dict[str, int | None] = {}
    for word in words:
        split, _, count = word.partition("=")
        if split not in get_args(Split) or split in splits:
            raise InputError(f"--splits: {word!r}: each of {', '.join(get_args(Split))} may be given once")
        if count in ("", "null"):
            splits[split] = None
        elif count.isdecimal() and int(count) > 0:
            splits[split] = int(count)
        else:
            raise InputError(f"--splits: {word!r}: the count must be at least 1, or null for any number")
    return splits


if __name__ == "__main__":
    run(main)
