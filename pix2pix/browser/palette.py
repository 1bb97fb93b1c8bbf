"""The colours of label maps and drawings, found in images."""

from collections.abc import Sequence

import numpy as np

FLAT = 12  # levels of 255 by which a pixel inside an area may differ from its neighbours
LEAST_FLAT = 0.3  # of all pixels, in a label map
NEAR = 24  # levels of 255 by which each channel may differ from a colour: JPEG compression adds noise
CLOSE, MOSTLY = 8, 0.5  # half of them are closer: in a photograph, and where edges blend, they are spread
LEAST_SHARE = 0.001  # of the flat pixels, for a colour
MOST_COLOURS = 24
COVERED = 0.97  # of the flat pixels, by the colours together
GREY = 8  # levels of 255 between the channels of a grey
LINES = 0.75  # of all pixels are background in a drawing


def find_palette(images: Sequence[np.ndarray]) -> list[tuple[int, int, int]]:
    """The colours that make up images, most frequent first; none if they are photographs.

    Only pixels inside areas count, since resizing mixes colours at edges. For drawings, grey lines on a background,
    the colours are the background and the line that differs most from it.

    Args:
        images: (h, w, 3) uint8 each.
    """
    pixels = np.concatenate([image.reshape(-1, 3) for image in images])
    colours, shares = _frequencies(pixels)
    near = np.abs(colours - colours[0]).max(axis=1) <= NEAR
    if shares[np.ptp(colours, axis=1) <= GREY].sum() >= COVERED and shares[near].sum() >= LINES:
        line = max(colours, key=lambda colour: abs(int(colour.sum() - colours[0].sum())))
        return [_rgb(colours[0]), _rgb(line)]
    inside = np.concatenate([image[:-1, :-1][_flat(image)] for image in images])
    if len(inside) < LEAST_FLAT * len(pixels):
        return []
    colours, shares = _frequencies(inside)
    found: list[tuple[int, int, int]] = []
    covered = 0.0
    while len(colours) and len(found) <= MOST_COLOURS:
        distance = np.abs(colours - colours[0]).max(axis=1)
        near = distance <= NEAR
        share, close = shares[near].sum(), shares[distance <= CLOSE].sum()
        if share >= LEAST_SHARE and close >= MOSTLY * share:
            found.append(_rgb(colours[0]))
            covered += share
        colours, shares = colours[~near], shares[~near]
    return found if covered >= COVERED and len(found) <= MOST_COLOURS else []


def _frequencies(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The colours, (n, 3) int, of pixels and the share of each, most frequent first."""
    packed = pixels.astype(int) @ (65536, 256, 1)
    values, counts = np.unique(packed, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    colours = values[order, np.newaxis] // (65536, 256, 1) % 256
    return colours, counts[order] / len(pixels)


def _flat(image: np.ndarray) -> np.ndarray:
    """Which pixels, (h - 1, w - 1) bool, are like their neighbours to the right and below."""
    levels = image.astype(int)
    corner = levels[:-1, :-1]
    others = levels[1:, :-1], levels[:-1, 1:], levels[1:, 1:]
    return np.max([np.abs(corner - each).max(axis=2) for each in others], axis=0) <= FLAT


def _rgb(colour: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = map(int, colour)
    return red, green, blue
