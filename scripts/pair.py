r"""Make pairs of the images in two folders, or of those in a list: an archive of A|B images in splits.

Example:
    python scripts/pair.py data/mine.tar.gz --folder_a photos --folder_b labels --left_out unpaired.csv \
        --splits train=0.8 val=0.2
"""

import sys
from collections import Counter
from pathlib import Path
from typing import get_args

from pix2pix.config.datasets import ROUNDING
from pix2pix.config.flags import add_flags, read_flags
from pix2pix.config.settings import ThreadSettings
from pix2pix.config.values import Split
from pix2pix.pairing.archive import write_pairs
from pix2pix.pairing.lists import read_pairs
from pix2pix.pairing.partners import Pair, Splits, pairs_of_folders, pairs_of_list
from pix2pix.system.checksum import note_obtained, sha256_of
from pix2pix.system.cores import use_cores
from pix2pix.system.errors import InputError
from pix2pix.system.program import command_line, run

SHOWN = 10


def main() -> None:
    """Parse the flags and write the archive."""
    parser = command_line(__doc__)
    parser.add_argument("output", type=Path, help="the archive to write, for example data/mine.tar.gz")
    parser.add_argument("--folder_a", type=Path, help="a folder of images A")
    parser.add_argument("--folder_b", type=Path, help="a folder of images B, with the same names")
    parser.add_argument("--pairs", type=Path, help="or a CSV file with the columns a, b and split")
    parser.add_argument("--left_out", type=Path, required=True, help="the table to write of what was left out")
    parser.add_argument(
        "--splits",
        nargs="+",
        required=True,
        metavar="SPLIT[=FRACTION|=@LIST]",
        help="the splits: folders of that name in both folders (or in the column split), fractions that add up to 1, "
        "or lists of names",
    )
    parser.add_argument("--labels_b", action="store_true", help="images B are label maps")
    add_flags(parser, ThreadSettings)
    arguments = parser.parse_args()
    splits = read_splits(arguments.splits)
    left_out: list[str] = []
    threads = use_cores(read_flags(arguments, ThreadSettings).threads)
    if arguments.pairs:
        pairs = pairs_of_list(read_pairs(arguments.pairs, None in splits.values()), splits, left_out.append)
    elif arguments.folder_a and arguments.folder_b:
        pairs = pairs_of_folders(arguments.folder_a, arguments.folder_b, splits, left_out.append)
    else:
        raise InputError("--folder_a and --folder_b, or --pairs: must be given")
    check_splits(splits, pairs, left_out)
    counts = write_pairs(pairs, left_out, arguments.output, arguments.left_out, arguments.labels_b, threads)
    note_obtained(sha256_of(arguments.output), arguments.output)
    done = ", ".join(f"{counts.get(split, 0)} {split}" for split in splits)
    print(f"{arguments.output}: {done}, {len(left_out)} left out", file=sys.stderr)


def check_splits(splits: Splits, pairs: list[Pair], left_out: list[str]) -> None:
    """Check that every split gets pairs.

    Raises:
        InputError: with one line for each that does not, and the first reasons why images were left out.
    """
    counts = Counter(pair.split for pair in pairs)
    empty = [f"split {split} gets none of {len(pairs)} pairs" for split in splits if not counts[split]]
    if empty:
        raise InputError("\n".join([*empty, *left_out[:SHOWN]]))


def read_splits(words: list[str]) -> Splits:
    """Parse `["train=0.8", "val=0.2"]`, `["train=@train.txt", "val=@val.txt"]` or `["train", "val"]`.

    Raises:
        InputError: an unknown or repeated split, or an invalid fraction.
    """
    splits: dict[str, float | Path | None] = {}
    for word in words:
        split, _, value = word.partition("=")
        if split not in get_args(Split) or split in splits:
            raise InputError(f"--splits: {word!r}: each of {', '.join(get_args(Split))} may be given once")
        try:
            splits[split] = Path(value[1:]) if value.startswith("@") else float(value) if value else None
        except ValueError:
            raise InputError(f"--splits: {word!r}: must be a fraction, or @ and the path of a list") from None
    if len({type(value) for value in splits.values()}) > 1:
        raise InputError("--splits: must all be folders, all fractions, or all lists")
    fractions = [value for value in splits.values() if isinstance(value, float)]
    if fractions and not (min(fractions) > 0 and abs(sum(fractions) - 1) <= ROUNDING):
        raise InputError("--splits: must be fractions greater than 0 that add up to 1")
    return splits


if __name__ == "__main__":
    run(main)
