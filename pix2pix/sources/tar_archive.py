"""Safe, sequential reading of the files in a tar archive, plain or compressed by gzip, bzip2, xz or zstd."""

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from backports import zstd

from pix2pix.sources.members import LARGEST_FILE, Files, Refuse, UnsoundError, Wanted, content_of, inside, too_large

# bytes of a long name or of extended attributes, which tarfile reads into memory and parses in quadratic time
LARGEST_HEADER = 2**14
LARGEST_WINDOW = 2**28  # bytes of memory that decoding an xz file may use; xz -9 needs a quarter of it
EXTENSIONS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
DAMAGE = (EOFError, zlib.error, lzma.LZMAError, zstd.ZstdError, tarfile.TarError, ValueError)


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


# zstd.open refuses windows above 128 MiB
OPENERS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": _XzFile,
    b"\x28\xb5\x2f\xfd": zstd.open,
}
_SPARSE = UnsoundError("contains a sparse file, which cannot be an image: create it again without --sparse")


class _Header(tarfile.TarInfo):
    """A member's header; raises an error if it is invalid, missing or excessively large.

    tarfile treats unreadable data after the first member as the end of the archive, so a truncated
    archive would only look shorter. It also reads long names and attributes of any size.
    """

    @classmethod
    def frombuf(cls, *block: Any) -> "_Header":
        header = super().frombuf(*block)
        if header.type in EXTENSIONS and header.size > LARGEST_HEADER:
            raise UnsoundError(f"has a header of {header.size:,} bytes; at most {LARGEST_HEADER:,} are allowed")
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


def tar_files(archive: Path, wanted: Wanted, refuse: Refuse) -> Files:
    """Yield the name and content of each `wanted` file in a tar archive, plain or compressed.

    The archive is read once, sequentially, to its end. `refuse` is called with a line for each member
    that is not a regular file inside the archive's folder.

    Raises:
        UnsoundError: the archive is not a tar archive, truncated, damaged or excessively large.
    """
    count = 0
    try:
        with _uncompressed(archive) as stream, _open_tar(stream) as tar:
            for member in tar:
                # otherwise tarfile keeps every header of the archive in memory
                tar.members = []  # type: ignore[attr-defined]
                tar.pax_headers = {}
                path = inside(member.name, refuse)
                if path is None or member.isdir():
                    continue
                if not member.isreg():
                    refuse(f"{member.name}: is a {_kind(member)}; only files and folders are allowed")
                elif member.size > LARGEST_FILE:
                    refuse(too_large(member.name, member.size))
                elif wanted(path):
                    content = tar.extractfile(member)
                    assert content is not None  # since it is a regular file
                    yield path, content_of(content)
                    count += 1
            while stream.read(2**20):
                pass  # a compressed file is known to be complete only at its end
    except DAMAGE as error:
        raise _damaged(count, error) from None
    except RecursionError:
        raise UnsoundError("has too many headers for one file") from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged(count, error) from None


def _uncompressed(archive: Path) -> BinaryIO:
    with open(archive, "rb") as file:
        start = file.read(6)
    opener: Callable[..., Any] = next((each for magic, each in OPENERS.items() if start.startswith(magic)), open)
    return opener(archive, "rb")


class _UntilItsEnd:
    """A file that may be read at its end only once: tarfile would skip a member of any declared size there."""

    def __init__(self, file: BinaryIO):
        self._file, self._ended = file, False

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        if not data and self._ended:
            raise EOFError("it ends within a file")
        self._ended = not data
        return data


def _open_tar(stream: BinaryIO) -> tarfile.TarFile:
    try:
        # r|: no seeking, since a seek in a compressed file restarts from its first byte
        read_once: Any = _UntilItsEnd(stream)
        return tarfile.open(fileobj=read_once, mode="r|", tarinfo=_Header)
    except tarfile.ReadError:
        raise UnsoundError("is not a zip or tar archive (.tar, .tar.gz, .bz2, .xz, .zst), or is incomplete") from None


def _kind(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return f"link to {member.linkname[:200]!r}"
    if member.isfifo():
        return "pipe"
    return "device" if member.isdev() else "special file"


def _damaged(count: int, error: Exception) -> UnsoundError:
    return UnsoundError(f"is truncated or damaged after {count} images ({error})")
