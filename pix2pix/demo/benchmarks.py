"""Miniatures of the six benchmarks: few pairs, in the layout, names, sizes and style of the published archives.

They rehearse the workflow before anyone downloads the real archives, which they resemble only in what programs see.
"""

import gzip
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from pix2pix.demo.drawing import add_image, draw_pair
from pix2pix.demo.houses import KINDS
from pix2pix.system.disk import disk_space
from pix2pix.system.files import replacing

SIZE, MAP_SIZE = 256, 600  # pixels of a half
Pair = tuple[Image.Image, Image.Image]
# colours of the official palette of Cityscapes
STREET = {
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "vegetation": (107, 142, 35),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "car": (0, 0, 142),
}
SEEN = {
    "road": (90, 90, 95),
    "sidewalk": (150, 145, 140),
    "building": (160, 130, 105),
    "vegetation": (60, 95, 45),
    "sky": (205, 220, 235),
    "person": (40, 45, 90),
    "car": (150, 30, 30),
}
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def facades(rng: np.random.Generator) -> Pair:
    """A facade and its label map."""
    photo, labels = draw_pair(KINDS[rng.integers(len(KINDS))], rng, SIZE)
    return Image.fromarray(photo), Image.fromarray(labels)


def cityscapes(rng: np.random.Generator) -> Pair:
    """A street and its label map, in the colours of Cityscapes."""
    horizon = int(rng.integers(90, 140))
    parts = [("sky", (0, 0, SIZE, SIZE)), ("sidewalk", (0, horizon, SIZE, SIZE))]
    for left in range(-20, SIZE, 60):
        top = int(rng.integers(10, horizon - 20))
        parts.append((("building", "building", "vegetation")[rng.integers(3)], (left, top, left + 62, horizon)))
    half = int(rng.integers(70, 110))
    parts.append(("road", (128 - half, horizon, 128 + half, SIZE)))
    for _ in range(rng.integers(1, 4)):
        x, y = int(rng.integers(40, 190)), int(rng.integers(horizon, 220))
        parts.append(
            ("car", (x, y - 18, x + 42, y + 8)) if rng.random() < 0.6 else ("person", (x, y - 26, x + 9, y + 8))
        )
    pair = Image.new("RGB", (SIZE, SIZE)), Image.new("RGB", (SIZE, SIZE))
    for image, colours in zip(pair, (SEEN, STREET), strict=True):
        draw = ImageDraw.Draw(image)
        for name, box in parts:
            draw.rectangle(box, colours[name])
    return _grain(pair[0], rng), pair[1]


def maps(rng: np.random.Generator) -> Pair:
    """A town from above and its map, 600 pixels wide."""
    aerial, drawn = (
        Image.new("RGB", (MAP_SIZE, MAP_SIZE), (95, 92, 85)),
        Image.new("RGB", (MAP_SIZE, MAP_SIZE), "#f0ede5"),
    )
    draws = ImageDraw.Draw(aerial), ImageDraw.Draw(drawn)
    x, y, radius = (int(value) for value in rng.integers((80, 80, 60), (520, 520, 140)))
    kinds = (("#46643c", "#c8df9f"), ("#2d4655", "#a3c7df"))  # a park, a lake
    for draw, shade in zip(draws, kinds[rng.integers(2)], strict=True):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), shade)
    streets = [int(value) for value in rng.integers(0, MAP_SIZE, 8)]
    for number, at in enumerate(streets):
        ends = ((at, 0, at, MAP_SIZE), (0, at, MAP_SIZE, at))[number % 2]
        draws[0].line(ends, (125, 122, 118), 14)
        draws[1].line(ends, WHITE, 10)
    for _ in range(60):
        x, y = (int(value) for value in rng.integers(0, MAP_SIZE, 2))
        if all(abs(value - at) > 30 for value, at in ((x, street) for street in streets)):
            draws[0].rectangle((x, y, x + 18, y + 14), tuple(int(c) for c in rng.integers(90, 200, 3)))
            draws[1].rectangle((x, y, x + 18, y + 14), "#e4e0d6")
    return _grain(aerial, rng), drawn


