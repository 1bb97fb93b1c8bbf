"""Draw the demo dataset: an archive of facades and their label maps, in the published layout.

Example:
    python scripts/draw_demo.py data/demo.tar.gz --train 96 --val 16
"""

from pathlib import Path

from pix2pix.demo.drawing import write_demo
from pix2pix.system.checksum import note_obtained, sha256_of
from pix2pix.system.errors import InputError
from pix2pix.system.program import command_line, run


def main() -> None:
    """Parse the flags and write the archive."""
    parser = command_line(__doc__)
    parser.add_argument("output", type=Path, help="the archive to write, for example data/demo.tar.gz")
    parser.add_argument("--train", type=int, default=96, help="pairs in train/ (default: %(default)s)")
    parser.add_argument("--val", type=int, default=16, help="pairs in val/ (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the houses (default: %(default)s)")
    parser.add_argument("--size", type=int, default=128, help="width of each half in pixels (default: %(default)s)")
    flags = parser.parse_args()
    least = {"train": 1, "val": 1, "seed": 0, "size": 16}
    wrong = [
        f"--{k}: {getattr(flags, k)} is too small: give {v} or more" for k, v in least.items() if getattr(flags, k) < v
    ]
    if wrong:
        raise InputError("\n".join(wrong))
    write_demo(flags.output, flags.train, flags.val, flags.seed, flags.size)
    note_obtained(sha256_of(flags.output), flags.output)


if __name__ == "__main__":
    run(main)
