"""The summary and the page of a run in a browser: they sort, and curves and samples can be read with the keyboard."""

import pytest
from browser import SCREENS, check, look
from conftest import ROOT
from measured import entry
from PIL import Image

from pix2pix.config.flags import by_stage
from pix2pix.evaluation.published import read_published
from pix2pix.pages.run_page import describe_run
from pix2pix.pages.summary import write_page

PUBLISHED = ROOT / "workflow" / "published.yaml"


@pytest.fixture
def summary(make_run, tmp_path):
    """Three runs in one comparison: b has the best L1, a_long_name_10 the best SSIM, and c no SSIM."""
    scores = {"a_long_name_10": (20.0, 0.7), "a_long_name_9": (25.0, 0.6), "b": (9.5, 0.5), "c": (30.0, None)}
    runs = []
    for name, (l1, ssim) in scores.items():
        metrics = {"l1": entry(l1, 1.0, [l1 - 1, l1 + 1]), "psnr": entry(20.0)}
        runs.append(make_run(name, metrics=metrics | ({"ssim": entry(ssim)} if ssim else {})))
    write_page(runs, {}, read_published(PUBLISHED), tmp_path / "results" / "summary.html")
    return tmp_path / "results" / "summary.html"


@pytest.fixture
def run_page(make_run, tmp_path):
    """The page of a run that was trained for three epochs."""
    run = make_run("a")
    (run.folder / "history.csv").write_text("epoch,d_loss,g_loss,seconds\n1,0.5,20,5\n2,0.4,18,5\n3,0.25,17,5\n")
    for epoch in (1, 2, 3):
        (run.folder / "fake_img").mkdir(exist_ok=True)
        Image.new("RGB", (400, 300), (80 * epoch, 0, 0)).save(run.folder / f"fake_img/epoch_000{epoch}.png")
    scores = {name: {"l1": float(name), "psnr": 20.0, "ssim": 0.5} for name in ("1", "2")}
    settings = by_stage({"lr": "0.001", "alpha": "0.2", "val_pic_size": "256"})
    describe_run(run, scores, settings, run.folder, run.folder / "run.html")
    return run.folder / "run.html"


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_pages_have_no_errors_and_fit_the_screen(chromium, summary, run_page, width, scheme):
    check(look(chromium, run_page, width, scheme))
    window = look(chromium, summary, width, scheme)
    check(window)
    for cell in window.locator(".comparison tbody tr").first.locator("td").all():
        box = cell.bounding_box()
        assert box["x"] >= 0, "every metric is visible without scrolling sideways"
        assert box["x"] + box["width"] <= width


def order(window) -> list[str]:
    return [each.get_attribute("data-value") for each in window.locator(".comparison tbody >> nth=0 >> th").all()]


def test_a_title_sorts_by_its_column_from_the_best_on(chromium, summary):
    window = look(chromium, summary)
    window.get_by_role("button", name="L1").click()
    assert order(window) == ["b", "a_long_name_10", "a_long_name_9", "c"], "lower is better"
    assert window.get_by_role("columnheader", name="L1").get_attribute("aria-sort") == "ascending"
    window.get_by_role("button", name="L1").press("Enter")
    assert order(window) == ["c", "a_long_name_9", "a_long_name_10", "b"]
    window.get_by_role("button", name="SSIM").click()
    assert order(window) == ["a_long_name_10", "a_long_name_9", "b", "c"], "higher is better, unknown comes last"
    window.get_by_role("button", name="run").first.click()
    assert order(window) == ["a_long_name_9", "a_long_name_10", "b", "c"], "natural order"


def test_contents_links_and_marks(chromium, summary):
    window = look(chromium, summary)
    window.get_by_role("navigation", name="contents").get_by_role("link", name="What the metrics mean").click()
    window.wait_for_function("document.getElementById('/meaning').getBoundingClientRect().bottom <= innerHeight")
    row = window.locator(".comparison tbody tr", has_text="a_long_name_10")
    assert row.get_by_role("link").nth(1).get_attribute("href") == "a_long_name_10/gallery.html"
    assert window.locator(".comparison tbody tr", has_text="9.50").locator("strong").first.text_content() == "9.50 best"


def test_curves_and_samples_are_read_with_the_keyboard(chromium, run_page):
    window = look(chromium, run_page)
    curve = window.locator(".chart", has_text="discriminator")
    assert curve.get_by_role("img").get_attribute("aria-label") == (
        "discriminator: from 0.5 to 0.25; least 0.25, greatest 0.5"
    )
    curve.get_by_role("img").press("ArrowLeft")
    assert curve.get_by_role("status").text_content() == "2: 0.4"
    slider = window.get_by_role("slider")
    assert slider.get_attribute("aria-valuetext") == "epoch 3"
    slider.press("Home")
    assert slider.get_attribute("aria-valuetext") == "epoch 1"
    assert window.locator(".samples img:visible").get_attribute("data-label") == "epoch 1"
    assert window.get_by_role("definition").filter(has_text="default 0.0002").text_content() == "0.001 default 0.0002"
    assert window.get_by_role("link", name="2", exact=True).get_attribute("href") == "gallery.html#2"
