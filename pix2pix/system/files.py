"""Atomic outputs (written under a temporary name, then renamed) and natural sorting of names."""

import ctypes
import errno
import fcntl
import glob
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

from pix2pix.system.errors import InputError

# a file in every scratch folder; the process that uses the folder locks it, and the system releases the lock
# when that process ends
OWNER = ".owner"
NAMED_AT_MOST = 240  # bytes of NAME in .NAME.XXXXXXXX.part: Linux allows 255 in all
MANY_FILES = 1000  # flushing one by one takes longer than flushing the file system


@contextmanager
def replacing(path: str | Path, made: Sequence[str] = ()) -> Iterator[Path]:
    """Yield a temporary path to write to, and rename it to `path` when the block succeeds.

    The block may create a file or a folder. After an exception the temporary data is deleted and an
    existing `path` is unchanged. The data is synced to disk before the rename, and the rename before
    this returns.

    An existing folder is replaced only if it is empty or an earlier output: if it contains the first name of `made`
    and no others than these. If it is a symbolic link, its target is replaced.

    Raises:
        InputError: `path` has no name.
        OSError: `path` is a folder that contains something else, the disk is full or the folder cannot be written.
    """
    path = Path(path)
    if path.name in ("", ".."):
        raise InputError(f"{path}: cannot be replaced by an output: name a folder or a file")
    if made and path.is_symlink():
        path = path.resolve()
    _check_replaceable(path, made)
    with scratch_folder(path) as folder:
        scratch = folder / path.name
        yield scratch
        sync(scratch)
        if scratch.is_dir() and path.exists():
            path.replace(folder / "before")
        scratch.replace(path)
        _sync_one(path.parent)


def _check_replaceable(path: Path, made: Sequence[str]) -> None:
    # Snakemake writes its file into the folders that jobs make
    there = {each.name for each in path.iterdir()} - {".snakemake_timestamp"} if path.is_dir() else set()
    if there and not (made and made[0] in there and there <= {*made}):
        other = min(there - {*made}, default=min(there))
        raise FileExistsError(errno.EEXIST, f"exists already and contains {other}", str(path))


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder `.NAME.XXXX.part` next to `path` to create `path` in; delete it when the block ends.

    A long NAME is cut.
    Folders left behind by processes that were killed while they created the same `path` are deleted first.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    folder, owner = _own_folder(path)
    try:
        yield folder
    except OSError as error:
        # a write to a full disk reports no file name, and the scratch name means nothing to the user
        if error.filename is None or str(error.filename).startswith(str(folder)):
            error.filename = str(path)
        raise
    finally:
        # close first: network file systems keep an entry for a deleted file that is still open
        os.close(owner)
        remove(folder)


def _own_folder(path: Path) -> tuple[Path, int]:
    """Create a scratch folder; return it and the open lock file that keeps other processes from deleting it."""
    while True:
        folder = Path(mkdtemp(dir=path.parent, prefix=_start(path), suffix=".part"))
        with suppress(FileNotFoundError):
            owner = os.open(folder / OWNER, os.O_CREAT | os.O_RDWR)
            # another process may have found the folder before it was locked, and deleted it as abandoned
            if _lock(owner) is not False and (folder / OWNER).exists():
                return folder, owner
            os.close(owner)


def _start(path: Path) -> str:
    """What the names of the scratch folders of `path` start with."""
    return f".{os.fsdecode(os.fsencode(path.name)[:NAMED_AT_MOST])}."


def _remove_abandoned(path: Path) -> None:
    remove_scratch(path.parent, f"{glob.escape(_start(path))}*part")


def remove_scratch(folder: Path, pattern: str = ".*part") -> None:
    """Delete the scratch folders in a folder that no process uses; those of other users may remain."""
    for found in folder.glob(pattern):
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
    """Lock an open file; False if another process holds the lock, None if the file system has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def sync(path: Path) -> None:
    """Flush a file, or a folder and everything in it, to disk."""
    if path.is_file():
        _sync_one(path)
        return
    folders = {Path(folder): files for folder, _, files in os.walk(path)}
    if sum(map(len, folders.values())) >= MANY_FILES and _sync_file_system(path):
        return
    for folder, files in folders.items():
        for name in files:
            _sync_one(folder / name)
        _sync_one(folder)


def _sync_file_system(path: Path) -> bool:
    """Flush the whole file system that `path` is on (Linux's syncfs); False if that is not possible."""
    file = os.open(path, os.O_RDONLY)
    try:
        return ctypes.CDLL(None).syncfs(file) == 0
    except AttributeError:
        return False
    finally:
        os.close(file)


def _sync_one(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    except OSError as error:
        # some network file systems cannot sync a folder
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(file)


def remove(path: Path) -> None:
    """Delete a file or a whole folder; do nothing if it does not exist."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def natural_order(name: str) -> tuple[int, str, str]:
    """Sort key that puts 2 before 10, and other names in alphabetical order after the numbers."""
    # the name itself decides between 2 and 02
    return (0, name.zfill(20), name) if name.isdigit() else (1, name, name)
