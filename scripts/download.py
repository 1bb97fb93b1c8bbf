"""Download a dataset's archive from the first mirror that delivers it, and verify it."""

import argparse
from pathlib import Path

from pix2pix.config.flags import add_flags, read_flags
from pix2pix.download.fetching import Patience, archive_addresses, fetch
from pix2pix.sources.archive import check_archive
from pix2pix.system.checksum import expected_of, note_obtained
from pix2pix.system.program import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
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
    add_flags(parser, Patience)
    arguments = parser.parse_args()
    output, found = Path(arguments.output), Path(arguments.output).exists()
    mirrors = archive_addresses(arguments.mirror, arguments.dataset)
    fetch(mirrors, output, arguments.sha256, read_flags(arguments, Patience), check_archive)
    if not found and (known := expected_of(output, None)):
        note_obtained(known.sha256, output)


if __name__ == "__main__":
    run(main)
