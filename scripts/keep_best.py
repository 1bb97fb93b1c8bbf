"""Keep the generator that was best on held-out pairs during training.

Example:
    python scripts/keep_best.py results/demo/snapshots/Generator_best.ckpt Generator_16.ckpt
"""

from pathlib import Path

from pix2pix.system.checksum import copy_checked
from pix2pix.system.errors import InputError
from pix2pix.system.program import command_line, run


def main() -> None:
    """Parse the flags and copy the checkpoint."""
    parser = command_line(__doc__)
    parser.add_argument("snapshot", type=Path, help="the best generator's checkpoint, written by training")
    parser.add_argument("output", type=Path, help="the checkpoint to write")
    parser.add_argument("--apart", type=Path, help="the same from a training to fewer epochs, preferred if it exists")
    arguments = parser.parse_args()
    snapshot = arguments.apart if arguments.apart and arguments.apart.is_file() else arguments.snapshot
    if not snapshot.is_file():
        raise InputError(f"{snapshot}: training saved no best generator; set eval_epoch_freq and train again")
    copy_checked(snapshot, arguments.output)


if __name__ == "__main__":
    run(main)
