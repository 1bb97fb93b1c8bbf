"""Design of drawn facades: colours, storeys, bays and all their parts.

There are four kinds of house, each with characteristic labels, so that a network can infer the photo
from the labels:

- brick townhouses have lintels (deco) over their windows;
- plastered southern houses have shutters (blind) and flowers;
- stone palaces have pillars and pediments;
- houses with shops are shown at dusk, with lit windows and some blinds down.

Details that labels do not determine (the shade of a wall, clouds, single bricks, leaves) vary slightly.
"""

import numpy as np

from pix2pix.demo.painting import Look, Part
from pix2pix.demo.strokes import UNITS, Colour, mix

KINDS = ("brick", "south", "palace", "dusk")
GROUND = 121.0


def choose_look(kind: str, rng: np.random.Generator) -> Look:
    """Draw the colours of a house, each from a range that is typical of its kind."""

    def between(a: Colour, b: Colour) -> Colour:
        return mix(a, b, rng.random())

    panes = ((2, 2), (2, 3), (2, 4), (3, 3))[rng.integers(4)]
    day = (between((92, 150, 214), (118, 172, 226)), (222, 233, 240))
    glass = ((52, 66, 84), (112, 134, 152))
    white, ground = (240, 238, 230), between((150, 148, 144), (166, 160, 150))
    if kind == "brick":
        wall, trim = between((158, 74, 56), (176, 92, 68)), between((222, 210, 188), (232, 224, 206))
        accent = between((34, 66, 58), (52, 50, 84))
        return Look(day, wall, "brick", trim, (84, 88, 100), white, accent, glass, ground, panes)
    if kind == "south":
        wall, trim = between((232, 184, 112), (234, 168, 146)), between((240, 226, 200), (246, 236, 216))
        accent = between((52, 116, 102), (58, 108, 128))
        return Look(day, wall, "plaster", trim, (190, 92, 60), white, accent, glass, ground, panes)
    if kind == "palace":
        wall, trim = between((196, 184, 158), (206, 198, 180)), between((216, 206, 184), (224, 218, 202))
        accent = between((92, 60, 40), (74, 52, 40))
        return Look(day, wall, "stone", trim, (104, 148, 134), (92, 74, 60), accent, glass, ground, panes)
    wall, trim = between((104, 92, 112), (116, 98, 106)), between((146, 132, 140), (156, 138, 138))
    accent = between((150, 44, 44), (166, 58, 40))
    sky, glass = ((44, 48, 104), (240, 150, 108)), ((255, 214, 128), (250, 176, 84))
    return Look(
        sky, wall, "plaster", trim, (62, 60, 78), (74, 58, 56), accent, glass, (92, 84, 92), panes, is_dusk=True
    )


def plan_facade(kind: str, rng: np.random.Generator) -> list[Part]:
    """Plan the parts of a house, from back to front; boxes in units, all inside the image."""
    x0, x1 = rng.uniform(6, 17), UNITS - rng.uniform(6, 17)
    storeys = int(rng.integers(3, 6))
    y0 = {3: 41, 4: 34, 5: 28}[storeys] + rng.uniform(-4, 4)
    height = (GROUND - y0 - 4) / (storeys + 0.2)
    bays = int(np.clip(round((x1 - x0) / (height * rng.uniform(0.9, 1.5))), 3, 6))
    edges = np.linspace(x0 + 4, x1 - 4, bays + 1)
    floors = [y0 + 4 + height * i for i in range(storeys)]
    parts = [*plan_roof(kind, x0, x1, y0, rng), Part("facade", (x0, y0, x1, GROUND))]
    shape = "arch" if kind == "palace" or (kind == "brick" and rng.random() < 0.4) else "box"
    some = choose_bays(bays, rng)
    for storey in range(storeys - 1):
        balconies = some if rng.random() < 0.7 else [False] * bays
        blinds = choose_bays(bays, rng)
        parts += plan_storey(kind, edges, floors[storey], floors[storey + 1], shape, balconies, blinds)
    for storey in range(1, storeys):
        if storey == storeys - 1 or kind == "palace":
            parts.append(Part("cornice", (x0 - 0.6, floors[storey] - 1, x1 + 0.6, floors[storey] + 1)))
    parts += plan_ground_floor(kind, edges, floors[-1], shape, rng)
    parts += plan_pillars(kind, edges, x0, x1, y0 + 3.4, floors[-1] - 1)
    parts.append(Part("cornice", (x0 - 2, y0 - 1, x1 + 2, y0 + 3.4)))
    return parts + plan_plants(kind, x0, x1, rng)


def plan_roof(kind: str, x0: float, x1: float, y0: float, rng: np.random.Generator) -> list[Part]:
    """Plan a roof with dormers and chimneys, or, for a palace, a roof behind a balustrade."""
    middle = (x0 + x1) / 2
    if kind == "palace":
        roof = Part("roof", (x0 + 5, y0 - rng.uniform(12, 20), x1 - 5, y0), "hip")
        return [roof, Part("balcony", (x0 + 1, y0 - 6.5, x1 - 1, y0))]
    is_gable = kind == "brick" and rng.random() < 0.5
    ridge = max(4.0, y0 - rng.uniform(11, 17) - 6 * is_gable)
    chimneys = (x0 + rng.uniform(16, 24), x1 - rng.uniform(16, 24))
    parts = [Part("roof", (x - 3, max(2.0, ridge - 3), x + 3, y0)) for x in chimneys]
    parts.append(Part("roof", (x0 - 1, ridge, x1 + 1, y0), "gable" if is_gable else "hip"))
    for x in (middle,) if is_gable else (middle - 22, middle, middle + 22):
        parts.append(Part("window", (x - 3, y0 - 9, x + 3, y0 - 2.5), "arch"))
    return parts


