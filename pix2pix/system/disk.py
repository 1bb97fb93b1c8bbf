"""Room and permission to write: a full disk or a file in the way gives a one-line error, not a traceback."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pix2pix.system.errors import InputError

FULL = (errno.ENOSPC, errno.EDQUOT)


def nearest_folder(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists.

    Raises:
        InputError: something else is in the place of one of them.
    """
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(each))
    if not there.is_dir():
        raise InputError(f"{there}: {folder} must be a folder, and this is in the way: move it elsewhere")
    return there


def check_folder(folder: Path) -> None:
    """Check that files can be written to `folder`, which need not exist yet.

    Raises:
        InputError: something else is in its place or above it, or it is not writable.
    """
    there = nearest_folder(folder)
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"{there}: cannot be written to: change its permissions, or choose another folder")


def check_room(folder: Path, needed: float, what: str, remedy: str = "make room") -> None:
    """Check, before anything is written, that `needed` bytes fit into `folder`, which need not exist yet.

    Raises:
        InputError: they do not; the message says how much is missing and where.
    """
    free = free_bytes(folder)
    if needed > free:
        raise InputError(
            f"{folder}: {what}: {megabytes(needed)} are needed and {megabytes(free)} are free, so "
            f"{megabytes(needed - free)} are missing; {remedy} and start again"
        )


def free_bytes(folder: Path) -> int:
    """Free bytes of the file system of a folder that need not exist yet."""
    folder = folder.absolute()
    return shutil.disk_usage(next(each for each in (folder, *folder.parents) if each.exists())).free


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


def megabytes(size: float) -> str:
    """Format a number of bytes for display: `30.1 MB`, or `12.4 GB` from 10 GB on."""
    if size >= 1e10:
        return f"{size / 1e9:,.1f} GB"
    return f"{size / 1e6:,.1f} MB"
