"""Files out of an archive or a folder, one after the other, none of which can leave where it is put.

Both sources give the same: names with `/` between their parts, in a fixed order, and contents.
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

LARGEST_FILE = 2**28  # bytes; what holds one image is smaller, what is larger would fill the memory
# bytes of a long name or of extended attributes, which tarfile reads into memory and searches in quadratic time
LARGEST_HEADER = 2**14
LARGEST_WINDOW = 2**28  # bytes of memory that an xz file may ask for; xz -9 takes a quarter of it
LONGEST_NAME = 4096  # characters; no system has longer paths
EXTENSIONS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
FOLDER_DEPTH = 3  # top folder, split, file: nothing that counts lies deeper
DAMAGE = (EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, ValueError)


class _XzFile(io.RawIOBase):
    """An xz file, read as lzma.open does, but in no more memory than LARGEST_WINDOW."""

    def __init__(self, path: Path, _: str):
        self._file = open(path, "rb")  # noqa: SIM115 - closed with this one
        self._decoder, self._data = _new_decoder(), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._decoder.eof:
                # between the streams of one file there may be zeros
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
    """Why an archive cannot be read, in words that follow its name."""


_SPARSE = _UnsoundError("holds a sparse file, which no image is: pack it anew without --sparse")


class _Header(tarfile.TarInfo):
    """A member's header; one that is bad, missing or made to fill the memory is an error.

    tarfile takes everything unreadable after the first member for the archive's end, so a
    truncated archive would only look shorter. It reads long names and attributes of any size.
    """

    @classmethod
    def frombuf(cls, *block: Any) -> "_Header":
        header = super().frombuf(*block)
        if header.type in EXTENSIONS and header.size > LARGEST_HEADER:
            raise _UnsoundError(f"has a header of {header.size:,} bytes, of which {LARGEST_HEADER:,} are allowed")
        if header.type == tarfile.GNUTYPE_SPARSE:
            raise _SPARSE
        return header

    def _proc_gnusparse_10(self, *_: object) -> None:
        """Instead of reading a map of any length, which tells where a sparse file has holes."""
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
    """The name and content of each file in a tar archive (plain, gzip, bzip2 or xz) that is `wanted`.

    Reads the archive once, front to back, to its very end. `refuse` is called with a line for
    each member that is no plain file inside the archive's own folder.

    Raises:
        InputError: it is empty, no tar archive, truncated, damaged or made to fill the memory.
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
        InputError: it is empty, no tar archive, truncated, damaged, or holds no file.
    """
    found: list[PurePosixPath] = []

    def note(path: PurePosixPath) -> bool:
        found[:] = [path]
        return False

    try:
        for _ in _files(archive, note, lambda line: None):
            pass
        if not found:
            raise _UnsoundError("holds no file")
    except _UnsoundError as error:
        raise InputError(f"{archive}: {error}") from None


def _files(archive: Path, wanted: Wanted, refuse: Refuse) -> Iterator[tuple[PurePosixPath, bytes]]:
    if archive.stat().st_size == 0:
        raise _UnsoundError("is empty (0 bytes)")
    count = 0
    try:
        with _uncompressed(archive) as stream, _open_tar(stream) as tar:
            for member in tar:
                # tarfile would keep every header of a large archive in memory
                tar.members = []  # type: ignore[attr-defined]
                tar.pax_headers = {}
                path = _inside(member.name, refuse)
                if path is None or member.isdir():
                    continue
                if not member.isreg():
                    refuse(f"{member.name}: is a {_kind(member)}; only files and folders are taken")
                elif member.size > LARGEST_FILE:
                    refuse(f"{member.name}: is too large for an image ({member.size:,} bytes)")
                elif wanted(path):
                    content = tar.extractfile(member)
                    assert content is not None  # of a plain file
                    yield path, _content(content)
                    count += 1
            while stream.read(2**20):
                pass  # only at its end does a compressed file prove to be whole
    except DAMAGE as error:
        raise _damaged(count, error) from None
    except RecursionError:
        raise _UnsoundError("has too many headers for one file") from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged(count, error) from None


def _content(member: IO[bytes]) -> bytes:
    """All of a member; a plain read() would hold it two or three times while it puts it together."""
    content = io.BytesIO()
    shutil.copyfileobj(member, content, 2**20)
    return content.getvalue()


def folder_files(folder: Path, wanted: Wanted, refuse: Refuse) -> Iterator[tuple[PurePosixPath, bytes]]:
    """The name and content of each file in a folder that is `wanted`; links are followed.

    `refuse` is called with a line for each link that leads nowhere and each thing that is neither
    a file nor a folder.

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
                refuse(f"{inside}: is a link that leads nowhere")
            elif not stat.S_ISREG(path.stat().st_mode):
                refuse(f"{inside}: is neither a file nor a folder")
            elif path.stat().st_size > LARGEST_FILE:
                refuse(f"{inside}: is too large for an image ({path.stat().st_size:,} bytes)")
            else:
                yield inside, path.read_bytes()


def _stop(error: OSError) -> None:
    """Let os.walk raise what it would pass over in silence."""
    raise error


def _uncompressed(archive: Path) -> BinaryIO:
    with open(archive, "rb") as file:
        start = file.read(6)
    opener: Callable[..., Any] = next((each for magic, each in OPENERS.items() if start.startswith(magic)), open)
    return opener(archive, "rb")


def _open_tar(stream: BinaryIO) -> tarfile.TarFile:
    try:
        # r|: never seeks, which in a compressed file would start over from its first byte
        return tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header)
    except tarfile.ReadError:
        raise _UnsoundError("is not a tar archive (.tar, .tar.gz, .tar.bz2, .tar.xz), or not whole") from None


def _inside(name: str, refuse: Refuse) -> PurePosixPath | None:
    """The path of a member; None, and a line to `refuse`, if it leads out of the folder or is no plain text."""
    path = PurePosixPath(name)
    if len(name) > LONGEST_NAME:
        refuse(f"{name[:40]!r}...: has a name of {len(name):,} characters")
    elif path.is_absolute() or ".." in path.parts:
        refuse(f"{name!r}: leads out of the folder")
    elif any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        refuse(f"{name!r}: has characters that are no UTF-8 text")
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
    return _UnsoundError(f"is cut short or damaged after {count} images ({error})")
