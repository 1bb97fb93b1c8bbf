"""Loading of batches from records: each pair is decoded once, and both halves get the same crop and flip."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from pix2pix.config.settings import TrainSettings
from pix2pix.config.values import Direction, height_and_width
from pix2pix.data.ahead import map_ahead
from pix2pix.data.images import halves, open_rgb
from pix2pix.data.records import count, iterate, place
from pix2pix.system.errors import InputError

DECODING_THREADS = 2
BATCHES_AHEAD = 8
PAIRS_AHEAD = 8
LARGE_AHEAD = 1  # of pairs that are not resized, which may be large
VISIBLY_SQUASHED = 1.02  # ratio of aspect ratios


@dataclass(frozen=True)
class EpochSample:
    """The random choices of an epoch; they depend only on seed and epoch, so training can resume at any position.

    Attributes, all int64 or bool of shape (pairs,), by position in the epoch:
        order: index of the record.
        left, top: corner of the crop, in pixels of the enlarged image.
        flip: whether the pair is flipped.
        part: position, float64 in [0, 1), of the part of an image that is used if its aspect ratio is kept.
    """

    order: np.ndarray
    left: np.ndarray
    top: np.ndarray
    flip: np.ndarray
    part: np.ndarray


def sample_epoch(pairs: int, epoch: int, settings: TrainSettings) -> EpochSample:
    """Draw order, crops and flips of one epoch (numbered from 1)."""
    draw = np.random.default_rng((settings.seed, epoch))
    sides, load_sides = height_and_width(settings.train_pic_size), height_and_width(settings.load_size)
    rooms = [load - side + 1 if settings.jitter else 1 for load, side in zip(load_sides, sides, strict=True)]
    return EpochSample(
        order=draw.permutation(pairs),
        left=draw.integers(rooms[1], size=pairs),
        top=draw.integers(rooms[0], size=pairs),
        flip=draw.random(pairs) < (0.5 if settings.flip else 0.0),
        part=draw.random(pairs) if settings.jitter else np.full(pairs, 0.5),
    )


def decode(pair: bytes, direction: Direction) -> tuple[Image.Image, Image.Image]:
    """Decode a pair into input and target, ordered by `direction`, as RGB at their original size."""
    left, right = halves(open_rgb(pair))
    return (left, right) if direction == "AtoB" else (right, left)


def squashing_note(files: list[Path], settings: TrainSettings) -> str | None:
    """A line that says so if training changes the aspect ratio of the halves; judged by the first pair."""
    if settings.keep_aspect:
        return None
    half = _decode_of(files, 0, next(iterate(files, [0])), settings.direction)[0]
    height, width = height_and_width(settings.load_size if settings.jitter else settings.train_pic_size)
    change = (width / half.width) / (height / half.height)
    if max(change, 1 / change) < VISIBLY_SQUASHED:
        return None
    what = f"halves of {half.width}x{half.height} pixels are squashed to {width}x{height}"
    return f"{files[0]}: {what}; keep_aspect: true keeps their aspect ratio"


def _decode_of(
    files: list[Path], number: int, record: tuple[str, bytes], direction: Direction
) -> tuple[Image.Image, Image.Image]:
    """Like `decode`, for record `number` (from 0) of the files; error messages name the record."""
    name, pair = record
    try:
        return decode(pair, direction)
    except InputError as error:
        raise InputError(f"{place(files, number)}: {name}: {str(error).removeprefix('image: ')}") from None


def augment(
    image: Image.Image,
    left: int,
    top: int,
    flip: bool,
    settings: TrainSettings,
    labels: bool = False,
    part: float = 0.5,
) -> Image.Image:
    """Resize to load_size, crop train_pic_size at (left, top) and flip; without jitter, do not crop.

    If the aspect ratio is kept, the image is first resized to cover that size, and what is too much in one
    direction is cut off, `part` (0 to 1) of it on the left or above.
    """
    size = settings.load_size if settings.jitter else settings.train_pic_size
    image = covering_part(image, size, part, labels) if settings.keep_aspect else resize(image, size, labels)
    if settings.jitter:
        height, width = height_and_width(settings.train_pic_size)
        image = image.crop((left, top, left + width, top + height))
    return ImageOps.mirror(image) if flip else image


def resize(image: Image.Image, size: int | tuple[int, int], labels: bool = False) -> Image.Image:
    """Resize to `size` pixels (a number or (height, width)), bicubic; an image of that size is returned unchanged.

    Label maps use nearest neighbour, since a mixture of two colours would be another class.
    """
    height, width = height_and_width(size)
    how = Image.Resampling.NEAREST if labels else Image.Resampling.BICUBIC
    return image if image.size == (width, height) else image.resize((width, height), how)


def fit(image: Image.Image, size: int | tuple[int, int], labels: bool = False) -> Image.Image:
    """Resize like `resize`, to the largest size within `size` that has the image's aspect ratio."""
    return resize(image, _scaled(image, min(_scales(image, size))), labels)


