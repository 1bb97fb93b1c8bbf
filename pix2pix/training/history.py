"""The losses of a training, one row per epoch, with scores on held-out pairs if measured."""

import csv
from pathlib import Path

from pix2pix.system.files import replacing
from pix2pix.training.selection import COLUMNS as SCORE_COLUMNS

LOSS_COLUMNS = ("epoch", "step", "lr", "d_loss", "g_loss", "g_gan", "g_l1", "seconds", "workers")

History = list[dict[str, int | float]]


def write_history(history: History, path: Path) -> None:
    """Write history.csv: one row per epoch with learning rate, mean losses, seconds, and scores on val/ if measured."""
    measured = any(column in row for row in history for column in SCORE_COLUMNS)
    with replacing(path) as scratch, open(scratch, "w", newline="") as file:
        writer = csv.DictWriter(file, LOSS_COLUMNS + SCORE_COLUMNS * measured)
        writer.writeheader()
        writer.writerows(history)


def is_history(rows: History, epochs: int) -> bool:
    """Whether there is one row for each of the epochs 1 to `epochs`, with all losses and no unknown columns."""
    return [row.get("epoch") for row in rows] == list(range(1, epochs + 1)) and all(
        set(LOSS_COLUMNS) <= row.keys() <= {*LOSS_COLUMNS, *SCORE_COLUMNS} for row in rows
    )
