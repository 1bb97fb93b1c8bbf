"""The page of a training while it runs; the browser reloads it until the training has ended."""

import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pix2pix.pages.charts import draw_curve
from pix2pix.pages.curves import CURVES
from pix2pix.pages.gallery import quoted
from pix2pix.pages.html import TEMPLATES
from pix2pix.system.files import replacing

TRAINING_PAGE, STEP_HISTORY = "training.html", "history_steps.csv"
RUNNING = "training"
# losses of the adversarial game, on a logarithmic axis
LOGARITHMIC = ("d_loss", "g_gan")


@dataclass
class Now:
    """Where a training is: `step` steps of `epoch` (from 1) are done."""

    title: str
    epochs: int
    workers: int = 1
    epoch: int = 1
    step: int = 0
    steps: int = 1
    lr: float = 0.0
    milliseconds: float | None = None
    status: str = RUNNING

    @property
    def done(self) -> int:
        """Steps since the start of the training."""
        return (self.epoch - 1) * self.steps + self.step

    @property
    def seconds_left(self) -> float | None:
        """Seconds to the end of the last epoch at the current pace."""
        if self.milliseconds is None:
            return None
        return self.milliseconds * (self.epochs * self.steps - self.done) / 1000


def write_training_page(
    path: Path, now: Now, rows: Sequence[Sequence[float]], samples: Path, facts: dict[str, object]
) -> None:
    """Write the page.

    Args:
        path: the page.
        now: the position.
        rows: epoch, step, lr, d_loss, g_loss, g_gan, g_l1, seconds of the epoch, in order.
        samples: the folder of samples, beside the page.
        facts: further facts by name.

    Raises:
        OSError: the page cannot be written.
    """
    charts = []
    if rows:
        epochs, steps, rates, *losses, seconds = zip(*rows, strict=True)
        for (name, words), values in zip(CURVES.items(), losses, strict=True):
            charts.append(draw_curve(*words, steps, values, log=name in LOGARITHMIC))
        charts.append(draw_curve("learning rate", "", "accent", steps, rates))
        # the first row contains the compilation of the networks
        spent = paces(epochs, steps, seconds, now.steps)[1:] or [math.nan]
        charts.append(draw_curve("time", "ms/step", "blue", steps[1:] or steps, spent))
    page = TEMPLATES.get_template("training.html").render(
        now=now,
        running=now.status == RUNNING,
        left=duration(now.seconds_left),
        charts=charts,
        samples=[
            (label, f"{quoted(samples.name)}/{quoted(file.name)}")
            for label, file in sample_files(samples, (now.epoch, now.step if now.step < now.steps else math.inf))
        ],
        facts=facts,
        written=round(1000 * time.time()),
    )
    with replacing(path) as scratch:
        scratch.write_text(page, encoding="utf-8")


def paces(epochs: Sequence[float], steps: Sequence[float], seconds: Sequence[float], length: int) -> list[float]:
    """Milliseconds per step of each row; `seconds` and an epoch of `length` steps start again with each epoch."""
    found, before = [], (0.0, 0.0, 0.0)
    for epoch, step, spent in zip(epochs, steps, seconds, strict=True):
        if epoch != before[0]:
            before = (epoch, (epoch - 1) * length, 0.0)
        found.append(1000 * (spent - before[2]) / max(1, step - before[1]))
        before = (epoch, step, spent)
    return found


def sample_files(folder: Path, until: tuple[float, float] | None = None) -> list[tuple[str, Path]]:
    """The samples in the folder by label, in the order of epochs and steps; with `until`, up to this epoch and step.

    epoch_0002.png was taken at the end of the epoch, epoch_0002_step_0000150.png within it.
    """
    found = []
    for file in folder.glob("epoch_*.png"):
        if match := re.fullmatch(r"epoch_(\d+)(?:_step_(\d+))?\.png", file.name):
            epoch, step = int(match[1]), float(match[2] or math.inf)
            label = f"epoch {epoch}" + (f", step {int(match[2])}" if match[2] else "")
            found.append((epoch, step, label, file))
    return [(label, file) for *when, label, file in sorted(found) if until is None or tuple(when) <= until]


def duration(seconds: float | None) -> str:
    """Hours and minutes, or minutes and seconds, of a duration."""
    if seconds is None:
        return "unknown"
    minutes, hours = seconds / 60, seconds / 3600
    if hours >= 1:
        return f"{int(hours)} h {int(minutes % 60):02d} min"
    return f"{int(minutes)} min {int(seconds % 60):02d} s"
