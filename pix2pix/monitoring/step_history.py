"""The losses within epochs: history_steps.csv, one row per `log_steps` steps."""

import csv
from pathlib import Path

import numpy as np

from pix2pix.system.files import replacing

LOSSES = ("d_loss", "g_loss", "g_gan", "g_l1")
COLUMNS = ("epoch", "step", "lr", *LOSSES, "seconds")

Rows = list[tuple[float, ...]]


class StepHistory:
    """Mean losses over the steps since the row before, the epochs' own boundaries included.

    Columns as in history.csv: `step` counts from the start of the training, and `seconds` from the start of the epoch.
    Rows are appended, since rewriting the file of a long training each time would take ever longer. A row that was cut
    off by a crash is dropped on reading.
    """

    def __init__(self, path: Path, step: int, steps: int):
        """Keep the rows up to `step`, the step of the training to go on from; an epoch has `steps` steps."""
        self.path, self.steps = path, steps
        self.rows: Rows = [row for row in _read(path) if row[1] <= step] if step else []
        self.at = max(step - step % steps, int(self.rows[-1][1]) if self.rows else 0)

    def rewrite(self) -> None:
        """Write the kept rows.

        Raises:
            OSError: the file cannot be written.
        """
        with replacing(self.path) as scratch, open(scratch, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(map(_written, self.rows))

    def sums(self) -> np.ndarray:
        """The sums of the losses from the start of the epoch to the last row: float64 of shape (4,).

        They are exact: a row is the difference of two float32 sums, divided by its number of steps.
        """
        total, before = np.zeros(len(LOSSES)), float(self.at - self.at % self.steps)
        for row in self.rows:
            if before < row[1] <= self.at:
                total += np.array(row[3:7]) * (row[1] - before)
                before = row[1]
        return total.astype(np.float32).astype(np.float64)

    def means(self, step: int, sums: np.ndarray, before: np.ndarray) -> np.ndarray:
        """The mean losses since the last row, from the epoch's sums now and at that row."""
        return (sums.astype(np.float64) - before) / max(1, step - self.at)

    def append(self, row: tuple[float, ...]) -> None:
        """Add a row.

        Raises:
            OSError: the file cannot be written.
        """
        self.rows.append(row)
        self.at = int(row[1])
        with open(self.path, "a", newline="") as file:
            csv.writer(file).writerow(_written(row))


def _written(row: tuple[float, ...]) -> tuple[float, ...]:
    return int(row[0]), int(row[1]), *row[2:]


def _read(path: Path) -> Rows:
    """The complete rows of the file, in order; none if there is no such file or it is not a history."""
    rows: Rows = []
    try:
        with open(path, newline="", encoding="utf-8", errors="replace") as file:
            if next(csv.reader(file), None) != list(COLUMNS):
                return []
            for words in csv.reader(file):
                row = tuple(map(float, words))
                numbered = len(row) == len(COLUMNS) and row[0].is_integer() and row[1].is_integer()
                if not numbered or (rows and row[1] <= rows[-1][1]):
                    break
                rows.append(row)
    except (OSError, ValueError, csv.Error):
        pass
    return rows
