"""Room on the disk: running out of it is one clear line, not a traceback."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pix2pix.system.errors import InputError

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def disk_space(folder: Path, needed: int | None = None) -> Iterator[None]:
    """Say which folder's disk is full, and what was free, where a write in the block finds it so.

    `needed` is what the block is going to write, in bytes, as far as that is known.

    Raises:
        InputError: the disk, or the user's share of it, is full.
    """
    free = shutil.disk_usage(folder).free
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        least = f"at least {megabytes(max(needed, free))} are needed and " if needed else ""
        raise InputError(
            f"{folder}: the disk is full: {least}{megabytes(free)} were free; make room and start again"
        ) from None


def megabytes(size: int) -> str:
    """A number of bytes for people: `30.1 MB`."""
    return f"{size / 1e6:,.1f} MB"
