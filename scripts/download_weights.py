r"""Download a weights file from the first address that delivers it, and verify it.

Example:
    python scripts/download_weights.py data/weights/mine/Generator_200.ckpt \
        --address https://example.org/Generator_200.ckpt
"""

from pix2pix.config.flags import add_flags, read_flags
from pix2pix.download.fetching import Patience, fetch
from pix2pix.system.program import command_line, run


def main() -> None:
    """Parse the flags and download."""
    parser = command_line(__doc__)
    parser.add_argument("output", help="the file to write; partial data is kept in OUTPUT.part")
    parser.add_argument(
        "--address",
        action="append",
        required=True,
        help="http(s):// or file:// address of the file; may be repeated; tried in order",
    )
    parser.add_argument("--sha256", help="the file's checksum (default: the one in OUTPUT.sha256, if any)")
    add_flags(parser, Patience)
    arguments = parser.parse_args()
    fetch(arguments.address, arguments.output, arguments.sha256, read_flags(arguments, Patience))


if __name__ == "__main__":
    run(main)