def choose_bays(bays: int, rng: np.random.Generator) -> list[bool]:
    """Choose bays symmetrically: all, none, the outer, the inner or every other."""
    outer = [i in (0, bays - 1) for i in range(bays)]
    inner = [abs(i - (bays - 1) / 2) < 1 for i in range(bays)]
    other = [min(i, bays - 1 - i) % 2 == 0 for i in range(bays)]
    return ([True] * bays, [False] * bays, outer, inner, other)[rng.integers(5)]


def plan_storey(
    kind: str, edges: np.ndarray, top: float, bottom: float, shape: str, balconies: list[bool], blinds: list[bool]
) -> list[Part]:
    """Plan the windows of an upper storey, bay by bay, with their decoration."""
    height, bay = bottom - top, edges[1] - edges[0]
    half = min(bay * (0.2 if kind == "south" else 0.25), height * (0.24 if shape == "arch" else 0.3))
    parts = []
    for middle, has_balcony, has_blind in zip((edges[:-1] + edges[1:]) / 2, balconies, blinds, strict=True):
        y0, y1 = top + height * 0.27, bottom - (1.7 if has_balcony else height * 0.16)
        x0, x1 = middle - half, middle + half
        is_down = kind == "dusk" and has_blind and not has_balcony
        parts.append(Part("blind" if is_down else "window", (x0, y0, x1, y1), shape))
        if kind == "south":
            wing, gap = half * 0.8, 0.8
            parts.append(Part("blind", (x0 - gap - wing, y0, x0 - gap, y1)))
            parts.append(Part("blind", (x1 + gap, y0, x1 + gap + wing, y1)))
        if kind == "brick":
            parts.append(Part("deco", (x0 - 1.6, y0 - 3.2, x1 + 1.6, y0 - 0.4)))
        if kind == "palace":
            parts.append(Part("deco", (x0 - 2.2, y0 - 4, x1 + 2.2, y0 - 1), "gable"))
        if has_balcony:
            reach = half * 1.7
            parts.append(Part("balcony", (middle - reach, bottom - height * 0.4, middle + reach, bottom - 0.8)))
        else:
            flowers = 2.6 if kind == "south" else 0
            parts.append(Part("sill", (x0 - 1.4, y1 - flowers, x1 + 1.4, y1 + 1.5)))
    return parts


def plan_ground_floor(kind: str, edges: np.ndarray, top: float, shape: str, rng: np.random.Generator) -> list[Part]:
    """Plan a door in one bay, and windows or shops in the others."""
    bays, bay, height = len(edges) - 1, edges[1] - edges[0], GROUND - top
    door = bays // 2 if bays % 2 else int(rng.integers(bays))
    parts = []
    for i, middle in enumerate((edges[:-1] + edges[1:]) / 2):
        half = min(bay * 0.27, height * (0.24 if shape == "arch" else 0.3))
        if i == door:
            door_shape = shape if kind == "palace" else ("box", "arch")[rng.integers(2)]
            parts.append(Part("door", (middle - half, top + height * 0.2, middle + half, GROUND - 0.4), door_shape))
        elif kind == "dusk":
            parts.append(Part("shop", (middle - bay * 0.42, top + height * 0.14, middle + bay * 0.42, GROUND - 1)))
        else:
            box = (middle - half, top + height * 0.24, middle + half, GROUND - height * 0.26)
            parts += [Part("window", box, shape), Part("sill", (box[0] - 1.4, box[3], box[2] + 1.4, box[3] + 1.5))]
    return parts


def plan_pillars(kind: str, edges: np.ndarray, x0: float, x1: float, top: float, bottom: float) -> list[Part]:
    """Plan pilasters between the bays of a palace, or strips at the corners of a brick house."""
    if kind == "palace":
        return [Part("pillar", (x - 1.5, top, x + 1.5, bottom)) for x in edges]
    if kind == "brick":
        return [Part("pillar", (x0, top, x0 + 3, GROUND - 4)), Part("pillar", (x1 - 3, top, x1, GROUND - 4))]
    return []


def plan_plants(kind: str, x0: float, x1: float, rng: np.random.Generator) -> list[Part]:
    """Plan occasional street trees at the sides."""
    parts = []
    for x in (x0 - 2, x1 + 2):
        if rng.random() < (0.6 if kind == "south" else 0.3):
            radius, y = rng.uniform(8, 11), rng.uniform(88, 98)
            middle = float(np.clip(x, radius, UNITS - radius))
            parts.append(Part("plant", (middle - 0.9, y, middle + 0.9, GROUND + 1)))
            parts.append(Part("plant", (middle - radius, y - radius * 1.4, middle + radius, y + radius * 0.9), "crown"))
    return parts
