"""Drawing of the demo dataset: pairs of photo and label map, as an archive in the published layout.

A facade is a list of labelled parts. The label map shows them in flat colours, the photo in detail.
"""

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pix2pix.demo.houses import GROUND, KINDS, choose_look, plan_facade
from pix2pix.demo.painting import PAINTERS, Part, paint_background
from pix2pix.demo.strokes import UNITS, Canvas, Colour, outline
from pix2pix.system.disk import disk_space
from pix2pix.system.files import replacing
from pix2pix.system.progress import Progress

# The colours of the CMP facades database as in the published archive. It has no roof, which gets the next
# colour of the same scale, and no plant, which gets the colour of its mouldings.
PALETTE: dict[str, Colour] = {
    "background": (0, 0, 222),
    "facade": (0, 48, 255),
    "window": (0, 128, 255),
    "door": (0, 208, 255),
    "sill": (32, 255, 222),
    "plant": (112, 255, 143),
    "balcony": (192, 255, 63),
    "blind": (255, 239, 0),
    "deco": (255, 160, 0),
    "cornice": (255, 80, 0),
    "pillar": (255, 0, 0),
    "shop": (174, 0, 0),
    "roof": (0, 0, 142),
}
SUPERSAMPLING = 4
JPEG_QUALITY = 92
GRAIN = 2.0


def draw_pair(kind: str, rng: np.random.Generator, size: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """Draw one facade of a kind in KINDS.

    Returns:
        The photo and the label map, each uint8 of shape (size, size, 3). The label map contains only
        colours of PALETTE, without antialiasing.
    """
    look, parts = choose_look(kind, rng), plan_facade(kind, rng)
    side = size * SUPERSAMPLING
    canvas = Canvas(Image.new("RGB", (side, side)), side / UNITS)
    paint_background(canvas, look, rng, GROUND)
    for part in parts:
        PAINTERS[part.kind](canvas, part, look, rng)
    photo = np.asarray(canvas.image.reduce(SUPERSAMPLING), dtype=np.float64)
    grain = rng.normal(0, GRAIN, (size, size, 1))
    return np.clip(photo + grain, 0, 255).round().astype(np.uint8), draw_labels(parts, size)


def draw_labels(parts: list[Part], size: int) -> np.ndarray:
    """Draw the label map of a facade's parts: uint8 of shape (size, size, 3), flat colours of PALETTE."""
    side = size * SUPERSAMPLING
    canvas = Canvas(Image.new("RGB", (side, side), PALETTE["background"]), side / UNITS)
    draw = ImageDraw.Draw(canvas.image)
    for part in parts:
        draw.polygon(canvas.pixels(outline(part.box, part.shape)), fill=PALETTE[part.kind])
    middle = SUPERSAMPLING // 2
    return np.asarray(canvas.image)[middle::SUPERSAMPLING, middle::SUPERSAMPLING].copy()


def write_demo(path: str | Path, train: int = 96, val: int = 16, seed: int = 0, size: int = 128) -> None:
    """Draw a dataset and write an archive of demo/{train,val}/{1,2,...}.jpg, photo left and labels right.

    The same arguments give the same bytes. Image n of a split does not depend on the number of images.
    The archive is written atomically.

    Raises:
        InputError: the disk is full.
        OSError: the archive cannot be written.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with (
        disk_space(Path(path).parent),
        replacing(path) as scratch,
        open(scratch, "wb") as file,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
        Progress(total=train + val, desc="drawing", unit="pair") as progress,
    ):
        for number_of_split, (split, count) in enumerate((("train", train), ("val", val))):
            for number in range(1, count + 1):
                rng = np.random.default_rng((seed, number_of_split, number))
                # equally many of each kind, in an order without a short period, so that every n-th shows all kinds
                kind = KINDS[(number + number // len(KINDS)) % len(KINDS)]
                image = np.concatenate(draw_pair(kind, rng, size), axis=1)
                add_image(archive, f"demo/{split}/{number}.jpg", image)
                progress.update()


def add_image(archive: tarfile.TarFile, name: str, image: np.ndarray) -> None:
    """Add a uint8 (height, width, 3) image to an open archive, as a JPEG with a fixed date and owner."""
    content = io.BytesIO()
    # full colour resolution: labels differ only by colour
    Image.fromarray(image).save(content, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content.getvalue()), 0o644
    content.seek(0)
    archive.addfile(entry, content)
