"""What a dataset with `tolerate` was used without: its unreadable images, and differences from the declared numbers.

Extraction lists it in left_out.json beside the records, the records carry it, and every score repeats it.
"""

from collections import Counter
from pathlib import Path, PurePosixPath

from pydantic import BaseModel

from pix2pix.system.json_file import read_json, write_json

LEFT_OUT = "left_out.json"


class Difference(BaseModel):
    """The declared number of images in a split, and the number found, with unreadable ones."""

    declared: int
    found: int


class LeftOut(BaseModel):
    """Unreadable images, with the reason, by name; splits with another number of images than declared."""

    images: dict[str, str]
    counts: dict[str, Difference]

    def __str__(self) -> str:
        """One line for a page: what was left out, by split."""
        bad = Counter(PurePosixPath(name).parent.name for name in self.images)
        parts = [f"{number} unreadable image{'s' * (number > 1)} of {split}/ left out" for split, number in bad.items()]
        parts += [f"{split}/ has {each.found} images instead of {each.declared}" for split, each in self.counts.items()]
        return "; ".join(parts)


def write_left_out(left_out: LeftOut | None, path: Path) -> None:
    """Write it as JSON, atomically; None: delete an earlier file."""
    if left_out:
        write_json(left_out.model_dump(), path)
    else:
        path.unlink(missing_ok=True)


def read_left_out(path: Path) -> LeftOut | None:
    """Read what write_left_out wrote; None if there is no such file.

    Raises:
        InputError: the file is damaged.
    """
    if not path.exists():
        return None
    return LeftOut.model_validate(read_json(path, LeftOut, f"delete {path.with_name('pairs')} and start again"))
