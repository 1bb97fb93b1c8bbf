"""An archive of pairs, each written as one lossless A|B image, and a table of what was left out.

B takes the size of A if both have the same aspect ratio. The EXIF orientation of both is applied.
"""

import csv
import gzip
import io
import sys
import tarfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from pix2pix.data.images import MAX_PIXELS, SMALLEST_HALF, open_rgb
from pix2pix.data.sorting import LONGEST_STEM
from pix2pix.pairing.partners import Pair
from pix2pix.sources.members import inside
from pix2pix.system.disk import disk_space
from pix2pix.system.errors import InputError
from pix2pix.system.files import replacing
from pix2pix.system.progress import Progress

SAME_ASPECT = 1.01  # ratio of aspect ratios: sizes are whole numbers
MOST_LINES = 50
WAITING = 4  # pairs per thread that are made ahead


class UnlikeError(Exception):
    """The images of a pair have different aspect ratios."""


def write_pairs(
    pairs: Sequence[Pair], left_out: list[str], archive: Path, table: Path, labels_b: bool = False, threads: int = 2
) -> dict[str, int]:
    """Write the pairs to a tar.gz archive, {split}/{name}.png, and what was left out to a CSV table, atomically.

    The same images give the same bytes. Pairs whose images have different aspect ratios are left out, too.

    Args:
        pairs: sorted by split.
        left_out: one line for each image that was left out so far.
        archive, table: the files to write.
        labels_b: whether B is a label map, which is resized by nearest neighbour.
        threads: number of pairs that are made in parallel.

    Returns:
        the number of pairs in each split.

    Raises:
        InputError: with one line per image that cannot be decoded, or that extraction would refuse for its name
            or its size; or the disk is full.
    """
    counts: dict[str, int] = {}
    problems: list[str] = []
    resized = 0
    archive.parent.mkdir(parents=True, exist_ok=True)
    with disk_space(archive.parent), replacing(archive) as scratch, open(scratch, "wb") as file:
        # without a name and a time in its header, so that its bytes depend on the pairs only
        with (
            gzip.GzipFile("", "wb", 1, file, 0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for pair, result in _made(pairs, labels_b, threads):
                if isinstance(result, UnlikeError):
                    left_out.append(str(result))
                elif isinstance(result, InputError):
                    problems.append(str(result))
                elif not problems:
                    data, was_resized = result
                    member = tarfile.TarInfo(f"{pair.split}/{pair.name}.png")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
                    counts[pair.split] = counts.get(pair.split, 0) + 1
                    resized += was_resized
        if problems:
            raise InputError("\n".join(_shortened(problems)))
        _report(left_out, table)
    if resized:
        how = "nearest neighbour" if labels_b else "bicubic"
        print(f"{resized} images B were resized to the size of their A ({how})", file=sys.stderr)
    return counts


def _report(left_out: list[str], table: Path) -> None:
    with (
        replacing(table) as scratch,
        open(scratch, "w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["left_out"])
        writer.writerows([line] for line in left_out)
    for line in _shortened(left_out):
        print(f"left out: {line}", file=sys.stderr)


def _made(
    pairs: Sequence[Pair], labels_b: bool, threads: int
) -> Iterator[tuple[Pair, tuple[bytes, bool] | InputError | UnlikeError]]:
    waiting: deque[tuple[Pair, Future]] = deque()
    with ThreadPoolExecutor(threads) as pool, Progress(total=len(pairs), desc="pairing", unit="pair") as bar:
        for pair in [*pairs, *[None] * (WAITING * threads)]:
            if pair:
                waiting.append((pair, pool.submit(_combine, pair, labels_b)))
            if waiting and (pair is None or len(waiting) > WAITING * threads):
                done, future = waiting.popleft()
                yield done, future.result()
                bar.update()


def _combine(pair: Pair, labels_b: bool) -> tuple[bytes, bool] | InputError | UnlikeError:
    """The pair as a PNG file, and whether B was resized; or why not."""
    wrong: list[str] = []
    if inside(f"{pair.name}.png", wrong.append) and len(pair.name.encode()) > LONGEST_STEM:
        wrong.append(f"{pair.a.name}: has a name longer than {LONGEST_STEM} bytes without its ending")
    if wrong:
        return InputError(f"{pair.a.parent}: {wrong[0]}: rename both images")
    try:
        a, b = open_rgb(pair.a, upright=True), open_rgb(pair.b, upright=True)
    except InputError as error:
        return error
    except OSError as error:
        return InputError(f"{error.filename}: cannot be read ({error.strerror})")
    if 2 * a.width * a.height > MAX_PIXELS:
        size = f"{a.width}x{a.height} pixels, and twice as many with its B are more than {MAX_PIXELS:,}"
        return InputError(f"{pair.a}: has {size}: make both smaller")
    if min(a.size) < SMALLEST_HALF:
        return InputError(f"{pair.a}: is {a.width}x{a.height}: smaller than {SMALLEST_HALF}x{SMALLEST_HALF}")
    change = (a.width / b.width) / (a.height / b.height)
    if max(change, 1 / change) > SAME_ASPECT:
        sizes = f"{a.width}x{a.height} pixels, but {pair.b} has {b.width}x{b.height}"
        return UnlikeError(f"{pair.a}: has {sizes}: another aspect ratio")
    both = Image.new("RGB", (2 * a.width, a.height))
    both.paste(a, (0, 0))
    how = Image.Resampling.NEAREST if labels_b else Image.Resampling.BICUBIC
    both.paste(b if b.size == a.size else b.resize(a.size, how), (a.width, 0))
    data = io.BytesIO()
    both.save(data, "PNG", compress_level=1)
    return data.getvalue(), a.size != b.size


def _shortened(lines: list[str]) -> list[str]:
    more = len(lines) - MOST_LINES
    return lines if more <= 0 else [*lines[:MOST_LINES], f"... and {more} more"]
