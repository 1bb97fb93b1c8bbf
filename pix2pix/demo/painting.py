"""Painters of the parts of a drawn facade, for its photo.

A painter takes the canvas, the part, the facade's look and a random generator, and paints a part of
that kind. The light comes from straight above, so that a flipped image is equally plausible.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

from pix2pix.demo.strokes import (
    UNITS,
    Box,
    Canvas,
    Colour,
    blend,
    fill,
    inset,
    lay,
    leaves,
    mottle,
    outline,
    shade,
    tone,
)

IRON = (38, 40, 44)
SOIL_GREEN = (62, 92, 48)


@dataclass(frozen=True)
class Part:
    """One labelled part: `kind` is a name in the palette, `box` its (left, top, right, bottom) in units."""

    kind: str
    box: Box
    shape: str = "box"


@dataclass(frozen=True)
class Look:
    """The colours and materials of one facade."""

    sky: tuple[Colour, Colour]
    wall: Colour
    material: str
    trim: Colour
    roof: Colour
    frame: Colour
    accent: Colour
    glass: tuple[Colour, Colour]
    ground: Colour
    panes: tuple[int, int]
    is_dusk: bool = False


def paint_background(canvas: Canvas, look: Look, rng: np.random.Generator, ground: float) -> None:
    """The sky with thin clouds, and the pavement below `ground`."""
    side = canvas.image.width
    cell = 17 * canvas.scale
    clouds = mottle(rng, (side, side), 2.5 * cell) + 0.5 * mottle(rng, (side, side), cell)
    veil = Image.fromarray((np.clip(clouds * (0.25 if look.is_dusk else 0.4), 0, 1) * 255).astype(np.uint8))
    blend(canvas, outline((0, 0, UNITS, ground)), *look.sky)
    canvas.image.paste((236, 160, 140) if look.is_dusk else (255, 255, 255), mask=veil)
    lay(canvas, outline((0, ground, UNITS, UNITS)), look.ground, rng, "slabs")
    blend(canvas, outline((0, UNITS - 2.4, UNITS, UNITS)), tone(look.ground, 1.12), tone(look.ground, 0.6))


def paint_facade(canvas: Canvas, part: Part, look: Look, rng: np.random.Generator) -> None:
    """The wall in its material, darker towards the street."""
    lay(canvas, outline(part.box), look.wall, rng, look.material, fade=0.14)
    x0, _, x1, y1 = part.box
    fill(canvas, outline((x0, y1 - 3.2, x1, y1)), tone(look.trim, 0.72))
    fill(canvas, outline((x0, y1 - 3.6, x1, y1 - 3.2)), tone(look.trim, 0.95))


def paint_roof(canvas: Canvas, part: Part, look: Look, rng: np.random.Generator) -> None:
    """A tiled or slated roof; a small part is a chimney."""
    x0, y0, x1, _ = part.box
    if x1 - x0 < 12 and part.shape == "box":
        lay(canvas, outline(part.box), tone(look.roof, 0.85), rng, "brick")
        fill(canvas, outline((x0 - 0.4, y0, x1 + 0.4, y0 + 1.2)), tone(look.trim, 0.8))
        return
    material = "tiles" if look.material == "plaster" else "slate"
    lay(canvas, outline(part.box, part.shape), look.roof, rng, material)
    blend(canvas, outline(part.box, part.shape), (255, 255, 255), (10, 10, 20), (0.14, 0.2))


def paint_window(canvas: Canvas, part: Part, look: Look, rng: np.random.Generator) -> None:
    """Surround, frame, glass with the sky's reflection or a lit room, curtains and mullions."""
    x0, y0, x1, y1 = part.box
    fill(canvas, outline(inset(part.box, -1.1), part.shape), tone(look.trim, 0.97))
    fill(canvas, outline(part.box, part.shape), look.frame)
    pane = inset(part.box, 0.8)
    glass = tone(look.glass[0], rng.uniform(0.92, 1.08)), tone(look.glass[1], rng.uniform(0.92, 1.08))
    blend(canvas, outline(pane, part.shape), *glass)
    width, height = x1 - x0, y1 - y0
    rise = width / 2 if part.shape == "arch" else 0
    if look.is_dusk:
        curtain, streak = (255, 236, 196), 0.0
    else:
        curtain, streak = (226, 226, 220), 0.22
    for a, b in ((pane[0], pane[0] + width * 0.17), (pane[2] - width * 0.17, pane[2])):
        blend(canvas, outline((a, pane[1] + rise, b, pane[3])), curtain, curtain, (0.5, 0.25))
    slant = [(x0 + width * s, y) for s, y in ((0.62, pane[1]), (0.86, pane[1]), (0.46, pane[3]), (0.22, pane[3]))]
    if not rise:
        blend(canvas, slant, (255, 255, 255), (255, 255, 255), (streak, streak / 3))
    columns, rows = look.panes
    for i in range(1, columns):
        x = pane[0] + (pane[2] - pane[0]) * i / columns
        fill(canvas, outline((x - 0.35, pane[1], x + 0.35, pane[3])), look.frame)
    for i in range(1, rows):
        y = pane[1] + rise + (height - 1.6 - rise) * (i / rows if rows > 2 or rise else 0.34)
        fill(canvas, outline((pane[0], y - 0.35, pane[2], y + 0.35)), look.frame)
    shade(canvas, (pane[0], pane[1] + rise * 0.6, pane[2], pane[1] + rise * 0.6 + 2.2), 0.4)


