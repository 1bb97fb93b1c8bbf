"""Loss curves of a training run, drawn from its history."""

import csv
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pix2pix.system.errors import InputError
from pix2pix.system.files import replacing

# legible on white and on black: the image has no background
INK, LINES = "#737a84", "#73797f55"
# title, unit, name of the colour on pages
CURVES = {
    "d_loss": ("discriminator", "weighted", "blue"),
    "g_loss": ("generator, both parts", "weighted sum", "accent"),
    "g_gan": ("generator, adversarial part", "cross-entropy, nats", "purple"),
    "g_l1": ("generator, L1 part", "L1, pixels in [-1, 1]", "green"),
}
REMEDY = "the same command with --forcerun train writes it again"
COLOURS = {"blue": "#3b6ea8", "accent": "#c8553b", "purple": "#8b6bc0", "green": "#3a8a5f"}


def write_loss_curves(history: str | Path, path: str | Path) -> None:
    """Draw the losses over the epochs as a PNG with one panel per loss.

    Args:
        history: a CSV file with one row per epoch and the columns epoch, d_loss and g_loss, optionally
            also g_gan and g_l1 (unweighted), lr and seconds.
        path: the PNG to write, atomically.

    Raises:
        InputError: the history is damaged.
        OSError: the history cannot be read or the image cannot be written.
    """
    columns = read_history(Path(history))
    epochs, losses = columns["epoch"], {name: columns[name] for name in CURVES if name in columns}
    # a Figure without pyplot: no window and no shared state
    lines = -(-len(losses) // 2)
    figure = Figure(figsize=(10, 3.2 * lines), dpi=110, facecolor="none")
    panels = figure.subplots(lines, 2, sharex=True, squeeze=False)
    # fixed margins (inches, as fractions of the figure): a layout engine takes longer than all the drawing
    figure.subplots_adjust(0.07, 0.5 / (3.2 * lines), 0.975, 1 - 0.4 / (3.2 * lines), wspace=0.17, hspace=0.2)
    for axes, (column, values) in zip(panels.flat, losses.items(), strict=False):
        _draw(axes, epochs, values, *CURVES[column])
    for axes in panels[-1]:
        axes.set_xlabel("epoch (losses are means per epoch)", color=INK)
    with replacing(path) as scratch:
        figure.savefig(scratch, format="png")


def read_history(path: Path) -> dict[str, list[float]]:
    """Read a history by column: epoch, at least one loss, and whatever else has a number in each row.

    Raises:
        InputError: a column or a value is missing or not a number.
        OSError: the file cannot be read.
    """
    columns: dict[str, list[float]] = {}
    try:
        with open(path, newline="", encoding="utf-8", errors="replace") as file:
            rows = list(csv.DictReader(file))
        required = ["epoch", *(name for name in CURVES if name in rows[0])]
        for name in rows[0]:
            if name in required or all(row[name] for row in rows):
                columns[name] = [float(row[name]) for row in rows]
    except (IndexError, KeyError, TypeError, ValueError, csv.Error):
        columns = {}
    if "epoch" not in columns or not columns.keys() & CURVES.keys():
        raise InputError(f"{path}: damaged: no losses can be read; {REMEDY}")
    return columns


def _draw(axes: Axes, epochs: list[float], values: list[float], title: str, unit: str, colour: str) -> None:
    """Draw one loss in its panel, with its last value in the title."""
    axes.patch.set_alpha(0)
    few = len(epochs) < 20
    axes.plot(epochs, values, color=COLOURS[colour], linewidth=1.8, marker="o" if few else None, markersize=4)
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    axes.set_title(f"last: {values[-1]:.4g}", loc="right", fontsize=10, color=INK)
    axes.set_ylabel(unit, color=INK, fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_ylim(bottom=min(0.0, *values))
    axes.grid(color=LINES, linewidth=0.8)
    axes.tick_params(colors=INK, labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(INK)
