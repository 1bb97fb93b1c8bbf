"""The grid shows the unchanged pixels of the images, with headings and names."""

import numpy as np
import pytest
from PIL import Image

from pix2pix.pages.grid import spread, write_grid


def noise(seed: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def find(grid: np.ndarray, image: np.ndarray) -> tuple[int, int] | None:
    """The position (y, x) of the image in the grid, pixel for pixel, or None."""
    height, width = image.shape[:2]
    for y, x in np.argwhere((grid == image[0, 0]).all(axis=-1)):
        if np.array_equal(grid[y : y + height, x : x + width], image):
            return int(y), int(x)
    return None


def read(path) -> np.ndarray:
    with Image.open(path) as image:
        assert (image.format, image.mode) == ("PNG", "RGBA")
        return np.asarray(image)[:, :, :3]


def test_images_appear_pixel_for_pixel_in_columns_and_rows(tmp_path):
    rows = [(f"{r}.jpg", *(noise(10 * r + c, 128, 160) for c in range(3))) for r in range(2)]
    write_grid(rows, tmp_path / "grid.png")
    grid = read(tmp_path / "grid.png")
    places = [[find(grid, image) for image in images] for _, *images in rows]
    assert all(None not in row for row in places)
    for row in places:
        assert len({y for y, _ in row}) == 1
        assert [x for _, x in row] == sorted(x for _, x in row)
    assert places[1][0][0] >= places[0][0][0] + 128
    top, left = places[0][0]
    with Image.open(tmp_path / "grid.png") as image:
        ink = np.asarray(image)[:, :, 3] > 128
    assert ink[:top, left:].any(), "headings stand above the columns"
    assert ink[top : top + 128, :left].any(), "the name stands left of the row"
    assert not ink[:top].all(), "there is no background, so that it suits light and dark pages"


def test_small_images_are_enlarged_by_whole_pixels(tmp_path):
    rows = [("a", *(noise(c, 48, 48) for c in range(3)))]
    write_grid(rows, tmp_path / "grid.png")
    enlarged = rows[0][2].repeat(3, axis=0).repeat(3, axis=1)
    assert find(read(tmp_path / "grid.png"), enlarged)


def test_rows_may_have_images_of_different_sizes(tmp_path):
    sizes = [(128, 160), (200, 130), (150, 300)]
    rows = [(str(r), *(noise(10 * r + c, *size) for c in range(3))) for r, size in enumerate(sizes)]
    write_grid(rows, tmp_path / "grid.png")
    grid = read(tmp_path / "grid.png")
    places = [[find(grid, image) for image in images] for _, *images in rows]
    assert all(None not in row for row in places)
    assert [row[0][0] - places[0][0][0] for row in places] == [0, 128 + 8, 128 + 8 + 200 + 8]
    # images are in the middle of their column
    assert [places[2][c][1] - places[0][c][1] for c in range(3)] == [-70] * 3


def test_large_images_are_reduced(tmp_path):
    write_grid([("a", *(noise(c, 1100, 2200) for c in range(3)))], tmp_path / "grid.png")
    assert 3 * 1024 < read(tmp_path / "grid.png").shape[1] < 3 * 1024 + 120


def test_rows_are_selected_at_even_intervals(tmp_path):
    rows = [(str(r), *(noise(10 * r + c, 128, 128) for c in range(3))) for r in range(10)]
    write_grid(rows, tmp_path / "grid.png", limit=4)
    grid = read(tmp_path / "grid.png")
    assert [r for r in range(10) if find(grid, rows[r][2])] == [0, 3, 6, 9]


@pytest.mark.parametrize(
    ("count", "limit", "expected"), [(1, 8, [0]), (3, 8, [0, 1, 2]), (100, 3, [0, 50, 99]), (5, 1, [0])]
)
def test_spread(count, limit, expected):
    assert spread(count, limit) == expected


def test_long_name_widens_the_grid_only_to_a_limit(tmp_path):
    widths = []
    for name in ("x" * 40, "x" * 400):
        write_grid([(name, *(noise(c, 128, 128) for c in range(3)))], tmp_path / "grid.png")
        widths.append(read(tmp_path / "grid.png").shape[1])
    assert widths[1] <= widths[0] + 10