def covering_part(
    image: Image.Image, size: int | tuple[int, int], part: float = 0.5, labels: bool = False
) -> Image.Image:
    """Resize like `resize`, to the smallest size with the image's aspect ratio that covers `size`, and crop to `size`.

    `part` (0 to 1) of what is too much is cut off on the left or above; both halves of a pair get the same crop.
    """
    height, width = height_and_width(size)
    image = resize(image, _scaled(image, max(_scales(image, size))), labels)
    left, top = (int(part * (most - side + 1)) for most, side in zip(image.size, (width, height), strict=True))
    return image.crop((left, top, left + width, top + height)) if image.size != (width, height) else image


def _scales(image: Image.Image, size: int | tuple[int, int]) -> tuple[float, float]:
    height, width = height_and_width(size)
    return height / image.height, width / image.width


def _scaled(image: Image.Image, scale: float) -> tuple[int, int]:
    return max(1, round(image.height * scale)), max(1, round(image.width * scale))


def to_array(image: Image.Image, channels: int) -> np.ndarray:
    """Convert to (channels, H, W) float32 in [-1, 1]; a single channel is Pillow's luma."""
    pixels = np.asarray(image if channels == 3 else image.convert("L"))
    pixels = pixels.reshape(*pixels.shape[:2], channels).transpose(2, 0, 1)
    # one pass converts, scales and reorders the channels; a second one shifts
    array = np.multiply(pixels, np.float32(1 / 127.5), out=np.empty(pixels.shape, np.float32))
    array -= 1
    return array


def to_pixels(output: np.ndarray) -> np.ndarray:
    """Convert a network's output, (channels, H, W) in [-1, 1], to (H, W, 3) uint8, rounded to nearest."""
    pixels = np.clip(np.rint((output.transpose(1, 2, 0) + 1) * 127.5), 0, 255).astype(np.uint8)
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)


def batches(
    files: list[Path], plan: EpochSample, positions: list[list[int]], settings: TrainSettings
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield x, y, each (N, channels, H, W) float32 in [-1, 1], for each list of positions in the epoch.

    Threads decode the pairs of the next batches in advance (Pillow releases the GIL).
    """
    wanted = [position for batch in positions for position in batch]
    records = iterate(files, [int(plan.order[position]) for position in wanted])

    def prepare(wanted: tuple[tuple[str, bytes], int]) -> tuple[np.ndarray, np.ndarray]:
        record, position = wanted
        how = int(plan.left[position]), int(plan.top[position]), bool(plan.flip[position]), settings
        part, labels = float(plan.part[position]), settings.target_palette is not None
        x, y = _decode_of(files, int(plan.order[position]), record, settings.direction)
        x, y = augment(x, *how, part=part), augment(y, *how, part=part, labels=labels)
        return to_array(x, settings.g_in_planes), to_array(y, settings.g_out_planes)

    ahead = BATCHES_AHEAD * max(map(len, positions), default=1)
    prepared = map_ahead(prepare, zip(records, wanted, strict=True), DECODING_THREADS, ahead)
    for batch in positions:
        x, y = zip(*islice(prepared, len(batch)), strict=True)
        yield np.stack(x), np.stack(y)


def whole_pairs(
    files: list[Path],
    size: int | tuple[int, int] | Literal["native"],
    direction: Direction,
    labels: bool = False,
    keep_aspect: bool = False,
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield name, input and target, each (height, width, 3) uint8, of every record, in file order.

    Both are resized to `size`, or, with `keep_aspect`, to fit into it; if it is native they are not resized.
    `labels`: whether targets are label maps.
    Threads decode the next pairs in advance.

    Raises:
        InputError: a file is damaged, or a record is not a pair.
    """
    count(files)
    resized = fit if keep_aspect else resize
    ahead = PAIRS_AHEAD if size != "native" else LARGE_AHEAD

    def prepare(numbered: tuple[int, tuple[str, bytes]]) -> tuple[str, np.ndarray, np.ndarray]:
        number, record = numbered
        x, y = _decode_of(files, number, record, direction)
        if size != "native":
            x, y = resized(x, size), resized(y, size, labels)
        return record[0], np.asarray(x), np.asarray(y)

    yield from map_ahead(prepare, enumerate(iterate(files)), DECODING_THREADS, ahead)
