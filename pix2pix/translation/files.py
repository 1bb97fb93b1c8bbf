"""Translation of image files: which ones, under which names, and one after the other."""

import sys
import zlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix.data.images import MAX_PIXELS, open_rgb
from pix2pix.evaluation.prediction import IMAGES_AT_ONCE
from pix2pix.system.errors import InputError
from pix2pix.system.files import natural_order, replacing
from pix2pix.system.progress import Progress
from pix2pix.translation.generator import LoadedGenerator

SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}
SHOWN_AT_MOST = 5
AHEAD = 2  # images per thread that are decoded in advance


def find_images(paths: Iterable[Path]) -> list[Path]:
    """The images meant by `paths`: files, and the files directly in folders that have the suffix of an image.

    What is left out in a folder is printed; hidden files and folders are not mentioned.

    Raises:
        InputError: a path does not exist, or there is no image.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            if not path.exists():
                raise InputError(f"{path}: no such file or folder")
            found.append(path)
            continue
        inside = sorted(path.iterdir(), key=lambda file: natural_order(file.stem))
        files = [file for file in inside if not file.is_dir() and not file.name.startswith(".")]
        images = [file for file in files if file.suffix.lower() in SUFFIXES]
        if others := [file.name for file in files if file.suffix.lower() not in SUFFIXES]:
            more = f" and {len(others) - SHOWN_AT_MOST} more" if len(others) > SHOWN_AT_MOST else ""
            print(f"{path}: not images by their names: {', '.join(others[:SHOWN_AT_MOST])}{more}", file=sys.stderr)
        if not images:
            raise InputError(f"{path}: has no images ({', '.join(sorted(SUFFIXES))})")
        found += images
    return found


def output_names(images: list[Path]) -> list[str]:
    """The name of each output without .png: the stem, or the whole file name where several have the same stem.

    What is then still not unique gets a number. Names that are not stems are printed.
    """
    stems = Counter(image.stem for image in images)
    names: dict[str, Path] = {}
    for image in sorted(images, key=lambda image: stems[image.stem] > 1):
        name = base = image.stem if stems[image.stem] == 1 else image.name
        number = 2
        while name in names:
            name, number = f"{base}_{number}", number + 1
        names[name] = image
    of_image: dict[Path, deque[str]] = {}
    for name, image in names.items():
        of_image.setdefault(image, deque()).append(name)
    chosen = [of_image[image].popleft() for image in images]
    for image, name in zip(images, chosen, strict=True):
        if name != image.stem:
            print(f"{image}: another image has the same name, so the output is {name}.png", file=sys.stderr)
    return chosen


def check_output(folders: list[Path], images: list[Path]) -> None:
    """Check that no output can replace an input.

    Raises:
        InputError: an input lies in the folder of the outputs.
    """
    resolved = {folder.resolve(): folder for folder in folders}
    for image in images:
        # an image may be a link to one there
        if folder := resolved.get(image.parent.resolve()) or resolved.get(image.resolve().parent):
            raise InputError(
                f"{folder}: contains the input {image.name}, which an output could replace: choose another"
            )


def translate_files(
    generator: LoadedGenerator, images: list[Path], names: list[str], folder: Path, inputs: Path | None, **how: int
) -> list[str]:
    """Write the translation of each image to `folder`/{name}.png, and the input, as translated, to `inputs`.

    Args:
        how: `size`: pixels along the longer side to which each image is resized before translation; 0: its own size.
            `seed`: of the dropout. `threads`: number of images decoded in parallel.

    Returns:
        the names of the images that were written; those that were not are reported on stderr, one line each.

    Raises:
        InputError: the checkpoint is damaged or not of a generator.
        OSError: the folder cannot be written.
    """
    written: list[str] = []
    group: list[tuple[int, np.ndarray]] = []  # number and pixels of images of one padded size

    def finish() -> None:
        for number, output in _translate(generator, group, images, how["seed"]):
            _save(output, folder / f"{names[number]}.png")
            if inputs:
                _save(dict(group)[number], inputs / f"{names[number]}.png")
            written.append(names[number])
        group.clear()

    decoded = _decoded(images, how["size"], how["threads"])
    for number, image in enumerate(Progress(decoded, total=len(images), desc="translating", unit="image")):
        if isinstance(image, InputError):
            finish()
            print(f"error: {image}", file=sys.stderr, flush=True)
            continue
        pixels = np.asarray(image)
        if group and generator.padded_size(pixels) != generator.padded_size(group[0][1]):
            finish()
        group.append((number, pixels))
        if len(group) == IMAGES_AT_ONCE:
            finish()
    finish()
    return written


def _translate(
    generator: LoadedGenerator, group: list[tuple[int, np.ndarray]], images: list[Path], seed: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Translate images of one padded size with consecutive numbers; report those that are too large."""
    if not group:
        return
    size = generator.padded_size(group[0][1])
    try:
        generator.check_size(size)
    except InputError as error:
        for number, _ in group:
            print(f"error: {images[number]}: {error}", file=sys.stderr, flush=True)
        return
    translator = generator.translator(size, seed)
    for start in range(0, len(group), translator.images):
        part = group[start : start + translator.images]
        outputs = translator([pixels for _, pixels in part], part[0][0])
        yield from zip([number for number, _ in part], outputs, strict=True)


def _save(pixels: np.ndarray, path: Path) -> None:
    with replacing(path) as scratch:
        # the same bytes as those of predictions
        Image.fromarray(pixels).save(scratch, "PNG", compress_type=zlib.Z_RLE)


def _decode(path: Path, size: int) -> Image.Image | InputError:
    """The image as RGB, turned upright, or the reason why it cannot be used."""
    try:
        image = open_rgb(path, upright=True)
    except InputError as error:
        return error
    except OSError as error:
        return InputError(f"{path}: cannot be read ({error.strerror})")
    longer = max(image.size)
    if size in (0, longer):
        return image
    width, height = (max(1, round(side * size / longer)) for side in image.size)
    if width * height > MAX_PIXELS:
        return InputError(f"{path}: would be {width}x{height}: more than {MAX_PIXELS:,} pixels: lower --size")
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _decoded(paths: list[Path], size: int, threads: int) -> Iterator[Image.Image | InputError]:
    ahead: deque = deque()
    with ThreadPoolExecutor(threads, "decode") as pool:
        for path in paths:
            ahead.append(pool.submit(_decode, path, size))
            if len(ahead) > AHEAD * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
