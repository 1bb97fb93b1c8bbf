"""Outputs that appear whole or not at all: written under another name, then renamed; and the order of names."""

import errno
import fcntl
import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

# in every scratch folder: whoever works there holds a lock on it, which ends with that process, however it ends
OWNER = ".owner"


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a path to write to; rename what is there to `path` when the block ends well.

    The block may make a file or a folder there. After an exception nothing is left of it and an
    older `path` stays as it was. The data reaches the disk before the name does, the name before
    this ends.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    path = Path(path)
    with scratch_folder(path) as folder:
        scratch = folder / path.name
        yield scratch
        sync(scratch)
        if scratch.is_dir() and path.exists():
            path.replace(folder / "before")
        scratch.replace(path)
        _sync_one(path.parent)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path`, `.NAME.XXXX.part`, to make `path` in; it is deleted when the block ends.

    Those that earlier processes left there, which were killed while they made the same `path`, are deleted first.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    folder, owner = _own_folder(path)
    try:
        yield folder
    except OSError as error:
        # a write to a full disk names no file, and nobody knows the scratch one
        if error.filename is None or str(error.filename).startswith(str(folder)):
            error.filename = str(path)
        raise
    finally:
        # a network file system keeps a name for a deleted file that is open
        os.close(owner)
        remove(folder)


def _own_folder(path: Path) -> tuple[Path, int]:
    """A new scratch folder and the open file whose lock keeps others from deleting it."""
    while True:
        folder = Path(mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
        with suppress(FileNotFoundError):
            owner = os.open(folder / OWNER, os.O_CREAT | os.O_RDWR)
            # another process may have found the folder before it was locked, and taken it for abandoned
            if _lock(owner) is not False and (folder / OWNER).exists():
                return folder, owner
            os.close(owner)


def _remove_abandoned(path: Path) -> None:
    """Delete the scratch folders of `path` that no living process works in; one of somebody else's may stay."""
    for found in path.parent.glob(f".{glob.escape(path.name)}.*part"):
        with suppress(OSError):
            if not found.is_dir():
                found.unlink()
                continue
            owner = os.open(found / OWNER, os.O_CREAT | os.O_RDWR)
            try:
                if _lock(owner):
                    remove(found)
            finally:
                os.close(owner)


def _lock(file: int) -> bool | None:
    """Lock an open file; False if another process holds it, None where the file system knows no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def sync(path: Path) -> None:
    """Return when a file, or a folder and all in it, is on the disk."""
    if path.is_file():
        _sync_one(path)
    for folder, _, files in os.walk(path):
        for name in files:
            _sync_one(Path(folder, name))
        _sync_one(Path(folder))


def _sync_one(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    except OSError as error:
        # what some network file systems say of a folder
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(file)


def remove(path: Path) -> None:
    """Delete a file or a whole folder; nothing happens where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def natural_order(name: str) -> tuple[int, str]:
    """Sort 2 before 10 among numbers, other names by the alphabet behind them."""
    return (0, name.zfill(20)) if name.isdigit() else (1, name)