def paint_blind(canvas: Canvas, part: Part, look: Look, rng: np.random.Generator) -> None:
    """A shutter with its slats; at dusk a blind that is down."""
    colour = tone((196, 150, 96) if look.is_dusk else look.accent, rng.uniform(0.95, 1.05))
    x0, y0, x1, y1 = part.box
    if look.is_dusk:
        fill(canvas, outline(inset(part.box, -1.1), part.shape), tone(look.trim, 0.97))
    fill(canvas, outline(part.box, part.shape), tone(colour, 0.8))
    edge = inset(part.box, 0.55)
    for y in np.arange(edge[1], edge[3] - 0.5, 1.25):
        fill(canvas, outline((edge[0], y, edge[2], min(y + 0.8, edge[3]))), tone(colour, 1.12))
    shade(canvas, (x0, y0, x1, min(y1, y0 + 2)), 0.3)


def paint_door(canvas: Canvas, part: Part, look: Look, rng: np.random.Generator) -> None:
    """A panelled double door under a fanlight, with a step before it."""
    x0, y0, x1, y1 = part.box
    width, top = x1 - x0, y0 + (x1 - x0) * (0.5 if part.shape == "arch" else 0.32)
    fill(canvas, outline((x0 - 1.6, y0 - 1.6, x1 + 1.6, y1), part.shape), look.trim)
    fill(canvas, outline(part.box, part.shape), tone(look.accent, 0.62))
    blend(canvas, outline((x0 + 0.8, y0 + 0.8, x1 - 0.8, top), part.shape), *look.glass)
    middle = (x0 + x1) / 2
    for left, right in ((x0 + 0.6, middle - 0.2), (middle + 0.2, x1 - 0.6)):
        fill(canvas, outline((left, top + 0.6, right, y1)), look.accent)
        split = top + (y1 - top) * 0.58
        for upper, lower in ((top + 1.6, split - 0.6), (split + 0.6, y1 - 1.4)):
            panel = (left + 0.8, upper, right - 0.8, lower)
            fill(canvas, outline(panel), tone(look.accent, 0.72))
            fill(canvas, outline((panel[0], panel[3] - 0.5, panel[2], panel[3])), tone(look.accent, 1.25))
    y = top + (y1 - top) * 0.6
    fill(canvas, outline((middle + 0.5, y, middle + 1.1, y + 0.7)), (222, 190, 110))
    shade(canvas, (x0, y0 + width * 0.2, x1, y0 + width * 0.2 + 2.5), 0.35)
    fill(canvas, outline((x0 - 2, y1 - 0.9, x1 + 2, y1 + 0.7)), tone(look.trim, 0.9))


