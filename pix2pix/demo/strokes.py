"""Drawing primitives for facades: shapes, shadows, materials and foliage.

Lengths are in units: an image is UNITS units wide, regardless of its size in pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

UNITS = 128

Box = tuple[float, float, float, float]
Colour = tuple[int, int, int]
Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Canvas:
    """An RGB image and its scale in pixels per unit."""

    image: Image.Image
    scale: float

    def pixels(self, points: Points) -> Points:
        """Convert points from units to pixels."""
        return [(x * self.scale, y * self.scale) for x, y in points]


def outline(box: Box, shape: str = "box") -> Points:
    """The corner points of a part's shape inside its box, in units."""
    x0, y0, x1, y1 = box
    middle, width, height = (x0 + x1) / 2, x1 - x0, y1 - y0
    if shape == "arch":
        rise = min(width / 2, height / 2)
        turn = np.linspace(np.pi, 0, 17)
        arc = [(middle + width / 2 * np.cos(a), y0 + rise - rise * np.sin(a)) for a in turn]
        return [(x0, y1), *arc, (x1, y1)]
    if shape == "gable":
        return [(x0, y1), (middle, y0), (x1, y1)]
    if shape == "hip":
        return [(x0, y1), (x0 + height * 0.7, y0), (x1 - height * 0.7, y0), (x1, y1)]
    if shape == "crown":
        turn = np.linspace(0, 2 * np.pi, 25)[:-1]
        wave = 1 + 0.07 * np.cos(5 * turn)
        return [
            (middle + width / 2.2 * np.cos(a) * w, y0 + height / 2 + height / 2.2 * np.sin(a) * w)
            for a, w in zip(turn, wave, strict=True)
        ]
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def tone(colour: Colour, factor: float) -> Colour:
    """Lighten (factor above 1) or darken a colour."""
    red, green, blue = (int(min(255, max(0, round(channel * factor)))) for channel in colour)
    return red, green, blue


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Interpolate between colours, from `a` (share 0) to `b` (share 1)."""
    red, green, blue = (round(p + (q - p) * share) for p, q in zip(a, b, strict=True))
    return red, green, blue


def fill(canvas: Canvas, points: Points, colour: Colour) -> None:
    """Paint a polygon in one colour."""
    ImageDraw.Draw(canvas.image).polygon(canvas.pixels(points), fill=colour)


def inset(box: Box, by: float) -> Box:
    """Shrink a box by `by` units on all sides (enlarge it if negative)."""
    return (box[0] + by, box[1] + by, box[2] - by, box[3] - by)


def stencil(canvas: Canvas, points: Points) -> tuple[int, int, np.ndarray]:
    """Return a polygon's left and upper edge in pixels and its mask, uint8 (height, width) of 0 and 255."""
    corners = np.array(canvas.pixels(points))
    left, upper = np.floor(corners.min(axis=0)).astype(int).tolist()
    right, lower = np.ceil(corners.max(axis=0)).astype(int).tolist()
    inside = Image.new("L", (max(1, right - left), max(1, lower - upper)))
    ImageDraw.Draw(inside).polygon([(x - left, y - upper) for x, y in corners.tolist()], fill=255)
    return left, upper, np.asarray(inside)


def blend(canvas: Canvas, points: Points, top: Colour, bottom: Colour, opacity: Sequence[float] = (1, 1)) -> None:
    """Paint a polygon with a vertical gradient of colours and opacities (0 to 1)."""
    left, upper, mask = stencil(canvas, points)
    height, width = mask.shape
    down = np.linspace(0, 1, height)[:, None]
    colours = (np.array(top) * (1 - down) + np.array(bottom) * down).round().astype(np.uint8)
    alpha = (255 * (opacity[0] * (1 - down) + opacity[1] * down)).round().astype(np.uint8)
    patch = Image.fromarray(np.repeat(colours[:, None], width, axis=1))
    canvas.image.paste(patch, (left, upper), Image.fromarray(np.minimum(mask, alpha)))


