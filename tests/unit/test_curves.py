"""Loss curves are plotted from a history of one or more epochs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pix2pix.pages.charts import Axis
from pix2pix.pages.curves import write_loss_curves
from pix2pix.system.errors import InputError

BLUE = (0x3B, 0x6E, 0xA8)


def draw(folder: Path, text: str) -> np.ndarray:
    """Plot a history.csv with this text: uint8 (height, width, 3)."""
    (folder / "history.csv").write_text(text)
    write_loss_curves(folder / "history.csv", folder / "loss.png")
    with Image.open(folder / "loss.png") as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def test_falling_loss_is_drawn_as_a_falling_curve(tmp_path):
    rows = [f"{e},{e * 10},0.0002,{1 / e},{20 / e},0.7,{0.2 / e},3.5" for e in range(1, 31)]
    image = draw(tmp_path, "\n".join(["epoch,step,lr,d_loss,g_loss,g_gan,g_l1,seconds", *rows]))
    y, x = np.nonzero((image == BLUE).all(axis=-1))
    assert x.max() - x.min() > 300
    assert y[x < x.min() + 10].mean() < y[x > x.max() - 10].mean() - 100, "rows count from the top"


@pytest.mark.parametrize("loss", ["0.5", "nan"])
def test_history_of_one_epoch_is_drawn(tmp_path, loss):
    image = draw(tmp_path, f"epoch,step,lr,d_loss,g_loss,g_gan,g_l1,seconds\n1,10,0.0002,{loss},20,0.7,0.2,3.5\n")
    assert (image == BLUE).all(axis=-1).any() == (loss == "0.5"), "the one value is a dot"


@pytest.mark.parametrize(("low", "high"), [(0.6788, 0.6825), (0.9, 1.4), (0.003, 0.8), (1e-5, 30)])
def test_a_logarithmic_axis_has_numbers_whatever_it_covers(low, high):
    ticks = Axis(low, high, 0, 100, log=True).ticks()
    assert 2 <= len(ticks) <= 10
    assert low <= ticks[0] < ticks[-1] <= high * 1.001


def test_parts_of_the_generators_loss_may_be_missing(tmp_path):
    both = draw(tmp_path, "epoch,d_loss,g_loss\n1,0.5,20\n2,0.4,18\n")
    all_four = draw(tmp_path, "epoch,d_loss,g_loss,g_gan,g_l1\n1,0.5,20,1,0.2\n2,0.4,18,1,0.2\n")
    assert both.shape[0] * 2 == all_four.shape[0]
    assert both.shape[1] == all_four.shape[1]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "epoch,d_loss\n",
        "step,d_loss\n1,2\n",
        "epoch,d_loss\n1,x\n",
        "epoch,d_loss\n1\n",
        "\0",
    ],
)
def test_damaged_history_gives_one_line(tmp_path, content):
    (tmp_path / "history.csv").write_text(content)
    with pytest.raises(InputError, match=r"history\.csv: damaged") as caught:
        write_loss_curves(tmp_path / "history.csv", tmp_path / "loss.png")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "loss.png").exists()
