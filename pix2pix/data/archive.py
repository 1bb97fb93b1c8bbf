"""Safe, sequential reading of the files in an archive or a folder: no path can lead outside the target folder.

Both sources yield names, with `/` as the separator, in a fixed order, and contents.
"""

import bz2
import gzip
import io
import lzma
import os
import shutil
import stat
import tarfile
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO

from pix2pix.system.checksum import record_of
from pix2pix.system.errors import InputError

LARGEST_FILE = 2**28  # bytes; image files are smaller, and larger files could fill the memory
# bytes of a long name or of extended attributes, which tarfile reads into memory and parses in quadratic time
LARGEST_HEADER = 2**14
LARGEST_WINDOW = 2**28  # bytes of memory that decoding an xz file may use; xz -9 needs a quarter of it
LONGEST_NAME = 4096  # characters; no operating system has longer paths
EXTENSIONS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
FOLDER_DEPTH = 3  # top folder, split, file: deeper files are not used
DAMAGE = (EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, ValueError)


class _XzFile(io.RawIOBase):
    """Like lzma.open, but decoding uses at most LARGEST_WINDOW bytes of memory."""

    def __init__(self, path: Path, _: str):
        self._file = open(path, "rb")  # noqa: SIM115 - closed by close()
        self._decoder, self._data = _new_decoder(), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._decoder.eof:
                # the streams of one file may be separated by zero bytes
                left = self._decoder.unused_data.lstrip(b"\0")
                while not left and (more := self._file.read(2**16)):
                    left = more.lstrip(b"\0")
                if not left:
                    return 0
                self._decoder, self._data = _new_decoder(), left
            elif self._decoder.needs_input and not self._data:
                self._data = self._file.read(2**16)
                if not self._data:
                    raise EOFError("it ends within a stream")
            data, self._data = self._data, b""
            if piece := self._decoder.decompress(data, len(buffer)):
                buffer[: len(piece)] = piece
                return len(piece)

    def close(self) -> None:
        self._file.close()
        super().close()


def _new_decoder() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=LARGEST_WINDOW)


OPENERS: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": _XzFile}
Wanted = Callable[[PurePosixPath], bool]
Refuse = Callable[[str], None]


class _UnsoundError(Exception):
    """Why an archive cannot be read; the message continues a sentence that starts with its name."""


_SPARSE = _UnsoundError("contains a sparse file, which cannot be an image: create it again without --sparse")


class _Header(tarfile.TarInfo):
    """A member's header; raises an error if it is invalid, missing or excessively large.

    tarfile treats unreadable data after the first member as the end of the archive, so a truncated
    archive would only look shorter. It also reads long names and attributes of any size.
    """

    @classmethod
    def frombuf(cls, *block: Any) -> "_Header":
        header = super().frombuf(*block)
        if header.type in EXTENSIONS and header.size > LARGEST_HEADER:
            raise _UnsoundError(f"has a header of {header.size:,} bytes; at most {LARGEST_HEADER:,} are allowed")
        if header.type == tarfile.GNUTYPE_SPARSE:
            raise _SPARSE
        return header

    def _proc_gnusparse_10(self, *_: object) -> None:
        """Reject a sparse file, instead of reading its map of holes, which may have any length."""
        raise _SPARSE

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> "_Header":
        try:
            return super().fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from None


