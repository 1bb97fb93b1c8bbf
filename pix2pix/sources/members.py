"""What the files of archives and folders have in common: safe names, limits, and errors."""

import io
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import IO

from pix2pix.system.errors import InputError

LARGEST_FILE = 2**28  # bytes; image files are smaller, and larger files could fill the memory
LONGEST_NAME = 4096  # characters; no operating system has longer paths

Wanted = Callable[[PurePosixPath], bool]
Refuse = Callable[[str], None]
# the content of a file, or why it cannot be read, which may be tolerated
Files = Iterator[tuple[PurePosixPath, bytes | InputError]]


class UnsoundError(Exception):
    """Why an archive cannot be read; the message continues a sentence that starts with its name."""


def inside(name: str, refuse: Refuse) -> PurePosixPath | None:
    """Return the path of a file; None, after calling `refuse`, if it is unsafe or not plain text."""
    path = PurePosixPath(name)
    if len(name) > LONGEST_NAME:
        refuse(f"{name[:40]!r}...: has a name of {len(name):,} characters")
    elif path.is_absolute() or ".." in path.parts:
        refuse(f"{name!r}: leads outside the folder")
    elif any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        refuse(f"{name!r}: contains control characters or is not UTF-8 text")
    else:
        return path
    return None


def too_large(name: str, size: int) -> str:
    """The message about a file of more than LARGEST_FILE bytes."""
    return f"{name}: is too large for an image ({size:,} bytes)"


def content_of(member: IO[bytes]) -> bytes:
    """Read a whole file; a plain read() would need two to three times the memory."""
    content = io.BytesIO()
    shutil.copyfileobj(member, content, 2**20)
    return content.getvalue()