def night2day(rng: np.random.Generator) -> Pair:
    """A skyline at night and by day."""
    night, day = Image.new("RGB", (SIZE, SIZE), (12, 14, 35)), Image.new("RGB", (SIZE, SIZE), (150, 190, 230))
    draws = ImageDraw.Draw(night), ImageDraw.Draw(day)
    for left in range(0, SIZE, 32):
        top, shade = int(rng.integers(50, 150)), int(rng.integers(90, 170))
        for draw, colour in zip(draws, ((20, 20, 28), (shade, shade - 10, shade - 25)), strict=True):
            draw.rectangle((left, top, left + 30, 200), colour)
        for x, y in ((left + x, y) for x in (5, 18) for y in range(top + 8, 190, 18)):
            draws[0].rectangle((x, y, x + 7, y + 8), (235, 200, 110) if rng.random() < 0.5 else (30, 30, 40))
            draws[1].rectangle((x, y, x + 7, y + 8), (70, 85, 100))
    for draw, colour in zip(draws, ((18, 20, 18), (95, 120, 70)), strict=True):
        draw.rectangle((0, 200, SIZE, SIZE), colour)
    return _grain(night, rng), _grain(day, rng)


def edges2shoes(rng: np.random.Generator) -> Pair:
    """The edges of a shoe, and the shoe on white."""
    heel, toe = (int(value) for value in rng.integers((60, 120), (110, 150)))
    upper = [(30, 190), (34, heel), (80, heel - 15), (110, heel + 25), (190, toe), (226, 170), (228, 190)]
    sole = [(26, 190), (232, 190), (230, 206), (28, 206)]
    return _product([upper, sole], rng)


def edges2handbags(rng: np.random.Generator) -> Pair:
    """The edges of a handbag, and the handbag on white."""
    top, inset = (int(value) for value in rng.integers((100, 5), (130, 40)))
    body = [(40 + inset, top), (216 - inset, top), (224, 220), (32, 220)]
    strap = [(80, top), (100, 45), (156, 45), (176, top), (168, top), (150, 53), (106, 53), (88, top)]
    return _product([strap, body, [(110, top), (146, top), (146, top + 30), (110, top + 30)]], rng)


def _product(shapes: list[list[tuple[int, int]]], rng: np.random.Generator) -> Pair:
    edges, photo = Image.new("RGB", (SIZE, SIZE), WHITE), Image.new("RGB", (SIZE, SIZE), WHITE)
    colour = rng.integers(30, 220, 3)
    for number, shape in enumerate(shapes):
        ImageDraw.Draw(photo).polygon(shape, tuple(int(c) for c in np.clip(colour - 25 * number, 0, 255)))
        ImageDraw.Draw(edges).polygon(shape, WHITE)
        ImageDraw.Draw(edges).line([*shape, shape[0]], BLACK, 2)
    return edges, photo.filter(ImageFilter.GaussianBlur(1))


def _grain(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image, float) + rng.normal(0, 6, (*image.size[::-1], 1))
    return Image.fromarray(np.clip(pixels, 0, 255).round().astype(np.uint8))


STYLES: dict[str, Callable[[np.random.Generator], Pair]] = {
    each.__name__: each for each in (facades, cityscapes, maps, night2day, edges2shoes, edges2handbags)
}


def name_of(dataset: str, number: int) -> str:
    """The name of a pair as the published archives have it: 1.jpg, 14_1148_to_1163.jpg or 1_AB.jpg."""
    if dataset == "night2day":
        return f"{13 + number}_{1147 + number}_to_{1162 + number}.jpg"
    return f"{number}_AB.jpg" if dataset.startswith("edges2") else f"{number}.jpg"


def write_miniature(path: Path, dataset: str, counts: Mapping[str, int]) -> None:
    """Draw `counts` pairs of each split in the style of a benchmark and write the archive atomically.

    The same arguments give the same bytes.

    Raises:
        InputError: the disk is full.
        OSError: the archive cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        disk_space(path.parent),
        replacing(path) as scratch,
        open(scratch, "wb") as file,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for folder in (dataset, *(f"{dataset}/{split}" for split in counts)):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for of_split, (split, count) in enumerate(counts.items()):
            for number in range(1, count + 1):
                rng = np.random.default_rng((list(STYLES).index(dataset), of_split, number))
                pair = np.concatenate([np.asarray(half) for half in STYLES[dataset](rng)], axis=1)
                add_image(archive, f"{dataset}/{split}/{name_of(dataset, number)}", pair)
