"""Colours found in images."""

import io

import numpy as np
from PIL import Image, ImageDraw

from pix2pix.browser.palette import find_palette

COLOURS = [(0, 0, 170), (200, 30, 30), (20, 190, 90), (250, 210, 0)]


def as_jpeg(image: Image.Image) -> np.ndarray:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=75)
    return np.asarray(Image.open(file))


def test_colours_of_a_label_map_survive_resizing_and_compression():
    image = Image.new("RGB", (160, 160), COLOURS[0])
    draw = ImageDraw.Draw(image)
    for number, colour in enumerate(COLOURS[1:]):
        draw.rectangle((20 + 40 * number, 20, 50 + 40 * number, 120 - 30 * number), fill=colour)
    found = find_palette([as_jpeg(image), as_jpeg(image.resize((128, 128), Image.Resampling.BICUBIC))])
    assert len(found) == len(COLOURS)
    assert np.abs(np.array(found) - COLOURS).max() <= 8, "most frequent first"


def test_a_drawing_has_a_background_and_a_pencil():
    image = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(image).line((10, 10, 200, 90, 30, 240), fill="black", width=2)
    assert find_palette([np.asarray(image.resize((200, 200), Image.Resampling.BICUBIC))]) == [(255,) * 3, (0,) * 3]


def test_a_photograph_has_no_palette():
    noise = np.random.default_rng(2).integers(0, 255, (12, 12, 3), np.uint8)
    assert find_palette([np.asarray(Image.fromarray(noise).resize((128, 128), Image.Resampling.BICUBIC))]) == []
