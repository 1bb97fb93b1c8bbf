"""Extraction of paired images from an archive or a folder: sorted into splits, checked and counted.

An archive may contain the splits directly or in one top folder of any name:

    facades/train/1.jpg   ./facades/train/1.jpg   train/1.jpg

All of these become OUTPUT/train/1.jpg, byte for byte.
"""

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from pix2pix.config.datasets import Tolerance
from pix2pix.data.images import half_size, joined
from pix2pix.data.left_out import LEFT_OUT, write_left_out
from pix2pix.data.packing import Write, as_files, as_zips
from pix2pix.data.sorting import HopelessError, Sorter, shortened
from pix2pix.sources.members import Files
from pix2pix.sources.reading import reader_of
from pix2pix.sources.split_file import Reader
from pix2pix.system.checksum import verify
from pix2pix.system.disk import disk_space
from pix2pix.system.errors import InputError
from pix2pix.system.files import replacing
from pix2pix.system.progress import Progress

WAITING = 16  # images per thread that are read ahead,
IN_MEMORY = 2**27  # and their total number of bytes, if there is more than one


def extract(
    source: str | Path,
    output: str | Path,
    splits: Mapping[str, int | None],
    sha256: str | None = None,
    threads: int = 2,
    tolerate: Tolerance = Tolerance(),  # noqa: B008 - it is immutable
    packed: bool = False,
    read: Reader | None = None,
) -> dict[str, int]:
    """Extract and check the pairs of an archive or a folder into `output`/{split}/, atomically.

    Args:
        source: an archive or a folder, with a folder for each split, or parquet files.
        output: the folder to create; an existing one must be empty.
        splits: the splits to extract and the number of pairs in each; None: at least one.
        sha256: the archive's checksum; by default, the one recorded next to it, if any.
        threads: number of images checked in parallel.
        tolerate: how many unreadable images are left out, and how far a split may be from its number. What was
            tolerated is listed in left_out.json beside `output`, which exists only then.
        packed: write one uncompressed `output`/{split}.zip per split instead of a file per pair.
        read: reads the source (pix2pix/sources/reading.py); None: it is an archive or a folder.

    Returns:
        the number of pairs in each split.

    Raises:
        InputError: with one line per problem: a damaged archive; a member outside the folder; a
            file that is not an image, truncated, too small or of odd width; duplicate names; a
            wrong number of pairs in a split; a full disk.
        OSError: `output` exists and is not empty.
    """
    source, output = Path(source), Path(output)
    needed = _check_source(source, output, sha256)
    output.parent.mkdir(parents=True, exist_ok=True)
    sorter = Sorter(splits, tolerate)
    with disk_space(output.parent, needed), replacing(output) as scratch:
        try:
            images = (read or reader_of(source, joined))(sorter.wanted, sorter.note)
            with (as_zips if packed else as_files)(scratch, splits) as write:
                _save_all(images, write, sorter, threads, output.parent.name)
        except HopelessError:
            pass  # the problems found so far are reported
        sorter.report_skipped(source)
        if problems := sorter.all_problems():
            raise InputError("\n".join(shortened([f"{source}: {line}" for line in problems])))
        sorter.report_single(source)
        write_left_out(sorter.left_out(), output.with_name(LEFT_OUT))
    return sorter.used()


def _check_source(source: Path, output: Path, sha256: str | None) -> int | None:
    """Reject an invalid source; return the approximate number of bytes of its images, if known."""
    if source.is_dir():
        if sha256 is not None:
            raise InputError(f"{source}: is a folder, to which sha256 does not apply: remove it")
        here, there = source.resolve(), output.resolve()
        if here.is_relative_to(there) or there.is_relative_to(here):
            raise InputError(f"{output}: must not overlap {source}, the source of the images")
        return None
    if not source.exists():
        raise InputError(f"{source}: no such file or folder")
    verify(source, sha256)
    return source.stat().st_size


def _save_all(images: Files, write: Write, sorter: Sorter, threads: int, title: str) -> None:
    """Check and write the images in parallel, with a limited number of them in memory."""
    counts = [count for count in sorter.splits.values() if count is not None]
    total = sum(counts) if len(counts) == len(sorter.splits) else None
    pending: deque[tuple[PurePosixPath, int, Future]] = deque()
    with ThreadPoolExecutor(threads) as pool, Progress(total=total, desc=title, unit=" pairs") as bar:

        def finish(most: int, in_memory: int) -> None:
            while len(pending) > most or sum(size for _, size, _ in pending) > in_memory:
                path, _, future = pending.popleft()
                result = future.result()
                if isinstance(result, str):
                    sorter.note_unreadable(path, result)
                else:
                    sorter.shapes[path] = result
                bar.update()

        for path, data in images:
            if isinstance(data, InputError):
                sorter.note_unreadable(path, str(data))
                bar.update()
                continue
            finish(WAITING * threads - 1, max(0, IN_MEMORY - len(data)))
            pending.append((path, len(data), pool.submit(_save, data, path, write)))
        finish(0, 0)


def _save(data: bytes, path: PurePosixPath, write: Write) -> float | str:
    """Write a pair; return the aspect ratio (width / height) of its halves, or a problem.

    Files that are not images are not written to disk.
    """
    try:
        width, height = half_size(data)
    except InputError as error:
        return str(error).removeprefix("image: ")
    write(path.parent.name, path.name, data)
    return width / height
