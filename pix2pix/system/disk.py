"""Disk space: a full disk gives a one-line error, not a traceback."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pix2pix.system.errors import InputError

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def disk_space(folder: Path, needed: int | None = None) -> Iterator[None]:
    """Turn a disk-full error in the block into a message with the folder and the space that was free.

    `needed` is the number of bytes that the block will write, if known.

    Raises:
        InputError: the disk is full, or the user's quota is used up.
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
    """Format a number of bytes for display: `30.1 MB`."""
    return f"{size / 1e6:,.1f} MB"
