r"""Download a dataset's archive from the first mirror that delivers it, and verify it.

Example:
    python scripts/download.py data/facades.tar.gz --dataset facades \
        --mirror http://efrosgans.eecs.berkeley.edu/pix2pix/datasets/{dataset}.tar.gz
"""

import os
import re
from pathlib import Path

from pix2pix.config.datasets import archive_addresses
from pix2pix.config.flags import add_flags, read_flags
from pix2pix.download.fetching import Patience, fetch
from pix2pix.download.room import Room, check_disks
from pix2pix.sources.archive import check_archive
from pix2pix.system.checksum import expected_of, note_obtained
from pix2pix.system.errors import InputError
from pix2pix.system.program import command_line, run


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("output", help="the archive to write; partial data is kept in OUTPUT.part")
    parser.add_argument("--dataset", required=True, help="the name that replaces {dataset} in mirrors")
    parser.add_argument(
        "--mirror",
        action="append",
        required=True,
        help="http(s):// or file:// address of the archive, or of the folder that contains {dataset}.tar.gz; "
        "may be repeated; tried in order",
    )
    parser.add_argument("--sha256", help="the archive's checksum (default: the one in OUTPUT.sha256, if any)")
    parser.add_argument(
        "--token_env",
        metavar="NAME",
        help="the environment variable with a token for the mirrors, sent over https only",
    )
    add_flags(parser, Patience)
    add_flags(parser, Room)
    arguments = parser.parse_args()
    output, found = Path(arguments.output), Path(arguments.output).exists()
    # a file that exists is only verified
    token = read_token(arguments.token_env) if arguments.token_env and not found else None
    mirrors = archive_addresses(arguments.mirror, arguments.dataset)
    room = read_flags(arguments, Room)
    if not found and room != Room():
        check_disks(mirrors, output, room, read_flags(arguments, Patience).timeout)
    fetch(mirrors, output, arguments.sha256, read_flags(arguments, Patience), check_archive, token)
    if not found and (known := expected_of(output, None)):
        note_obtained(known.sha256, output)


def read_token(name: str) -> str:
    """Return the token in an environment variable, without surrounding white space.

    Raises:
        InputError: the variable is not set or its content cannot be a token; the message does not contain it.
    """
    token = os.environ.get(name, "").strip()
    if not token:
        raise InputError(f"token_env: the environment variable {name} is not set: set it to the token of the server")
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise InputError(f"token_env: the environment variable {name} contains other characters than those of a token")
    return token


if __name__ == "__main__":
    run(main)
