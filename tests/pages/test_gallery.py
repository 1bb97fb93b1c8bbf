"""The gallery in a browser: it sorts, finds, enlarges and compares, with the mouse and with the keyboard."""

import time
from pathlib import Path

import numpy as np
import pytest
from browser import SCREENS, check, look
from PIL import Image
from playwright.sync_api import expect

from pix2pix.pages.gallery import write_gallery

NAMES = ["10", "2", "14_1148_to_1163", "a b.c", "50%", "#1?", "c:d", "main", '<b>"x"&amp;\'', "ümläut"]
# by name: L1, PSNR, SSIM; 2 is the best, 10 is the worst, and the PSNR of the best is infinite
SCORES = {
    name: {"l1": float(20 - place), "psnr": 10.0 + place, "ssim": place / 20} for place, name in enumerate(NAMES)
} | {"2": {"l1": 0.0, "psnr": float("inf"), "ssim": 1.0}}


def draw(folder: Path, names: list[str], size: int = 64) -> Path:
    """Predictions of a run: inputs are dark, predictions are 10 levels darker than targets."""
    for kind, level in (("input", 20), ("prediction", 110), ("target", 120)):
        (folder / kind).mkdir(parents=True)
        for name in names:
            file = folder / kind / f"{name}.png"
            Image.fromarray(np.full((size, size, 3), level, np.uint8)).save(file)
    return folder


