"""Several runs side by side, as a table and as a page."""

import csv
import json
from pathlib import Path

from pix2pix.errors import InputError
from pix2pix.files import replacing
from pix2pix.pages import TEMPLATES

FACTS = ("run", "dataset", "predict_split", "n", "direction", "val_pic_size")


def read_metrics(path: Path) -> dict:
    """The content of a metrics.json.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        raise InputError(f"{path}: missing or damaged; delete it and run the workflow again") from None


def write_table(runs: list[dict], path: Path) -> None:
    """summary.csv: a row a run; of each metric the mean, standard deviation and interval."""
    rows = []
    for run in runs:
        row = {fact: run[fact] for fact in FACTS}
        for name, score in run["metrics"].items():
            low, high = score["ci95"] or ("", "")
            row |= {f"{name}_mean": score["mean"], f"{name}_std": score["std"]}
            row |= {f"{name}_ci95_low": low, f"{name}_ci95_high": high}
        rows.append(row)
    with replacing(path) as scratch, open(scratch, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def write_page(runs: list[dict], path: Path) -> None:
    """summary.html: the same for the eye, with links to the galleries; opens without a network."""
    page = TEMPLATES.get_template("summary.html").render(runs=runs, definitions=runs[0]["definitions"])
    with replacing(path) as scratch:
        scratch.write_text(page)
