"""Bring a file of weights from the first address that has it, whole and checked."""

import argparse

from pix2pix.config.flags import add_flags, read_flags
from pix2pix.data.download import Patience, fetch
from pix2pix.system.program import run


def main() -> None:
    """Parse the flags and download."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", help="the file to make; what has come so far is kept in OUTPUT.part")
    parser.add_argument(
        "--address",
        action="append",
        required=True,
        help="http(s):// or file:// address of the file; may be given several times, tried in order",
    )
    parser.add_argument("--sha256", help="the file's checksum (default: that in OUTPUT.sha256, if it is there)")
    add_flags(parser, Patience)
    arguments = parser.parse_args()
    fetch(arguments.address, arguments.output, arguments.sha256, read_flags(arguments, Patience))


if __name__ == "__main__":
    run(main)
