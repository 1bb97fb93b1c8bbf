"""Sorting of the files of an archive or a folder into splits, with a list of all problems."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from statistics import median

from pix2pix.config.datasets import Tolerance
from pix2pix.data.left_out import Difference, LeftOut

IGNORED = (".DS_Store", "__MACOSX", "Thumbs.db", "desktop.ini")  # and ._*: written by file managers
MOST_LINES = 50
OTHER_SHAPE = 1.6  # ratio of aspect ratios; halving a square single image gives half the ratio of square halves
LONGEST_STEM = 200  # bytes; predictions are named after it
LONGEST_NAME = 255  # bytes; Linux allows no longer one
MOST_NOTES = 10_000  # problems, or skipped folders, kept in memory


class HopelessError(Exception):
    """There are too many problems to continue."""


class Sorter:
    """Sorts files into splits, and collects problems."""

    def __init__(self, splits: Mapping[str, int | None], tolerate: Tolerance):
        self.splits = splits
        self.tolerate = tolerate
        self.names: dict[str, dict[str, PurePosixPath]] = {split: {} for split in splits}
        self.tops: dict[PurePosixPath, None] = {}
        self.skipped: Counter[PurePosixPath] = Counter()
        self.nested: set[PurePosixPath] = set()
        self.problems: list[str] = []
        self.unreadable: dict[PurePosixPath, str] = {}
        self.shapes: dict[PurePosixPath, float] = {}

    def note(self, problem: str) -> None:
        """Record a problem; stop reading if there are too many."""
        self.problems.append(problem)
        if len(self.problems) > MOST_NOTES:
            raise HopelessError

    def note_unreadable(self, path: PurePosixPath, problem: str) -> None:
        """Record an image that cannot be read; stop reading if there are too many problems."""
        self.unreadable[path] = problem
        if len(self.problems) + len(self.unreadable) > MOST_NOTES:
            raise HopelessError

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
        if len(path.stem.encode()) > LONGEST_STEM or len(path.name.encode()) > LONGEST_NAME:
            self.note(f"{path}: has a name longer than {LONGEST_STEM} bytes")
            return False
        earlier = self.names[split].setdefault(path.stem, path)
        if earlier is not path:
            what = "occurs twice" if earlier == path else f"has the same name as {earlier.name}"
            self.note(f"{path}: {what}: predictions are named after it, so it must be unique in its split")
        return earlier is path

    def all_problems(self) -> list[str]:
        """What makes the dataset unusable, one line each: what is not tolerated."""
        unreadable = [f"{path}: {problem}" for path, problem in self.unreadable.items()]
        if len(unreadable) <= self.tolerate.bad:
            unreadable = []
        elif self.tolerate.bad:
            unreadable.append(f"{len(unreadable)} images cannot be read; tolerate.bad is {self.tolerate.bad}")
        stopped = len(self.problems) + len(self.unreadable) > MOST_NOTES  # the rest was not counted
        return self.problems + unreadable + ([] if stopped else list(self._wrong_counts()))

    def _wrong_counts(self) -> Iterator[str]:
        """Yield a line for each split that is empty or does not have nearly the declared number of pairs."""
        used = self.used()
        for split, declared in self.splits.items():
            count = len(self.names[split])
            if not count:
                folders = ", ".join(sorted({str(folder) for folder in self.skipped} - {"."})[:MOST_LINES])
                yield f"split {split} has no images" + (f"; there are other folders: {folders}" if folders else "")
            elif declared is not None and abs(declared - count) > self.tolerate.count:
                yield f"split {split} has {count} images, but {declared} are declared"
            elif not used[split] and count <= self.tolerate.bad:
                yield f"split {split} has no image that can be read"

    def used(self) -> dict[str, int]:
        """The number of pairs in each split, without those that are left out."""
        unreadable = Counter(path.parent.name for path in self.unreadable)
        return {split: len(names) - unreadable[split] for split, names in self.names.items()}

    def left_out(self) -> LeftOut | None:
        """What was tolerated; None if nothing had to be."""
        counts = {
            split: Difference(declared=declared, found=len(self.names[split]))
            for split, declared in self.splits.items()
            if declared not in (None, len(self.names[split]))
        }
        images = {str(path): problem for path, problem in sorted(self.unreadable.items())}
        return LeftOut(images=images, counts=counts) if images or counts else None

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
        for line in shortened([f"{source}: {line}" for line in lines]):
            print(f"warning: {line}", file=sys.stderr)


def shortened(lines: list[str]) -> list[str]:
    """The first lines, and how many more there are."""
    more = len(lines) - MOST_LINES
    return lines if more <= 0 else [*lines[:MOST_LINES], f"... and {more} more"]
