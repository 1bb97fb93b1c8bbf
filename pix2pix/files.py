"""Outputs that appear whole or not at all: written under another name, then renamed; and the order of names."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a scratch path beside `path`; rename it to `path` when the block ends well.

    The block may make a file or a folder there. After an exception nothing is left of it and an
    older `path` stays as it was. The data reaches the disk before the name does.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.part")
    remove(scratch)
    try:
        yield scratch
        if scratch.is_dir():
            remove(path)
        else:
            with open(scratch, "rb") as written:
                os.fsync(written.fileno())
        scratch.replace(path)
    finally:
        remove(scratch)


def remove(path: Path) -> None:
    """Delete a file or a whole folder; nothing happens where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def natural_order(name: str) -> tuple[int, str]:
    """Sort 2 before 10 among numbers, other names by the alphabet behind them."""
    return (0, name.zfill(20)) if name.isdigit() else (1, name)