def archive_files(archive: Path, wanted: Wanted, refuse: Refuse) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield the name and content of each `wanted` file in a tar archive (plain, gzip, bzip2 or xz).

    The archive is read once, sequentially, to its end. `refuse` is called with a line for each member
    that is not a regular file inside the archive's folder.

    Raises:
        InputError: the archive is empty, not a tar archive, truncated, damaged or excessively large.
    """
    try:
        yield from _files(archive, wanted, refuse)
    except _UnsoundError as error:
        record = record_of(archive)
        both = f"delete it and {record}" if record.exists() else "delete it"
        raise InputError(f"{archive}: {error}: {both}, and download it again") from None


def check_archive(archive: Path) -> None:
    """Read a tar archive to its end.

    Raises:
        InputError: the archive is empty, not a tar archive, truncated, damaged, or contains no file.
    """
    found: list[PurePosixPath] = []

    def note(path: PurePosixPath) -> bool:
        found[:] = [path]
        return False

    try:
        for _ in _files(archive, note, lambda line: None):
            pass
        if not found:
            raise _UnsoundError("contains no file")
    except _UnsoundError as error:
        raise InputError(f"{archive}: {error}") from None


def _files(archive: Path, wanted: Wanted, refuse: Refuse) -> Iterator[tuple[PurePosixPath, bytes]]:
    if archive.stat().st_size == 0:
        raise _UnsoundError("is empty (0 bytes)")
    count = 0
    try:
        with _uncompressed(archive) as stream, _open_tar(stream) as tar:
            for member in tar:
                # otherwise tarfile keeps every header of the archive in memory
                tar.members = []  # type: ignore[attr-defined]
                tar.pax_headers = {}
                path = _inside(member.name, refuse)
                if path is None or member.isdir():
                    continue
                if not member.isreg():
                    refuse(f"{member.name}: is a {_kind(member)}; only files and folders are allowed")
                elif member.size > LARGEST_FILE:
                    refuse(f"{member.name}: is too large for an image ({member.size:,} bytes)")
                elif wanted(path):
                    content = tar.extractfile(member)
                    assert content is not None  # since it is a regular file
                    yield path, _content(content)
                    count += 1
            while stream.read(2**20):
                pass  # a compressed file is known to be complete only at its end
    except DAMAGE as error:
        raise _damaged(count, error) from None
    except RecursionError:
        raise _UnsoundError("has too many headers for one file") from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged(count, error) from None


def _content(member: IO[bytes]) -> bytes:
    """Read a whole member; a plain read() would need two to three times the memory."""
    content = io.BytesIO()
    shutil.copyfileobj(member, content, 2**20)
    return content.getvalue()


def folder_files(folder: Path, wanted: Wanted, refuse: Refuse) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield the name and content of each `wanted` file in a folder; links are followed.

    `refuse` is called with a line for each broken link and each entry that is neither a file nor a
    folder.

    Raises:
        OSError: a folder or a file cannot be read.
    """
    for found, folders, files in os.walk(folder, onerror=_stop, followlinks=True):
        base = Path(found).relative_to(folder)
        folders.sort()
        if len(base.parts) >= FOLDER_DEPTH:
            folders.clear()
        for name in sorted(files):
            path = folder / base / name
            inside = _inside(str(base / name), refuse)
            if inside is None or not wanted(inside):
                continue
            if not path.exists():
                refuse(f"{inside}: is a broken link")
            elif not stat.S_ISREG(path.stat().st_mode):
                refuse(f"{inside}: is neither a file nor a folder")
            elif path.stat().st_size > LARGEST_FILE:
                refuse(f"{inside}: is too large for an image ({path.stat().st_size:,} bytes)")
            else:
                yield inside, path.read_bytes()


def _stop(error: OSError) -> None:
    """Raise an error that os.walk would ignore."""
    raise error


def _uncompressed(archive: Path) -> BinaryIO:
    with open(archive, "rb") as file:
        start = file.read(6)
    opener: Callable[..., Any] = next((each for magic, each in OPENERS.items() if start.startswith(magic)), open)
    return opener(archive, "rb")


def _open_tar(stream: BinaryIO) -> tarfile.TarFile:
    try:
        # r|: no seeking, since a seek in a compressed file restarts from its first byte
        return tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header)
    except tarfile.ReadError:
        raise _UnsoundError("is not a tar archive (.tar, .tar.gz, .tar.bz2, .tar.xz), or is incomplete") from None


def _inside(name: str, refuse: Refuse) -> PurePosixPath | None:
    """Return the path of a member; None, after calling `refuse`, if it is unsafe or not plain text."""
    path = PurePosixPath(name)
    if len(name) > LONGEST_NAME:
        refuse(f"{name[:40]!r}...: has a name of {len(name):,} characters")
    elif path.is_absolute() or ".." in path.parts:
        refuse(f"{name!r}: leads outside the folder")
    elif any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        refuse(f"{name!r}: contains characters that are not UTF-8 text")
    else:
        return path
    return None


def _kind(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return f"link to {member.linkname[:200]!r}"
    if member.isfifo():
        return "pipe"
    return "device" if member.isdev() else "special file"


def _damaged(count: int, error: Exception) -> _UnsoundError:
    return _UnsoundError(f"is truncated or damaged after {count} images ({error})")
