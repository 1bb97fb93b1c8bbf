"""Pairs from two folders, or from a list of pairs: which images belong together, in which split.

Images of two folders belong together if their names without the extension are equal. The split is given by folders
(train/ and val/ in both), by lists of names, or by fractions, which a hash of the name decides: images that are added
later move none from one split to another.
"""

import hashlib
import os
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

from PIL import Image

from pix2pix.config.values import Split
from pix2pix.data.images import FORMATS
from pix2pix.pairing.lists import ListedPair, read_names
from pix2pix.system.errors import InputError
from pix2pix.system.files import natural_order

ENDINGS = {ending for ending, format in Image.registered_extensions().items() if format in FORMATS}
OF_FILE_MANAGERS = ("Thumbs.db", "desktop.ini")  # and hidden files
Splits = Mapping[str, float | Path | None]  # a fraction, a list of names, or None: folders, or a column of the list
LeaveOut = Callable[[str], None]


@dataclass(frozen=True)
class Pair:
    """Two images that belong together; `name` becomes the name of the pair."""

    split: str
    name: str
    a: Path
    b: Path


def pairs_of_folders(folder_a: Path, folder_b: Path, splits: Splits, leave_out: LeaveOut) -> list[Pair]:
    """The pairs of two folders, sorted by split and name.

    Args:
        folder_a, folder_b: images, or a folder of images for each split.
        splits: a fraction for each split, or a list for each, or None for each: then both folders contain it.
        leave_out: called with one line for each image that has no partner, and the like.

    Raises:
        InputError: two images of a folder have the same name, or a name is in two lists.
        OSError: a folder cannot be read.
    """
    chosen: list[Pair] = []
    if None in splits.values():
        for split in splits:
            chosen += _partners(folder_a / split, folder_b / split, partial(_always, split), leave_out)
    elif all(isinstance(value, float) for value in splits.values()):
        chosen = _partners(folder_a, folder_b, lambda name: split_of(name, splits), leave_out)
    else:
        listed = _listed(splits)
        chosen = _partners(folder_a, folder_b, listed.get, leave_out)
        for name in sorted(listed.keys() - {pair.name for pair in chosen}, key=natural_order):
            leave_out(f"{name}: is listed for {listed[name]}, but is not in both {folder_a} and {folder_b}")
    return sorted(chosen, key=lambda pair: (list(splits).index(pair.split), natural_order(pair.name)))


def pairs_of_list(listed: list[ListedPair], splits: Splits, leave_out: LeaveOut) -> list[Pair]:
    """The pairs of a list (see pairing.lists), named after their A images, in the order of the list.

    `splits` has a fraction for each split, or None for each: then the list has a column `split`. Pairs of other splits
    and pairs of which an image does not exist are reported to `leave_out`.

    Raises:
        InputError: two pairs of a split have the same name.
    """
    chosen: dict[tuple[str, str], Pair] = {}
    by_fractions = None not in splits.values()
    for row in listed:
        name = unicodedata.normalize("NFC", row.a.stem)
        split = split_of(name, splits) if by_fractions else row.split
        missing = [path for path in (row.a, row.b) if not path.is_file()]
        if missing:
            leave_out(f"{row.where}: {missing[0]}: no such file")
        elif split not in splits:
            leave_out(f"{row.where}: is for the split {split!r}, which the dataset does not have")
        else:
            pair = Pair(split, name, row.a, row.b)
            earlier = chosen.setdefault((split, name), pair)
            if earlier is not pair:
                raise InputError(f"{row.where}: {row.a}: has the same name as {earlier.a}: pairs are named after A")
    return list(chosen.values())


def split_of(name: str, fractions: Splits) -> str:
    """The split of a name: its hash, as a number in [0, 1), falls into the part of the split.

    Parts are in the order train, val, test, so the order in which fractions are written does not matter.
    """
    place = int.from_bytes(hashlib.sha256(os.fsencode(name)).digest()[:8]) / 2**64
    present = [split for split in get_args(Split) if split in fractions]
    end = 0.0
    for split in present:
        end += float(fractions[split])  # type: ignore[arg-type]
        if place < end:
            return split
    return present[-1]


def _always(split: str, _name: str) -> str:
    return split


def _partners(
    folder_a: Path, folder_b: Path, split_of_name: Callable[[str], str | None], leave_out: LeaveOut
) -> list[Pair]:
    images_a, images_b = _images(folder_a, leave_out), _images(folder_b, leave_out)
    for images, other in ((images_a, images_b), (images_b, images_a)):
        for name in sorted(images.keys() - other.keys(), key=natural_order):
            leave_out(f"{images[name]}: has no partner in {folder_b if images is images_a else folder_a}")
    pairs = []
    for name in images_a.keys() & images_b.keys():
        split = split_of_name(name)
        if split is None:
            leave_out(f"{images_a[name]}: is in none of the lists")
        else:
            pairs.append(Pair(split, name, images_a[name], images_b[name]))
    return pairs


def _images(folder: Path, leave_out: LeaveOut) -> dict[str, Path]:
    """The images directly in a folder by name, in the composed form of Unicode (macOS uses the other)."""
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if file.name in OF_FILE_MANAGERS or (file.name.startswith(".") and not _is_image(file.name)):
            continue
        if file.is_dir():
            leave_out(f"{file}: is a folder: images must be directly in {folder}")
        elif not _is_image(file.name):
            leave_out(f"{file}: is not an image by its name")
        elif not file.is_file():
            leave_out(f"{file}: is a broken link, or not a file")
        else:
            earlier = found.setdefault(unicodedata.normalize("NFC", file.stem), file)
            if earlier is not file:
                raise InputError(f"{file}: has the same name as {earlier.name}: pairs are found by their names")
    return found


def _is_image(name: str) -> bool:
    return Path(name).suffix.lower() in ENDINGS


def _listed(splits: Splits) -> dict[str, str]:
    """The split of each listed name."""
    found: dict[str, str] = {}
    for split, path in splits.items():
        for name in read_names(Path(str(path))):
            name = unicodedata.normalize("NFC", name.removesuffix(Path(name).suffix) if _is_image(name) else name)
            if found.setdefault(name, split) != split:
                raise InputError(f"{path}: {name}: is also listed for {found[name]}: keep one")
    return found
