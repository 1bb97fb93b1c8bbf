"""A comparison of runs, as a CSV table and as a self-contained page."""

import csv
import math
from pathlib import Path

from pix2pix.evaluation.comparison import Comparison, Row, Score, compare_runs, rows_of
from pix2pix.evaluation.facts import LOWER_IS_BETTER, TITLES, MeasuredRun, Report, Scores
from pix2pix.evaluation.fidelity import FEATURES
from pix2pix.evaluation.published import published_for
from pix2pix.pages.data_uris import embed_image
from pix2pix.pages.gallery import readable
from pix2pix.pages.grid import spread
from pix2pix.pages.html import TEMPLATES
from pix2pix.system.errors import InputError
from pix2pix.system.files import natural_order, replacing
from pix2pix.system.json_file import read_json

FACTS = ("run", "dataset", "predict_split", "n", "direction", "val_pic_size", "seed", "checkpoint", "checkpoint_sha256")
EXAMPLES = 2
THUMBNAIL = 192


def read_run(folder: Path, fidelity: bool) -> MeasuredRun:
    """Read the scores of results/{run} and the facts they depend on; with FID and KID if `fidelity`.

    Raises:
        InputError: a file is missing or damaged, or FID was computed from other predictions.
    """
    report = read_json(folder / "metrics.json", Report, "delete it and run the workflow again")
    run = MeasuredRun.model_validate(report | {"folder": folder})
    if fidelity:
        scores = read_json(folder / "fidelity.json", Scores, "delete it and run the workflow again")
        more = Scores.model_validate(scores)
        if (more.n, more.checkpoint_sha256) != (run.n, run.checkpoint_sha256):
            raise InputError(f"{folder / 'fidelity.json'}: belongs to other predictions than metrics.json; delete it")
        both = {"metrics": run.metrics | more.metrics, "definitions": run.definitions | more.definitions}
        run = run.model_copy(update=both)
    return run


def write_table(runs: list[MeasuredRun], path: Path) -> None:
    """Write summary.csv: one row per run, then one row per group of several seeds.

    Each metric has a mean, a standard deviation and a 95 % interval: over the images for a run, and over
    the seeds for a group (column `interval_over`).
    """
    metrics = [name for name in TITLES if any(name in run.metrics for run in runs)]
    single = [row for run in runs for row in rows_of([run.model_copy(update={"group": run.run})])]
    several = [row for row in rows_of(runs) if len(row.runs) > 1]
    table = []
    for row in single + several:
        line = {fact: getattr(row.runs[0], fact) for fact in FACTS} | {"interval_over": row.spread}
        line["val_pic_size"] = row.runs[0].configured_size
        if len(row.runs) > 1:
            line |= {"run": row.name, "seed": "", "checkpoint": "", "checkpoint_sha256": ""}
        for name in metrics:
            score = row.scores.get(name)
            values = (score.mean, score.std, score.low, score.high) if score else (None,) * 4
            for what, value in zip(("mean", "std", "ci95_low", "ci95_high"), values, strict=True):
                line[f"{name}_{what}"] = "" if value is None else value
        table.append(line)
    with replacing(path) as scratch, open(scratch, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, table[0].keys())
        writer.writeheader()
        writer.writerows(table)


def write_page(runs: list[MeasuredRun], titled: dict[str, list[str]], published: dict, path: Path) -> None:
    """Write summary.html: comparisons with examples and published numbers; it needs no network."""
    comparisons = compare_runs(runs, titled)
    definitions = {name: text for run in runs for name, text in run.definitions.items()}
    page = TEMPLATES.get_template("summary.html").render(
        runs=runs,
        sections=[_section(comparison, published) for comparison in comparisons],
        titles=TITLES,
        lower_is_better=LOWER_IS_BETTER,
        definitions=definitions,
        several_seeds=any(len(row.runs) > 1 for comparison in comparisons for row in comparison.rows),
        small=[run.run for run in runs if "fid" in run.metrics and run.n < FEATURES],
    )
    with replacing(path) as scratch:
        scratch.write_text(page, encoding="utf-8")


def _section(comparison: Comparison, published: dict) -> dict[str, object]:
    numbers = published_for(comparison, published)
    return {
        "comparison": comparison,
        "marks": {name: mark_best(comparison.rows, name) for name in comparison.metrics},
        "bars": {name: place_intervals(comparison.rows, name) for name in comparison.metrics},
        "examples": examples(comparison),
        "left_out": sorted({str(run.left_out) for row in comparison.rows for run in row.runs if run.left_out}),
        "comparable": [each for each in numbers if each.metrics],
        "not_comparable": [each for each in numbers if not each.metrics],
    }


def mark_best(rows: list[Row], metric: str) -> dict[str, str]:
    """Mark rows with the best mean as "best", and as "level" those whose interval overlaps the interval of the best.

    Nothing is marked if fewer than two rows have the metric.
    """
    known = {row.name: row.scores[metric] for row in rows if metric in row.scores}
    known = {name: score for name, score in known.items() if not math.isnan(score.mean)}
    if len(known) < 2:
        return {}
    sign = -1 if metric in LOWER_IS_BETTER else 1
    best = max(known, key=lambda name: sign * known[name].mean)
    low, high = _ends(known[best])
    level = {name for name, score in known.items() if _ends(score)[0] <= high and _ends(score)[1] >= low}
    return {name: "best" if known[name].mean == known[best].mean else "level" for name in level}


def place_intervals(rows: list[Row], metric: str) -> dict[str, tuple[float, float, float]]:
    """Low end, high end and mean of each row as percentages of the range of all rows; empty if it has no width."""
    scores = [(row.name, row.scores[metric]) for row in rows if metric in row.scores]
    finite = {name: (*_ends(score), score.mean) for name, score in scores if math.isfinite(score.mean)}
    values = [value for each in finite.values() for value in each]
    if len(finite) < 2 or min(values) == max(values):
        return {}
    least, width = min(values), max(values) - min(values)
    low, high, mean = ([round(100 * (each[i] - least) / width, 1) for each in finite.values()] for i in range(3))
    return dict(zip(finite, zip(low, high, mean, strict=True), strict=True))


def _ends(score: Score) -> tuple[float, float]:
    """The interval of a score; if it is unknown, the mean alone."""
    low, high = score.low, score.high
    return (score.mean, score.mean) if low is None or high is None else (low, high)


def examples(comparison: Comparison) -> list[dict[str, object]]:
    """Some images of the split: input, target, and the prediction of each row (for a group, of its first seed)."""
    folders = {row.name: row.runs[0].folder / "predict" for row in comparison.rows}
    first = next(iter(folders.values()))
    names = sorted((file.stem for file in (first / "target").glob("*.png")), key=natural_order)
    shown: list[dict[str, object]] = []
    for name in (names[i] for i in spread(len(names), EXAMPLES)):
        # a run may have the name "input" or "target"
        files = [(what, first / what / f"{name}.png") for what in ("input", "target")]
        files += [(row, folder / "prediction" / f"{name}.png") for row, folder in folders.items()]
        images = [(what, embed_image(file, THUMBNAIL, file.parents[1])) for what, file in files]
        shown.append({"name": readable(name), "images": images})
    return shown
