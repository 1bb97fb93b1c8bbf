"""Curves as inline SVG: they take the page's colours, so they suit light and dark, and the width of a phone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pix2pix.pages.html import TEMPLATES

WIDTH, HEIGHT = 400, 200
LEFT, RIGHT, TOP, BOTTOM = 48, 8, 8, 24
POINTS = 400  # more cannot be told apart at this width
SMOOTHED = 20  # windows that the smoothed curve covers across the chart


@dataclass(frozen=True)
class Axis:
    """A linear or logarithmic axis from `low` to `high`, which are drawn at `start` and `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def place(self, value: float) -> float:
        """The coordinate of a value."""
        low, high, value = (map(math.log10, (self.low, self.high, value))) if self.log else (self.low, self.high, value)
        return self.start + (value - low) / ((high - low) or 1) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """About four round values on the axis."""
        if self.log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            steps = (1,) if len(decades) > 4 else (1, 2, 5)
            found = [float(f"{step}e{decade}") for decade in decades for step in steps]
            shown = [tick for tick in found if self.low <= tick <= self.high]
            if len(shown) > 1:
                return shown
        if self.high == self.low:
            return [self.low]
        step = 10 ** math.floor(math.log10((self.high - self.low) / 2))
        step = next(step * factor for factor in (1, 2, 5, 10) if (self.high - self.low) / (step * factor) <= 5)
        first = math.ceil(self.low / step - 1e-9)
        return [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


def draw_curve(title: str, unit: str, colour: str, x: Sequence[float], y: Sequence[float], log: bool = False) -> str:
    """A figure with one curve, and a smoothed one if it has many points; values that are not finite are left out.

    Args:
        title, unit: for the caption.
        colour: the name of a colour of the page: accent, blue, purple or green.
        x, y: at least one point, in increasing order of x.
        log: a logarithmic axis, if all values are positive.

    Returns:
        HTML: a figure with an SVG, from which the page's script reads single values.
    """
    kept = np.isfinite(y)
    xs, ys = thin(np.asarray(x, float)[kept], np.asarray(y, float)[kept])
    last = f"{y[-1]:.4g}"
    if not len(xs):
        return TEMPLATES.get_template("chart.html").render(title=title, unit=unit, last=last, curves=[], colour=colour)
    log = log and bool((ys > 0).all())
    bottom = float(ys.min()) if log else min(0.0, float(ys.min()))
    top = float(ys.max()) if ys.max() > bottom else (bottom * 2 if log else bottom + 1)
    down = Axis(bottom, top, HEIGHT - BOTTOM, TOP, log)
    across = Axis(float(xs[0]), float(xs[-1]), LEFT, WIDTH - RIGHT)
    shapes = [("raw" if len(xs) > 2 * SMOOTHED else "smooth", ys)]
    if len(xs) > 2 * SMOOTHED:
        shapes.append(("smooth", smooth(ys, len(ys) / SMOOTHED)))
    return TEMPLATES.get_template("chart.html").render(
        title=title,
        unit=unit,
        last=last,
        colour=colour,
        curves=[(kind, _path(across, down, xs, values)) for kind, values in shapes],
        dots=[(across.place(a), down.place(b)) for a, b in zip(xs, ys, strict=True)] if len(xs) < SMOOTHED else [],
        x_ticks=[(across.place(tick), f"{tick:g}") for tick in across.ticks() if tick == round(tick)],
        y_ticks=[(down.place(tick), f"{tick:.4g}") for tick in down.ticks()],
        label=f"{title}: from {ys[0]:.4g} to {ys[-1]:.4g}; least {ys.min():.4g}, greatest {ys.max():.4g}",
        points=[[float(f"{a:.7g}") for a in xs], [float(f"{b:.5g}") for b in ys]],
        frame={"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT, "bottom": HEIGHT - BOTTOM},
    )


def _path(across: Axis, down: Axis, x: np.ndarray, y: np.ndarray) -> str:
    return "M" + "L".join(f"{across.place(a):.1f} {down.place(b):.1f}" for a, b in zip(x, y, strict=True))


def thin(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most POINTS points: means of y over neighbours, at the last x of each."""
    if len(x) <= POINTS:
        return x, y
    ends = np.linspace(0, len(x), POINTS + 1).astype(int)
    return x[ends[1:] - 1], np.add.reduceat(y, ends[:-1]) / np.diff(ends)


def smooth(y: np.ndarray, width: float) -> np.ndarray:
    """An exponential moving average over about `width` points, without the bias of its start."""
    decay, total, weight = 1 - 1 / max(1.0, width), 0.0, 0.0
    means = []
    for value in y:
        total, weight = decay * total + value, decay * weight + 1
        means.append(total / weight)
    return np.array(means)
