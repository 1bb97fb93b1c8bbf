"""SHA-256 checksums: of downloads, configured or recorded next to the file; of records, kept until they change."""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from pix2pix.system.errors import InputError
from pix2pix.system.files import replacing


class Expected(NamedTuple):
    """The checksum that a file must have, and where it comes from."""

    sha256: str
    origin: str


def sha256_of(path: Path) -> str:
    """The file's SHA-256, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remembered_sha256(path: Path) -> str:
    """The file's SHA-256, which is kept next to it in NAME.known.json and computed again if the file has changed.

    A change shows in the size or in one of the times of the file; the time of its last change (ctime) cannot be
    set by programs. In a folder that cannot be written, the checksum is computed every time.
    """
    known, now = _known(path), _identity(path)
    with suppress(OSError, ValueError):
        kept = json.loads(known.read_text())
        if isinstance(kept, dict) and kept == {**now, "sha256": kept.get("sha256")} and _is_sha256(kept["sha256"]):
            return kept["sha256"]
    return remember(path, sha256_of(path), now)


def remember(path: Path, digest: str, identity: dict[str, int] | None = None) -> str:
    """Keep the SHA-256 of `path` next to it for `remembered_sha256`, if the folder can be written; return it."""
    with suppress(OSError), replacing(_known(path)) as scratch:
        scratch.write_text(json.dumps({"sha256": digest, **(identity or _identity(path))}) + "\n")
    return digest


def _known(path: Path) -> Path:
    return path.with_name(f"{path.name}.known.json")


def _identity(path: Path) -> dict[str, int]:
    """What changes with the content of a file."""
    found = path.stat()
    return {"size": found.st_size, "mtime_ns": found.st_mtime_ns, "ctime_ns": found.st_ctime_ns}


def expected_of(path: Path, sha256: str | None) -> Expected | None:
    """Return the expected checksum of `path`: `sha256`, or else the one recorded next to it; None if unknown.

    Raises:
        InputError: `sha256` or the record is not a checksum.
    """
    record = record_of(path)
    if sha256 is not None:
        return Expected(_valid(sha256, "sha256"), "is configured")
    if not record.exists():
        return None
    digest = _valid(record.read_text(errors="replace").partition(" ")[0].strip(), str(record))
    return Expected(digest, f"was recorded with the file: if the change is expected, delete {record} and start again")


def difference(digest: str, expected: Expected | None) -> str | None:
    """Describe a mismatch, with both checksums; None if they match or no checksum is expected."""
    if expected is None or digest == expected.sha256:
        return None
    return f"its sha256 is {digest}, but {expected.sha256} {expected.origin}"


def verify(path: Path, sha256: str | None) -> str:
    """Return the checksum of `path` after comparing it with the configured or recorded one, if any.

    Raises:
        InputError: the checksums differ; the file is left unchanged.
    """
    expected = expected_of(path, sha256)
    digest = sha256_of(path)
    if wrong := difference(digest, expected):
        raise InputError(f"{path}: {wrong}")
    return digest


def record_of(path: Path) -> Path:
    """The file that records the checksum of `path`, in the format of the sha256sum program."""
    return path.with_name(f"{path.name}.sha256")


def keep(digest: str, path: Path) -> None:
    """Record the checksum of `path` next to it, atomically; do nothing if it is already recorded."""
    record, line = record_of(path), f"{digest}  {path.name}\n"
    if not record.exists() or record.read_bytes() != line.encode():
        with replacing(record) as scratch:
            scratch.write_text(line)


def note_obtained(digest: str, path: Path) -> None:
    """Note beside a file that the workflow obtained it, so that it may be dropped; without the note it is kept."""
    with suppress(OSError), replacing(_obtained(path)) as scratch:
        scratch.write_text(f"{digest}  {path.name}\n")


def drop_obtained(path: Path) -> bool:
    """Delete a file if the workflow obtained it and it is unchanged since; its recorded checksum is kept.

    Returns:
        whether the file was deleted; False if it came from the user.
    """
    note = _obtained(path)
    if not (path.exists() and note.exists() and note.read_text(errors="replace").startswith(sha256_of(path))):
        return False
    path.unlink()
    note.unlink()
    return True


def _obtained(path: Path) -> Path:
    return path.with_name(f"{path.name}.obtained")


@contextmanager
def replacing_checked(path: Path) -> Iterator[Path]:
    """Like files.replacing, but also record the checksum next to the file.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    with replacing(path) as scratch:
        yield scratch
        digest = sha256_of(scratch)
        # if the process is killed after this line, the file has no recorded checksum rather than a wrong one
        record_of(path).unlink(missing_ok=True)
    keep(digest, path)


def copy_checked(source: Path, path: Path) -> None:
    """Copy a file after comparing it with its recorded checksum, and record the checksum next to the copy.

    Raises:
        InputError: the checksums differ.
        OSError: the disk is full or the folder cannot be written.
    """
    verify(source, None)
    with replacing_checked(path) as scratch:
        shutil.copyfile(source, scratch)


def _is_sha256(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch(r"[0-9a-fA-F]{64}", text) is not None


def _valid(digest: str, where: str) -> str:
    if not _is_sha256(digest):
        raise InputError(
            f"{where}: {digest!r} is not an SHA-256 checksum (64 hexadecimal digits): correct or delete it"
        )
    return digest.lower()
