"""Loading of batches from records: each pair is decoded once, and both halves get the same crop and flip."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from pix2pix.config.settings import TrainSettings
from pix2pix.config.values import Direction
from pix2pix.data.images import halves, open_rgb
from pix2pix.data.records import count, iterate, place
from pix2pix.system.errors import InputError

DECODING_THREADS = 2
BATCHES_AHEAD = 8


@dataclass(frozen=True)
class EpochSample:
    """The random choices of an epoch; they depend only on seed and epoch, so training can resume at any position.

    Attributes, all int64 or bool of shape (pairs,), by position in the epoch:
        order: index of the record.
        left, top: corner of the crop, in pixels of the enlarged image.
        flip: whether the pair is flipped.
    """

    order: np.ndarray
    left: np.ndarray
    top: np.ndarray
    flip: np.ndarray


def sample_epoch(pairs: int, epoch: int, settings: TrainSettings) -> EpochSample:
    """Draw order, crops and flips of one epoch (numbered from 1)."""
    draw = np.random.default_rng((settings.seed, epoch))
    room = settings.load_size - settings.train_pic_size + 1 if settings.jitter else 1
    return EpochSample(
        order=draw.permutation(pairs),
        left=draw.integers(room, size=pairs),
        top=draw.integers(room, size=pairs),
        flip=draw.random(pairs) < (0.5 if settings.flip else 0.0),
    )


def decode(pair: bytes, direction: Direction) -> tuple[Image.Image, Image.Image]:
    """Decode a pair into input and target, ordered by `direction`, as RGB at their original size."""
    left, right = halves(open_rgb(pair))
    return (left, right) if direction == "AtoB" else (right, left)


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
    image: Image.Image, left: int, top: int, flip: bool, settings: TrainSettings, labels: bool = False
) -> Image.Image:
    """Resize to load_size, crop train_pic_size at (left, top) and flip; without jitter, do not crop."""
    size = settings.train_pic_size
    if settings.jitter:
        image = resize(image, settings.load_size, labels).crop((left, top, left + size, top + size))
    else:
        image = resize(image, size, labels)
    return ImageOps.mirror(image) if flip else image


def resize(image: Image.Image, size: int, labels: bool = False) -> Image.Image:
    """Resize an image to size x size pixels, bicubic; an image of that size is returned unchanged.

    Label maps use nearest neighbour, since a mixture of two colours would be another class.
    """
    how = Image.Resampling.NEAREST if labels else Image.Resampling.BICUBIC
    return image if image.size == (size, size) else image.resize((size, size), how)


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
    """Yield x, y, each (N, channels, S, S) float32 in [-1, 1], for each list of positions in the epoch.

    Threads decode the pairs of the next batches in advance (Pillow releases the GIL).
    """
    wanted = [position for batch in positions for position in batch]
    records = iterate(files, [int(plan.order[position]) for position in wanted])

    def prepare(record: tuple[str, bytes], position: int) -> tuple[np.ndarray, np.ndarray]:
        how = int(plan.left[position]), int(plan.top[position]), bool(plan.flip[position]), settings
        x, y = _decode_of(files, int(plan.order[position]), record, settings.direction)
        x, y = augment(x, *how), augment(y, *how, labels=settings.target_palette is not None)
        return to_array(x, settings.g_in_planes), to_array(y, settings.g_out_planes)

    ahead: deque = deque()
    with ThreadPoolExecutor(DECODING_THREADS, "decode") as threads:
        for batch in positions:
            ahead.append([threads.submit(prepare, next(records), position) for position in batch])
            if len(ahead) > BATCHES_AHEAD:
                yield _stack(ahead.popleft())
        while ahead:
            yield _stack(ahead.popleft())


def _stack(pairs: list) -> tuple[np.ndarray, np.ndarray]:
    x, y = zip(*(pair.result() for pair in pairs), strict=True)
    return np.stack(x), np.stack(y)


def whole_pairs(
    files: list[Path], size: int, direction: Direction, labels: bool = False
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield name, input and target, each (size, size, 3) uint8, of every record, in file order.

    `labels`: whether targets are label maps.

    Raises:
        InputError: a file is damaged, or a record is not a pair.
    """
    count(files)
    for number, record in enumerate(iterate(files)):
        x, y = _decode_of(files, number, record, direction)
        yield record[0], np.asarray(resize(x, size)), np.asarray(resize(y, size, labels))
