"""The disk space that a dataset will take, checked before the first byte of its archive is downloaded."""

import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import requests
from pydantic import Field

from pix2pix.config.values import Strict
from pix2pix.download.transfer import local_path, received_bytes
from pix2pix.system.disk import check_room, free_bytes, megabytes

Bytes = Annotated[float, Field(ge=0, allow_inf_nan=False)]
LONGEST_WAIT = 10.0  # seconds for a mirror to tell a size, which is only a forecast


class Room(Strict):
    """What follows the download, as far as it is known before."""

    data_factor: Bytes = Field(1.0, description="bytes that data/ will need at once, per byte of the archive")
    data_more: Bytes = Field(0.0, description="bytes that data/ will need beyond that")
    published: Bytes | None = Field(None, description="bytes of the archive, if no mirror tells")
    results: Bytes = Field(0.0, description="bytes that a training will need in results/")


def check_disks(addresses: Iterable[str], output: Path, room: Room, timeout: float) -> None:
    """Compare what the archive, its images and its records will take with what is free; report it.

    Only a warning says that a training will not fit into results/: perhaps none was requested.

    Raises:
        InputError: data/ has too little room.
    """
    size = announced_size(addresses, min(timeout, LONGEST_WAIT)) or room.published
    if size is None:
        print(f"{output}: no mirror tells its size, so disk space is not checked in advance", file=sys.stderr)
        return
    needed = room.data_factor * size + room.data_more
    print(
        f"{output}: {megabytes(size)}; with images and records {megabytes(needed)} at most in {output.parent}, where "
        f"{megabytes(free_bytes(output.parent))} are free",
        file=sys.stderr,
    )
    what = f"{output.name} ({megabytes(size)}), its images and its records do not fit"
    remedy = "make room, or set keep: {archive: false, pairs: false},"
    check_room(output.parent, needed - received_bytes(output), what, remedy)
    if room.results > free_bytes(Path("results")):
        print(
            f"warning: results: a training will need {megabytes(room.results)}, and "
            f"{megabytes(free_bytes(Path('results')))} are free",
            file=sys.stderr,
        )


def announced_size(addresses: Iterable[str], timeout: float) -> int | None:
    """Bytes of the file, as the first mirror that answers tells; None if none does."""
    for address in addresses:
        if address.startswith("file://"):
            with suppress(OSError):
                if local_path(address).is_file():
                    return local_path(address).stat().st_size
            continue
        try:
            found = requests.head(
                address, headers={"Accept-Encoding": "identity"}, timeout=timeout, allow_redirects=True
            )
            if found.status_code == 200 and (length := int(found.headers.get("Content-Length", "0"))) > 0:
                return length
        except (requests.RequestException, ValueError):  # ValueError: of an invalid header
            continue
    return None
