"""Extraction of paired images from an archive or a folder: sorted into splits, checked and counted.

An archive may contain the splits directly or in one top folder of any name:

    facades/train/1.jpg   ./facades/train/1.jpg   train/1.jpg

All of these become OUTPUT/train/1.jpg, byte for byte.
"""

import sys
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from statistics import median

from pix2pix.data.images import half_size
from pix2pix.sources.archive import archive_files
from pix2pix.sources.folder import folder_files
from pix2pix.system.checksum import verify
from pix2pix.system.disk import disk_space
from pix2pix.system.errors import InputError
from pix2pix.system.files import replacing
from pix2pix.system.progress import Progress

IGNORED = (".DS_Store", "__MACOSX", "Thumbs.db", "desktop.ini")  # and ._*: written by file managers
MOST_LINES = 50
OTHER_SHAPE = 1.6  # ratio of aspect ratios; halving a square single image gives half the ratio of square halves
LONGEST_STEM = 200  # bytes; predictions are named after it
WAITING = 16  # images per thread that are read ahead,
IN_MEMORY = 2**27  # and their total number of bytes, if there is more than one
MOST_NOTES = 10_000  # problems, or skipped folders, kept in memory


def extract(
    source: str | Path,
    output: str | Path,
    splits: Mapping[str, int | None],
    sha256: str | None = None,
    threads: int = 2,
) -> dict[str, int]:
    """Extract and check the pairs of an archive or a folder into `output`/{split}/, atomically.

    Args:
        source: a tar archive, or a folder that contains a folder for each split.
        output: the folder to create; an existing one is replaced.
        splits: the splits to extract and the number of pairs in each; None: at least one.
        sha256: the archive's checksum; by default, the one recorded next to it, if any.
        threads: number of images checked in parallel.

    Returns:
        the number of pairs in each split.

    Raises:
        InputError: with one line per problem: a damaged archive; a member outside the folder; a
            file that is not an image, truncated, too small or of odd width; duplicate names; a
            wrong number of pairs in a split; a full disk.
    """
    source, output = Path(source), Path(output)
    needed = _check_source(source, output, sha256)
    output.parent.mkdir(parents=True, exist_ok=True)
    sorter = _Sorter(splits)
    files = folder_files if source.is_dir() else archive_files
    with disk_space(output.parent, needed), replacing(output) as scratch:
        for split in splits:
            (scratch / split).mkdir(parents=True)
        problems = sorter.problems
        try:
            images = files(source, sorter.wanted, sorter.note)
            _save_all(images, scratch, sorter, threads, output.parent.name)
            problems += sorter.wrong_counts()
        except _HopelessError:
            pass  # the problems found so far are reported
        sorter.report_skipped(source)
        if problems:
            raise InputError("\n".join(_shortened([f"{source}: {line}" for line in problems])))
        sorter.report_single(source)
    return {split: len(names) for split, names in sorter.names.items()}


class _HopelessError(Exception):
    """There are too many problems to continue."""