def paint_sill(canvas: Canvas, part: Part, look: Look, rng: np.random.Generator) -> None:
    """A stone sill; a high one has a box of flowers."""
    x0, y0, x1, y1 = part.box
    fill(canvas, outline((x0, y1 - 1.3, x1, y1)), tone(look.trim, 1.06))
    shade(canvas, (x0 + 0.4, y1, x1 - 0.4, y1 + 1.8), 0.38)
    if y1 - y0 > 2:
        fill(canvas, outline((x0 + 0.3, y1 - 2.2, x1 - 0.3, y1 - 0.9)), (140, 84, 58))
        leaves(canvas, (x0, y0, x1, y1 - 1.6), SOIL_GREEN, rng, size=1.0)
        blossom = ((214, 48, 60), (236, 92, 130), (240, 232, 226))
        for _ in range(int((x1 - x0) * 1.3)):
            x, y = rng.uniform(x0 + 0.4, x1 - 0.4), rng.uniform(y0 + 0.2, y1 - 1.8)
            fill(canvas, outline(inset((x, y, x, y), -0.42), "crown"), blossom[rng.integers(len(blossom))])


def paint_balcony(canvas: Canvas, part: Part, look: Look, rng: np.random.Generator) -> None:
    """A slab on brackets with a railing: iron bars, or stone balusters if the wall is stone."""
    x0, y0, x1, y1 = part.box
    slab = y1 - 1.7
    shade(canvas, (x0 + 0.5, y1, x1 - 0.5, y1 + 4.5), 0.5)
    for x in (x0 + 1.5, x1 - 2.7):
        fill(canvas, [(x, y1), (x + 1.2, y1), (x + 1.2, y1 + 1.2), (x, y1 + 2.4)], tone(look.trim, 0.8))
    is_stone = look.material == "stone"
    colour, pitch, bar = (tone(look.trim, 1.04), 1.9, 1.15) if is_stone else (IRON, 1.25, 0.42)
    if is_stone:
        fill(canvas, outline((x0, y0, x1, slab)), tone(look.wall, 0.5))
    count = max(2, round((x1 - x0 - bar) / pitch))
    for x in np.linspace(x0, x1 - bar, count + 1):
        fill(canvas, outline((x, y0, x + bar, slab)), colour)
    rail = 1.1 if is_stone else 0.6
    fill(canvas, outline((x0 - 0.3, y0, x1 + 0.3, y0 + rail)), colour)
    fill(canvas, outline((x0, slab - rail, x1, slab)), colour)
    fill(canvas, outline((x0 - 0.4, slab, x1 + 0.4, y1)), tone(look.trim, 1.02))
    fill(canvas, outline((x0 - 0.4, y1 - 0.5, x1 + 0.4, y1)), tone(look.trim, 0.78))


def paint_cornice(canvas: Canvas, part: Part, look: Look, rng: np.random.Generator) -> None:
    """A moulded band, lit from above, with its shadow; a high one has dentils."""
    x0, y0, x1, y1 = part.box
    shade(canvas, (x0 + 0.8, y1, x1 - 0.8, y1 + (y1 - y0)), 0.5)
    blend(canvas, outline(part.box), tone(look.trim, 1.1), tone(look.trim, 0.84))
    fill(canvas, outline((x0, y0, x1, y0 + 0.5)), tone(look.trim, 1.18))
    if y1 - y0 > 3:
        dentils = y0 + (y1 - y0) * 0.55
        fill(canvas, outline((x0, dentils, x1, y1)), tone(look.trim, 0.62))
        for x in np.arange(x0 + 0.3, x1 - 1.1, 2.2):
            fill(canvas, outline((x, dentils, x + 1.2, y1 - 0.4)), tone(look.trim, 1.02))
        fill(canvas, outline((x0, dentils - 0.4, x1, dentils)), tone(look.trim, 0.75))


