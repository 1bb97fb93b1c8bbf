"""Make the pairs of the cityscapes benchmark from the official packages leftImg8bit and gtFine (docs/datasets.md).

Example:
    python scripts/prepare_cityscapes.py leftImg8bit_trainvaltest.zip gtFine_trainvaltest.zip --out cityscapes
"""

import os
import sys
from pathlib import Path

from pix2pix.data.cityscapes import prepare_cityscapes
from pix2pix.system.disk import disk_space
from pix2pix.system.program import command_line, run


def main() -> None:
    """Parse the flags and write the pairs."""
    parser = command_line(__doc__)
    parser.add_argument("photos", type=Path, help="leftImg8bit_trainvaltest.zip, or the folder it was extracted to")
    parser.add_argument("labels", type=Path, help="gtFine_trainvaltest.zip, or the folder it was extracted to")
    parser.add_argument("--out", type=Path, required=True, help="the folder to create, with train/ and val/")
    flags = parser.parse_args()
    flags.out.parent.mkdir(parents=True, exist_ok=True)
    with disk_space(flags.out.parent):
        counts = prepare_cityscapes(flags.photos, flags.labels, flags.out, len(os.sched_getaffinity(0)))
    print(f"{flags.out}: " + ", ".join(f"{n} {split}" for split, n in counts.items()), file=sys.stderr)


if __name__ == "__main__":
    run(main)