class _Sorter:
    """Sorts files into splits, and collects problems."""

    def __init__(self, splits: Mapping[str, int | None]):
        self.splits = splits
        self.names: dict[str, dict[str, PurePosixPath]] = {split: {} for split in splits}
        self.tops: dict[PurePosixPath, None] = {}
        self.skipped: Counter[PurePosixPath] = Counter()
        self.nested: set[PurePosixPath] = set()
        self.problems: list[str] = []
        self.shapes: dict[PurePosixPath, float] = {}

    def note(self, problem: str) -> None:
        """Record a problem; stop reading if there are too many."""
        self.problems.append(problem)
        if len(self.problems) > MOST_NOTES:
            raise _HopelessError

    def wanted(self, path: PurePosixPath) -> bool:
        """Whether a file is a pair to extract; problems are recorded."""
        if any(part.startswith("._") or part in IGNORED for part in path.parts):
            return False
        depth = next((i for i in (1, 0) if len(path.parts) > i + 1 and path.parts[i] in self.splits), None)
        if depth is None:
            known = path.parent in self.skipped or len(self.skipped) < MOST_NOTES
            self.skipped[path.parent if known else PurePosixPath("...")] += 1
            return False
        if len(path.parts) > depth + 2:
            if path.parent not in self.nested:
                self.nested.add(path.parent)
                self.note(f"{path.parent}: is a folder within a split: images must be directly in their split")
            return False
        self._note_top(PurePosixPath(*path.parts[:depth]))
        return self._is_new(path, path.parts[depth])

    def _note_top(self, top: PurePosixPath) -> None:
        if top not in self.tops:
            self.tops[top] = None
            if len(self.tops) > 1:
                first = next(iter(self.tops))
                self.note(f"{top}: contains splits, and so does {first}: there must be one top folder")

    def _is_new(self, path: PurePosixPath, split: str) -> bool:
        if len(path.stem.encode()) > LONGEST_STEM:
            self.note(f"{path}: has a name longer than {LONGEST_STEM} bytes")
            return False
        earlier = self.names[split].setdefault(path.stem, path)
        if earlier is not path:
            what = "occurs twice" if earlier == path else f"has the same name as {earlier.name}"
            self.note(f"{path}: {what}: predictions are named after it, so it must be unique in its split")
        return earlier is path

    def wrong_counts(self) -> Iterator[str]:
        """Yield a line for each split that is empty or does not have the declared number of pairs."""
        for split, declared in self.splits.items():
            count = len(self.names[split])
            if not count:
                folders = ", ".join(sorted({str(folder) for folder in self.skipped} - {"."})[:MOST_LINES])
                yield f"split {split} has no images" + (f"; there are other folders: {folders}" if folders else "")
            elif declared not in (None, count):
                yield f"split {split} has {count} images, but {declared} are declared"

    def report_skipped(self, source: Path) -> None:
        """Print the number of skipped files in each folder."""
        for folder, count in sorted(self.skipped.items())[:MOST_LINES]:
            files = "1 file" if count == 1 else f"{count} files"
            print(f"{source}: {files} skipped in {folder}: not in a declared split", file=sys.stderr)

    def report_single(self, source: Path) -> None:
        """Warn about images that may be single images rather than pairs: their halves have an unusual shape."""
        if not self.shapes:
            return
        usual = median(self.shapes.values())
        lines = [
            f"{path}: its halves are {shape:.2f} times as wide as high, those of others {usual:.2f}: is it a pair A|B?"
            for path, shape in self.shapes.items()
            if max(shape / usual, usual / shape) > OTHER_SHAPE
        ]
        if usual < 1 / OTHER_SHAPE:
            lines.insert(0, f"halves are {usual:.2f} times as wide as high: are these pairs A|B, or single images?")
        for line in _shortened([f"{source}: {line}" for line in lines]):
            print(f"warning: {line}", file=sys.stderr)


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


def _save_all(
    images: Iterator[tuple[PurePosixPath, bytes]], folder: Path, sorter: _Sorter, threads: int, title: str
) -> None:
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
                    sorter.note(f"{path}: {result}")
                else:
                    sorter.shapes[path] = result
                bar.update()

        for path, data in images:
            finish(WAITING * threads - 1, max(0, IN_MEMORY - len(data)))
            pending.append((path, len(data), pool.submit(_save, data, folder / path.parent.name / path.name)))
        finish(0, 0)


def _save(data: bytes, target: Path) -> float | str:
    """Write a pair; return the aspect ratio (width / height) of its halves, or a problem.

    Files that are not images are not written to disk.
    """
    try:
        width, height = half_size(data)
    except InputError as error:
        return str(error).removeprefix("image: ")
    target.write_bytes(data)
    return width / height


def _shortened(lines: list[str]) -> list[str]:
    more = len(lines) - MOST_LINES
    return lines if more <= 0 else [*lines[:MOST_LINES], f"... and {more} more"]
