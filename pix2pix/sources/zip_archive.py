"""Safe reading of the files in a zip archive, with the same rules as for a tar archive.

Files may be stored, or compressed by deflate or bzip2, which need little memory to decompress.
"""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pix2pix.sources.members import LARGEST_FILE, Files, Refuse, UnsoundError, Wanted, content_of, inside, too_large

MAGIC = (b"PK\x03\x04", b"PK\x05\x06")  # the second: an archive without files
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
# bytes of the list of files, which zipfile reads into memory and turns into objects of about ten times its size
LARGEST_LIST = 2**25
UTF8, ENCRYPTED = 0x800, 0x1  # bits of a file's flags
DAMAGE = (EOFError, zlib.error, zipfile.BadZipFile, struct.error, ValueError, NotImplementedError, OverflowError)


class _Limited(io.FileIO):
    """A file that refuses to read an excessively large list of files at once."""

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > LARGEST_LIST:
            raise UnsoundError(f"lists files in {size:,} bytes; at most {LARGEST_LIST:,} are allowed")
        return super().read(size)


def zip_files(archive: Path, wanted: Wanted, refuse: Refuse, whole: bool = False) -> Files:
    """Yield the name and content of each `wanted` file in a zip archive, in the order of its list of files.

    Args:
        archive: the archive.
        wanted: tells whether a file is to be read.
        refuse: called with a line for each member that is not a regular file inside the archive's folder.
        whole: whether to read and check the other files too.

    Raises:
        UnsoundError: the archive is truncated, damaged, or lists an excessive number of files.
    """
    count = 0
    with _damage_after(lambda: count), _Limited(archive) as file, zipfile.ZipFile(file) as members:
        for member in members.infolist():
            name = _name(member)
            path = inside(name, refuse)
            if path is None or member.is_dir():
                continue
            if problem := _problem(member):
                refuse(f"{name}: {problem}")
            elif member.file_size > LARGEST_FILE:
                refuse(too_large(name, member.file_size))
            elif (is_wanted := wanted(path)) or whole:
                with members.open(member) as content:
                    data = content_of(content)
                if is_wanted:
                    yield path, data
                    count += 1


@contextmanager
def _damage_after(count) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise UnsoundError(f"is truncated or damaged after {count()} images ({error})") from None


def _name(member: zipfile.ZipInfo) -> str:
    """The name as it is stored: zipfile cuts it at a zero byte, and reads it as cp437 unless it is marked as UTF-8."""
    name = member.orig_filename
    if not member.flag_bits & UTF8:
        # many programs write UTF-8 without the mark; other bytes become characters that are refused
        name = name.encode("cp437").decode("utf-8", "surrogateescape")
    return name.replace("\\", "/")  # written by some programs on Windows


def _problem(member: zipfile.ZipInfo) -> str | None:
    """Why a member is not a file that can be read."""
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        what = "link" if stat.S_ISLNK(kind) else "pipe" if stat.S_ISFIFO(kind) else "special file"
        return f"is a {what}; only files and folders are allowed"
    if member.flag_bits & ENCRYPTED:
        return "is encrypted: create the archive again without a password"
    if member.compress_type not in METHODS:
        return f"is compressed by method {member.compress_type}: create the archive again with deflate"
    return None
