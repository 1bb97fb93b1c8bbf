"""Files out of an archive or a folder, one after the other, none of which can leave where it is put.

Both sources give the same: names with `/` between their parts, in a fixed order, and contents.
"""

import bz2
import gzip
import lzma
import os
import stat
import tarfile
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pix2pix.errors import InputError

OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
LARGEST_FILE = 2**30  # bytes; what holds one picture is smaller, what is larger would fill the memory
FOLDER_DEPTH = 3  # top folder, split, file: nothing that counts lies deeper
DAMAGE = (EOFError, zlib.error, lzma.LZMAError, tarfile.TarError)

Wanted = Callable[[PurePosixPath], bool]
Refuse = Callable[[str], None]


class _Header(tarfile.TarInfo):
    """A member's header; one that is bad or missing is an error.

    tarfile takes everything unreadable after the first member for the archive's end, so a
    truncated archive would only look shorter.
    """

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> "_Header":
        try:
            return super().fromtarfile(tar)
        except tarfile.EOFHeaderError:
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from None


def archive_files(archive: Path, wanted: Wanted, refuse: Refuse) -> Iterator[tuple[PurePosixPath, bytes]]:
    """The name and content of each file in a tar archive (plain, gzip, bzip2 or xz) that is `wanted`.

    Reads the archive once, front to back, to its very end. `refuse` is called with a line for
    each member that is no plain file inside the archive's own folder.

    Raises:
        InputError: it is empty, no tar archive, truncated or damaged.
    """
    if archive.stat().st_size == 0:
        raise InputError(f"{archive}: is empty (0 bytes): delete it and download it again")
    count = 0
    try:
        with _uncompressed(archive) as stream, _open_tar(archive, stream) as tar:
            for member in tar:
                tar.members = []  # tarfile would keep every header of a large archive in memory
                path = _inside(member.name, refuse)
                if path is None or member.isdir():
                    continue
                if not member.isreg():
                    refuse(f"{member.name}: is a {_kind(member)}; only files and folders are taken")
                elif member.size > LARGEST_FILE:
                    refuse(f"{member.name}: is too large for a picture ({member.size:,} bytes)")
                elif wanted(path):
                    yield path, tar.extractfile(member).read()
                    count += 1
            while stream.read(2**20):
                pass  # only at its end does a compressed file prove to be whole
    except DAMAGE as error:
        raise _damaged(archive, count, error) from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged(archive, count, error) from None


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
                refuse(f"{inside}: is too large for a picture ({path.stat().st_size:,} bytes)")
            else:
                yield inside, path.read_bytes()


def _stop(error: OSError) -> None:
    """Let os.walk raise what it would pass over in silence."""
    raise error


def _uncompressed(archive: Path) -> BinaryIO:
    with open(archive, "rb") as file:
        start = file.read(6)
    opener = next((opener for magic, opener in OPENERS.items() if start.startswith(magic)), open)
    return opener(archive, "rb")


def _open_tar(archive: Path, stream: BinaryIO) -> tarfile.TarFile:
    try:
        # r|: never seeks, which in a compressed file would start over from its first byte
        return tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header)
    except tarfile.ReadError:
        raise InputError(f"{archive}: is no tar archive (.tar, .tar.gz, .tar.bz2, .tar.xz), or not whole") from None


def _inside(name: str, refuse: Refuse) -> PurePosixPath | None:
    """The path of a member; None, and a line to `refuse`, if it leads out of the folder or is no plain text."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        refuse(f"{name!r}: leads out of the folder")
    elif any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        refuse(f"{name!r}: has characters that are no UTF-8 text")
    else:
        return path
    return None


def _kind(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return f"link to {member.linkname!r}"
    if member.isfifo():
        return "pipe"
    return "device" if member.isdev() else "special file"


def _damaged(archive: Path, count: int, error: Exception) -> InputError:
    return InputError(
        f"{archive}: is cut short or damaged after {count} pictures ({error}): delete it and download it again"
    )