def paint_deco(canvas: Canvas, part: Part, look: Look, rng: np.random.Generator) -> None:
    """A pediment or a lintel with a keystone."""
    x0, y0, x1, y1 = part.box
    shade(canvas, (x0, y1, x1, y1 + 1.6), 0.4)
    fill(canvas, outline(part.box, part.shape), tone(look.trim, 1.04))
    if part.shape == "gable":
        inner = (x0 + 2.4, y0 + 1.3, x1 - 2.4, y1 - 0.8)
        fill(canvas, outline(inner, "gable"), tone(look.trim, 0.78))
        return
    fill(canvas, outline((x0, y1 - 0.5, x1, y1)), tone(look.trim, 0.74))
    middle = (x0 + x1) / 2
    fill(
        canvas, [(middle - 1.3, y0), (middle + 1.3, y0), (middle + 0.8, y1), (middle - 0.8, y1)], tone(look.trim, 1.16)
    )


def paint_pillar(canvas: Canvas, part: Part, look: Look, rng: np.random.Generator) -> None:
    """A pilaster, round in its shading, with base and capital."""
    x0, y0, x1, y1 = part.box
    for t in np.linspace(0, 1, 9)[:-1]:
        light = 0.8 + 0.3 * np.sin(np.pi * (t + 0.0625))
        strip = (x0 + (x1 - x0) * t, y0, x0 + (x1 - x0) * (t + 0.125), y1)
        fill(canvas, outline(strip), tone(look.trim, light))
    for top, bottom in ((y0, y0 + 2.2), (y1 - 2.2, y1)):
        blend(canvas, outline((x0 - 0.5, top, x1 + 0.5, bottom)), tone(look.trim, 1.14), tone(look.trim, 0.84))
    shade(canvas, (x0, y0 + 2.2, x1, y0 + 3.6), 0.35)


def paint_shop(canvas: Canvas, part: Part, look: Look, rng: np.random.Generator) -> None:
    """A lit shop window under a striped awning."""
    x0, y0, x1, y1 = part.box
    awning = y0 + (y1 - y0) * 0.36
    fill(canvas, outline(part.box), tone(look.accent, 0.55))
    blend(canvas, outline((x0 + 1, awning, x1 - 1, y1 - 3)), (255, 232, 170), (242, 176, 92))
    for x in np.linspace(x0 + 1, x1 - 1, max(2, round((x1 - x0) / 9)) + 1):
        fill(canvas, outline((x - 0.4, awning, x + 0.4, y1 - 3)), tone(look.accent, 0.5))
    for x in np.arange(x0 + 2.2, x1 - 3, 2.6):
        ware = rng.uniform(1.6, 4.4)
        fill(canvas, outline((x, y1 - 3 - ware, x + 1.7, y1 - 3)), tone((150, 84, 52), rng.uniform(0.7, 1.3)))
    shade(canvas, (x0 + 1, awning, x1 - 1, awning + 2.4), 0.4)
    stripes = max(3, round((x1 - x0) / 3)) | 1
    edges = np.linspace(x0, x1, stripes + 1)
    for i, (left, right) in enumerate(pairwise(edges)):
        cloth = (238, 226, 210) if i % 2 else look.accent
        drop = (left, awning - 1.4, right, awning + 0.4)
        blend(canvas, outline((left, y0, right, awning - 1)), tone(cloth, 0.85), tone(cloth, 1.1))
        fill(canvas, outline(drop), tone(cloth, 0.9))


def paint_plant(canvas: Canvas, part: Part, look: Look, rng: np.random.Generator) -> None:
    """A street tree: its crown, or its trunk if the shape is a box."""
    if part.shape == "box":
        blend(canvas, outline(part.box), (70, 54, 42), (104, 82, 62))
        return
    colour = tone((86, 124, 58), 0.5 if look.is_dusk else rng.uniform(0.9, 1.1))
    fill(canvas, outline(part.box, part.shape), tone(colour, 0.7))
    leaves(canvas, inset(part.box, 0.8), colour, rng, size=1.5)


PAINTERS: dict[str, Callable[[Canvas, Part, Look, np.random.Generator], None]] = {
    "facade": paint_facade,
    "roof": paint_roof,
    "window": paint_window,
    "blind": paint_blind,
    "door": paint_door,
    "sill": paint_sill,
    "balcony": paint_balcony,
    "cornice": paint_cornice,
    "deco": paint_deco,
    "pillar": paint_pillar,
    "shop": paint_shop,
    "plant": paint_plant,
}
