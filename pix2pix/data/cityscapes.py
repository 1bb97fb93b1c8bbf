"""Pairs of street photo and label map from the official Cityscapes packages, in the layout of the published archive.

    leftImg8bit/{train,val}/CITY/CITY_SEQUENCE_FRAME_leftImg8bit.png      the photo, 2048 x 1024 pixels
    gtFine/{train,val}/CITY/CITY_SEQUENCE_FRAME_gtFine_color.png          its label map in colours

become OUTPUT/{train,val}/1.jpg, 2.jpg, ... in alphabetical order of city and frame: the photo on the left, the label
map on the right, 256 x 256 pixels each. The photo is resized bicubically and the label map by nearest neighbour, so it
contains no other colours. The pair is a JPEG of quality 100 without chroma subsampling, like those of
pytorch-CycleGAN-and-pix2pix's datasets/prepare_cityscapes_dataset.py, which counts from 0, calls val test, and
resizes label maps bicubically as well.
"""

import io
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path, PurePosixPath

from PIL import Image

from pix2pix.data.images import open_rgb
from pix2pix.sources.archive import archive_files
from pix2pix.sources.folder import folder_files
from pix2pix.system.errors import InputError
from pix2pix.system.files import replacing
from pix2pix.system.progress import Progress

SPLITS = ("train", "val")
SIZE = 256  # pixels, width and height of each half
QUALITY = 100
PHOTO, LABELS = "_leftImg8bit.png", "_gtFine_color.png"
MOST_LINES = 10
Frame = tuple[str, str]  # split, and city and frame


def prepare_cityscapes(photos: Path, labels: Path, output: Path, threads: int = 1) -> dict[str, int]:
    """Write the pairs of leftImg8bit and gtFine to `output`, atomically.

    Args:
        photos: leftImg8bit_trainvaltest.zip, or the folder that it was extracted to.
        labels: gtFine_trainvaltest.zip, or the folder that it was extracted to.
        output: the folder to create.
        threads: number of images decoded in parallel.

    Returns:
        the number of pairs in each split.

    Raises:
        InputError: `output` exists; a source does not, is damaged, or has no such images; a photo lacks
            its label map, or the other way round.
    """
    if output.exists():
        raise InputError(f"{output}: exists already: delete it, or choose another folder")
    for source in (photos, labels):
        if not source.exists():
            raise InputError(f"{source}: no such file or folder")
    # resized label maps are kept as PNGs in memory: 20 MB for all of them
    maps = dict(_resized(labels, LABELS, Image.Resampling.NEAREST, threads))
    frames = {split: sorted(frame for frame in maps if frame[0] == split) for split in SPLITS}
    numbers = {frame: number for names in frames.values() for number, frame in enumerate(names, 1)}
    with replacing(output) as scratch:
        for split in SPLITS:
            (scratch / split).mkdir(parents=True)
        left = set(maps)
        alone = []
        for frame, photo in _resized(photos, PHOTO, Image.Resampling.BICUBIC, threads):
            if frame not in left:
                alone.append(f"{photos}: {'/'.join(frame)}: {labels} has no label map of this photo")
                continue
            left.remove(frame)
            _join(photo, maps[frame]).save(
                scratch / frame[0] / f"{numbers[frame]}.jpg", "JPEG", quality=QUALITY, subsampling=0
            )
        alone += [f"{labels}: {'/'.join(frame)}: {photos} has no photo of this label map" for frame in sorted(left)]
        if alone:
            more = [f"... and {len(alone) - MOST_LINES} more"] if len(alone) > MOST_LINES else []
            raise InputError("\n".join([*alone[:MOST_LINES], *more]))
    return {split: len(names) for split, names in frames.items()}


def _resized(source: Path, ending: str, how: Image.Resampling, threads: int) -> Iterator[tuple[Frame, bytes]]:
    """Yield the images with this ending, resized, as PNGs.

    Raises:
        InputError: there are none in a split, or two of one frame; the source or an image is damaged.
    """
    problems: list[str] = []
    pattern = re.compile(rf"(?:.*/)?({'|'.join(SPLITS)})/([^/]+/[^/]+){re.escape(ending)}")
    read = folder_files if source.is_dir() else archive_files
    files = read(source, lambda path: pattern.fullmatch(str(path)) is not None, problems.append)
    found: set[Frame] = set()

    def small(file: tuple[PurePosixPath, bytes]) -> tuple[Frame, bytes]:
        path, data = file
        match = pattern.fullmatch(str(path))
        assert match is not None
        buffer = io.BytesIO()
        open_rgb(data, f"{source}: {path}").resize((SIZE, SIZE), how).save(buffer, "PNG", compress_level=1)
        return (match[1], match[2]), buffer.getvalue()

    with ThreadPoolExecutor(threads) as pool, Progress(desc=source.name, unit=" images") as bar:
        while some := list(islice(files, 4 * threads)):
            for frame, data in pool.map(small, some):
                bar.update()
                if frame in found:
                    problems.append(f"{'/'.join(frame)}{ending}: occurs twice, in different folders: keep one")
                    continue
                found.add(frame)
                yield frame, data
    problems = [f"{source}: {line}" for line in problems]
    problems += [f"{source}: has no {split}/CITY/*{ending}" for split in SPLITS if split not in dict(found)]
    if problems:
        raise InputError("\n".join(problems[:MOST_LINES]))


def _join(photo: bytes, labels: bytes) -> Image.Image:
    pair = Image.new("RGB", (2 * SIZE, SIZE))
    for left, half in ((0, photo), (SIZE, labels)):
        with Image.open(io.BytesIO(half)) as image:
            pair.paste(image, (left, 0))
    return pair
