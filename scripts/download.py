"""Bring a dataset's archive from the first mirror that has it, whole and checked."""

import argparse
from typing import Annotated

from pydantic import Field

from pix2pix.fetch import archive_addresses, fetch
from pix2pix.program import add_flags, read_flags, run
from pix2pix.settings import Strict
from pix2pix.values import NotNegative


class Patience(Strict):
    """How long to wait for a bad network."""

    pause: NotNegative = Field(1.0, description="seconds between the first tries, doubled each time")
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        30.0, description="seconds to wait for an answer or the next byte"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", help="the archive to make; what has come so far is kept in OUTPUT.part")
    parser.add_argument("--dataset", required=True, help="the name that {dataset} in a mirror stands for")
    parser.add_argument(
        "--mirror",
        action="append",
        required=True,
        help="http(s):// or file:// address of the archive, or of the folder that holds {dataset}.tar.gz; "
        "may be given several times, tried in order",
    )
    parser.add_argument("--sha256", help="the archive's checksum (default: that in OUTPUT.sha256, if it is there)")
    add_flags(parser, Patience)
    arguments = parser.parse_args()
    patience = read_flags(arguments, Patience)
    mirrors = archive_addresses(arguments.mirror, arguments.dataset)
    fetch(mirrors, arguments.output, arguments.sha256, patience.pause, patience.timeout)


if __name__ == "__main__":
    run(main)