def shade(canvas: Canvas, box: Box, strength: float = 0.45) -> None:
    """Darken a box, most at its top: the shadow of a part that protrudes above it."""
    blend(canvas, outline(box), (14, 16, 30), (14, 16, 30), (strength, 0))


def mottle(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> np.ndarray:
    """Smooth noise in about [-1, 1] of shape (height, width), with spots `cell` pixels wide."""
    height, width = shape
    grid = rng.uniform(-1, 1, (max(2, round(height / cell)), max(2, round(width / cell)))).astype(np.float32)
    return np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC))


def courses(
    rng: np.random.Generator, shape: tuple[int, int], height: float, length: float, vary: float, joint: float
) -> np.ndarray:
    """Rows of bricks, blocks or tiles as factors of shape (height, width) pixels.

    `height` and `length` are those of a brick, in pixels; `vary` is the variation between bricks,
    `joint` the factor of the joints between them.
    """
    y = np.arange(shape[0], dtype=np.float32)[:, None]
    row = (y // height).astype(int)
    x = np.arange(shape[1], dtype=np.float32)[None] + (row % 2) * np.float32(length / 2)
    column = (x // length).astype(int)
    tones = 1 + vary * rng.uniform(-1, 1, (row.max() + 1, column.max() + 1)).astype(np.float32)
    width = max(1.0, 0.16 * height)
    return np.where((y % height < width) | (x % length < width), np.float32(joint), tones[row, column])


def texture(rng: np.random.Generator, shape: tuple[int, int], k: float, material: str) -> np.ndarray:
    """The brightness factors of a material, of shape (height, width), at `k` pixels per unit."""
    patches = 1 + 0.05 * mottle(rng, shape, 26 * k) + 0.025 * mottle(rng, shape, 4 * k)
    match material:
        case "brick":
            return patches * courses(rng, shape, 2.25 * k, 6 * k, 0.14, 1.22)
        case "stone":
            return patches * courses(rng, shape, 5.5 * k, 13 * k, 0.045, 0.86)
        case "slate":
            return patches * courses(rng, shape, 2.5 * k, 3.5 * k, 0.1, 0.74)
        case "slabs":
            return patches * courses(rng, shape, 2.6 * k, 9 * k, 0.05, 0.84)
        case "tiles":
            waves = 1 + 0.13 * np.cos(np.arange(shape[1], dtype=np.float32) * 2 * np.pi / (2.6 * k))
            return patches * courses(rng, shape, 3 * k, 2.6 * k, 0.1, 0.72) * waves
    return patches


def lay(
    canvas: Canvas, points: Points, colour: Colour, rng: np.random.Generator, material: str, fade: float = 0.0
) -> None:
    """Paint a polygon in a colour and a material, darkened towards the bottom by `fade`."""
    left, upper, mask = stencil(canvas, points)
    height, width = mask.shape
    down = 1 - fade * np.linspace(0, 1, height, dtype=np.float32)[:, None]
    factors = texture(rng, mask.shape, canvas.scale, material) * down
    paint = np.empty((height, width, 3), np.uint8)
    for i, channel in enumerate(colour):
        paint[..., i] = np.minimum(factors * np.float32(channel), 255)
    canvas.image.paste(Image.fromarray(paint), (left, upper), Image.fromarray(mask))


def leaves(canvas: Canvas, box: Box, colour: Colour, rng: np.random.Generator, size: float) -> None:
    """Paint foliage that fills an ellipse, dark at the bottom and light at the top."""
    x0, y0, x1, y1 = box
    for _ in range(int((x1 - x0) * (y1 - y0) / size**2 * 1.6)):
        turn, reach = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0, 1))
        x = (x0 + x1) / 2 + (x1 - x0) / 2 * reach * np.cos(turn)
        y = (y0 + y1) / 2 + (y1 - y0) / 2 * reach * np.sin(turn)
        light = 1.35 - 0.7 * (y - y0) / (y1 - y0) + rng.uniform(-0.16, 0.16)
        fill(canvas, outline(inset((x, y, x, y), -0.6 * size), "crown"), tone(colour, light))
