"""Extract a dataset's archive, or copy a folder, into one folder per split, and check and count the pairs."""

import argparse
import sys
from typing import get_args

from pix2pix.config.flags import add_flags, read_flags
from pix2pix.config.settings import ThreadSettings
from pix2pix.config.values import Split
from pix2pix.data.extract import extract
from pix2pix.system.cores import use_cores
from pix2pix.system.errors import InputError
from pix2pix.system.program import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", help="a tar archive, or a folder with one folder per split")
    parser.add_argument("output", help="the folder to write")
    parser.add_argument(
        "--splits",
        nargs="+",
        required=True,
        metavar="SPLIT[=COUNT]",
        help="the splits to extract (train, val, test) and the number of pairs in each (default: at least one)",
    )
    parser.add_argument("--sha256", help="the archive's checksum (default: the one in SOURCE.sha256, if any)")
    add_flags(parser, ThreadSettings)
    arguments = parser.parse_args()
    splits = read_splits(arguments.splits)
    threads = use_cores(read_flags(arguments, ThreadSettings).threads)
    counts = extract(arguments.source, arguments.output, splits, arguments.sha256, threads)
    print(f"{arguments.output}: " + ", ".join(f"{n} {split}" for split, n in counts.items()), file=sys.stderr)


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
