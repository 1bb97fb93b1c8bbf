"""A table of runs: pairs, gigabytes by stage, steps and hours."""

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path

from pix2pix.config.entries import Config
from pix2pix.config.runs import Run
from pix2pix.planning.sizes import data_bytes, pairs_in, training_bytes

STAGES = ("archive", "images", "records", "training")
UNKNOWN = "?"
Row = dict[str, float | str | None]


def plan(config: Config, runs: Sequence[Run], paces: Sequence[float], archive_of: Mapping[str, Path]) -> list[Row]:
    """One row per run, and the sum of several; data that runs share is counted at the first of them.

    Args:
        config: the configuration.
        runs: the runs to plan.
        paces: milliseconds per step.
        archive_of: where each dataset's archive is or will be.
    """
    rows: list[Row] = []
    seen: set[str] = set()
    for run in runs:
        dataset = config.datasets[run.dataset]
        train, counts = pairs_in(dataset, "train"), [pairs_in(dataset, split) for split in dataset.splits]
        trained = run.ckpt is None
        sizes: dict[str, float | None] = dict.fromkeys(STAGES, 0.0)
        if run.dataset not in seen:
            sizes |= data_bytes(run.dataset, dataset, archive_of[run.dataset])
        seen.add(run.dataset)
        if trained:
            sizes["training"] = float(training_bytes(run.train, run.where.save_epoch_freq))
        batch = run.train.batch_size * run.where.device_num
        steps = (None if train is None else run.train.epoch_num * ceil(train / batch)) if trained else 0
        row: Row = {"run": run.name, "pairs": None if None in counts else sum(filter(None, counts))}
        row |= {f"{stage} GB": None if sizes[stage] is None else sizes[stage] / 1e9 for stage in STAGES}  # type: ignore
        row["together GB"] = _sum([row[f"{stage} GB"] for stage in STAGES])
        row["steps"] = steps
        rows.append(row | {f"hours at {ms:,g} ms": None if steps is None else steps * ms / 3.6e6 for ms in paces})
    if len(rows) > 1:
        total: Row = {"run": "together", "pairs": ""}
        total |= {key: _sum([row[key] for row in rows]) for key in rows[0] if key not in total}
        rows.append(total)
    return rows


def _sum(values: Sequence[float | str | None]) -> float | None:
    return None if None in values else sum(value for value in values if isinstance(value, int | float))


def as_markdown(rows: Sequence[Row]) -> str:
    """The table in Markdown."""
    cells = [list(rows[0]), ["---"] * len(rows[0]), *_cells(rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)


def as_text(rows: Sequence[Row]) -> str:
    """The table for a terminal, in columns."""
    cells = [list(rows[0]), *_cells(rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    aligned = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in cells]
    return "\n".join("  ".join(row) for row in aligned)


def _cells(rows: Sequence[Row]) -> list[list[str]]:
    return [[_cell(key, value) for key, value in row.items()] for row in rows]


def _cell(key: str, value: float | str | None) -> str:
    if value is None or isinstance(value, str):
        return UNKNOWN if value is None else value
    digits = 2 if key.endswith("GB") else 1 if key.startswith("hours") else 0
    return f"{value:,.{digits}f}"
