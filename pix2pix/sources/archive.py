"""Safe, sequential reading of the files in an archive; its content, not its name, tells its format."""

from pathlib import Path, PurePosixPath

from pix2pix.sources.members import Files, Refuse, UnsoundError, Wanted
from pix2pix.sources.tar_archive import tar_files
from pix2pix.sources.zip_archive import MAGIC as ZIP
from pix2pix.sources.zip_archive import zip_files
from pix2pix.system.checksum import record_of
from pix2pix.system.errors import InputError


def archive_files(archive: Path, wanted: Wanted, refuse: Refuse) -> Files:
    """Yield the name and content of each `wanted` file in an archive, in the archive's order.

    Formats: zip, and tar: plain or compressed by gzip, bzip2, xz or zstd. `refuse` is called with a line
    for each member that is not a regular file inside the archive's folder.

    Raises:
        InputError: the archive is empty, of no known format, truncated, damaged or excessively large.
    """
    try:
        yield from _files(archive, wanted, refuse)
    except UnsoundError as error:
        record = record_of(archive)
        both = f"delete it and {record}" if record.exists() else "delete it"
        raise InputError(f"{archive}: {error}: {both}, and download it again") from None


def check_archive(archive: Path) -> None:
    """Read an archive to its end.

    Raises:
        InputError: the archive is empty, of no known format, truncated, damaged, or contains no file.
    """
    found: list[PurePosixPath] = []

    def note(path: PurePosixPath) -> bool:
        found[:] = [path]
        return False

    try:
        for _ in _files(archive, note, lambda line: None, whole=True):
            pass
        if not found:
            raise UnsoundError("contains no file")
    except UnsoundError as error:
        raise InputError(f"{archive}: {error}") from None


def _files(archive: Path, wanted: Wanted, refuse: Refuse, whole: bool = False) -> Files:
    if archive.stat().st_size == 0:
        raise UnsoundError("is empty (0 bytes)")
    with open(archive, "rb") as file:
        start = file.read(len(ZIP[0]))
    if start in ZIP:
        return zip_files(archive, wanted, refuse, whole)
    return tar_files(archive, wanted, refuse)  # always read to its end