@pytest.fixture(scope="module")
def gallery(tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("results") / "my run #1"
    draw(run / "predict", NAMES)
    write_gallery(run / "gallery.html", run / "predict", "my_run", {"lr": "0.0002"}, NAMES, SCORES)
    return run / "gallery.html"


def shown(window) -> list[str]:
    """The names of the images on the page, in order."""
    return window.locator("article h2").all_text_contents()


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_it_has_no_errors_and_fits_the_screen(chromium, gallery, width, scheme):
    window = look(chromium, gallery, width, scheme)
    window.wait_for_function("[...document.images].slice(0, 3).every(image => image.naturalWidth === 64)")
    check(window)
    window.locator("article").first.click()
    check(window)


def test_every_image_loads_whatever_its_name(chromium, gallery):
    window = look(chromium, gallery)
    for image in window.locator("article img").all():
        image.scroll_into_view_if_needed()
    window.wait_for_function("[...document.images].filter(i => i.src).every(image => image.naturalWidth === 64)")
    assert set(shown(window)) == set(NAMES)


def test_it_sorts_by_name_and_by_each_score(chromium, gallery):
    window = look(chromium, gallery)
    order = shown(window)
    assert order.index("2") < order.index("10") < order.index("14_1148_to_1163"), "natural order"
    for metric in ("L1", "PSNR", "SSIM"):
        for which in ("best", "worst"):
            window.get_by_label("sort by").select_option(f"{metric}, {which} first")
            order = shown(window)
            assert (order[0], order[-1]) == (("2", "10") if which == "best" else ("10", "2")), (metric, which)
    first = window.locator("article").last
    assert first.locator(".scores").text_content() == "L1 0.0000, PSNR ∞, SSIM 1.00"
    assert first.locator("img").nth(1).get_attribute("alt") == "prediction of 2: L1 0.0000, PSNR ∞, SSIM 1.00"


def test_it_finds_by_name_and_says_how_many(chromium, gallery):
    window = look(chromium, gallery)
    window.get_by_label("find by name").fill("ÜMLÄ")
    assert shown(window) == ["ümläut"]
    assert window.get_by_role("status").text_content() == "1 of 10 images"
    window.get_by_label("find by name").fill("")
    assert len(shown(window)) == 10


def test_a_link_opens_it_at_one_image_and_closing_stays_there(chromium, gallery):
    for name, link in (("#1?", "#%231%3F"), ("50%", "#50%25"), ("main", "#main"), ("ümläut", "#ümläut")):
        window = look(chromium, gallery, fragment=link)
        assert window.get_by_role("dialog").get_by_role("heading").text_content() == name
        window.keyboard.press("Escape")
        expect(window.locator("dialog")).not_to_be_visible()
        expect(window.locator("article a:focus h2")).to_have_text(name)
        assert window.url == gallery.as_uri()
    for link in ("#no_such", "#%", "#/main"):
        assert not look(chromium, gallery, fragment=link).get_by_role("dialog").is_visible()


def test_the_keyboard_opens_moves_zooms_and_closes(chromium, gallery):
    window = look(chromium, gallery)
    order = shown(window)
    window.locator("article a").nth(1).focus()
    window.keyboard.press("Enter")
    dialog = window.get_by_role("dialog")
    assert dialog.get_by_role("heading").text_content() == order[1]
    window.keyboard.press("ArrowRight")
    assert dialog.get_by_role("heading").text_content() == order[2]
    again = look(chromium, gallery, fragment=window.evaluate("location.hash"))
    assert again.get_by_role("dialog").get_by_role("heading").text_content() == order[2], "the link can be passed on"
    window.keyboard.press("+")
    window.keyboard.press("Shift+ArrowRight")
    for image in dialog.locator("img:visible").all():
        matrix = image.evaluate("image => new DOMMatrix(getComputedStyle(image).transform).toFloat64Array()")
        width = image.evaluate("image => image.clientWidth")
        # enlarged about the middle, then moved by a quarter of the frame: the same part in all three frames
        assert (matrix[0], matrix[12] / width) == (2, pytest.approx(-0.75, abs=1e-3))
    window.go_back()
    expect(dialog, "the back button closes it").not_to_be_visible()


def test_the_slider_and_the_difference_show_what_they_say(chromium, gallery, tmp_path):
    window = look(chromium, gallery, fragment="#10")
    window.get_by_label("slider").check()
    frame = window.locator(".pair .frame")
    window.get_by_role("slider").fill("25")

    def pixels() -> np.ndarray:
        frame.screenshot(path=tmp_path / "frame.png")
        with Image.open(tmp_path / "frame.png") as image:
            return np.asarray(image.convert("RGB")).astype(int)

    image = pixels()
    middle = image.shape[0] // 2
    assert image[middle, image.shape[1] // 8].tolist() == [110] * 3, "left of the slider: the prediction"
    assert image[middle, image.shape[1] // 2].tolist() == [120] * 3, "right of it: the target"
    box = frame.bounding_box()
    window.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 20)
    window.mouse.down()
    window.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 20)
    window.mouse.up()
    assert pixels()[middle, image.shape[1] // 2].tolist() == [110] * 3, "it follows the mouse"
    window.get_by_label("difference").check()
    assert abs(pixels()[middle, image.shape[1] // 2] - 4 * 10).max() <= 1, "four times the difference of 10"
    assert window.messages == []


def test_two_thousand_images_are_sorted_and_found_in_a_second(chromium, tmp_path):
    names = [f"photograph_{number}" for number in range(2000)]
    folder = draw(tmp_path / "predict", names[:1])
    scores = {name: {"l1": (7919.123 * i) % 60, "psnr": 20.0, "ssim": 0.5} for i, name in enumerate(names)}
    write_gallery(tmp_path / "gallery.html", folder, "many", {}, names, scores)
    assert (tmp_path / "gallery.html").stat().st_size <= 2e6
    window = look(chromium, tmp_path / "gallery.html")
    worst = max(names, key=lambda name: scores[name]["l1"])
    start = time.monotonic()
    window.get_by_label("sort by").select_option("L1, worst first")
    assert shown(window)[0] == worst
    window.get_by_label("find by name").fill("1999")
    assert shown(window) == ["photograph_1999"]
    print(f"sorted and found in {time.monotonic() - start:.2f} s")
    window.get_by_label("find by name").fill("")
    pager = window.locator(".pager").first
    assert pager.text_content() == "←page 1 of 42→"
    pager.get_by_label("next page").click()
    assert pager.text_content() == "←page 2 of 42→"
    window.locator("article a").last.click()
    second = shown(window)[-1]
    window.keyboard.press("ArrowRight")
    window.keyboard.press("Escape")
    expect(pager, "closing shows the page of the last image").to_have_text("←page 3 of 42→")
    assert shown(window)[0] != second
