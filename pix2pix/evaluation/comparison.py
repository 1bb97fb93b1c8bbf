"""Comparison of runs of the same task: means, and intervals over images or seeds."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtrit

from pix2pix.evaluation.facts import TITLES, MeasuredRun, Metric

TASK = ("dataset", "direction", "predict_split", "val_pic_size", "keep_aspect")


@dataclass(frozen=True)
class Score:
    """One metric of one row: its mean and, if known, standard deviation and 95 % interval."""

    mean: float
    std: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Row:
    """A run, or a group of runs that differ only in their seed."""

    name: str
    runs: list[MeasuredRun]
    scores: dict[str, Score]

    @property
    def spread(self) -> str:
        """What the intervals are computed over."""
        return f"{len(self.runs)} seeds" if len(self.runs) > 1 else "images"


@dataclass(frozen=True)
class Comparison:
    """Rows with comparable scores: the same dataset, direction, split, size and way of resizing."""

    title: str
    task: dict[str, object]
    rows: list[Row]

    @property
    def metrics(self) -> list[str]:
        """The metrics that at least one row has, in the order of TITLES."""
        return [name for name in TITLES if any(name in row.scores for row in self.rows)]


def compare_runs(runs: list[MeasuredRun], titled: dict[str, list[str]]) -> list[Comparison]:
    """Return the requested comparisons (title: names of groups), then one per task for the remaining runs.

    Comparisons of one title that differ in the split or the size say so in their titles.
    """
    comparisons = []
    for title, groups in titled.items():
        chosen = [run for group in groups for run in runs if run.group == group]
        comparisons += _by_task(title, chosen)
    named = {group for groups in titled.values() for group in groups}
    comparisons += _by_task("", [run for run in runs if run.group not in named])
    titles = Counter(each.title for each in comparisons)
    return [replace(each, title=_full_title(each)) if titles[each.title] > 1 else each for each in comparisons]


def _full_title(comparison: Comparison) -> str:
    return f"{comparison.title}: {comparison.task['predict_split']}/, {comparison.rows[0].runs[0].shown_size}"


def _by_task(title: str, runs: list[MeasuredRun]) -> list[Comparison]:
    tasks: dict[tuple, list[MeasuredRun]] = {}
    for run in runs:
        tasks.setdefault(tuple(getattr(run, key) for key in TASK), []).append(run)
    return [
        Comparison(title or f"{task[0]}, {task[1]}", dict(zip(TASK, task, strict=True)), rows_of(members))
        for task, members in tasks.items()
    ]


def rows_of(runs: Iterable[MeasuredRun]) -> list[Row]:
    """Return one row per group: the scores of its only run, or means over its seeds with a t interval."""
    groups: dict[str, list[MeasuredRun]] = {}
    for run in runs:
        groups.setdefault(run.group, []).append(run)
    return [
        Row(group, members, {name: _score([run.metrics[name] for run in members]) for name in members[0].metrics})
        for group, members in groups.items()
    ]


def _score(entries: list[Metric]) -> Score:
    means = np.array([math.nan if entry.mean is None else entry.mean for entry in entries])
    if len(entries) == 1:
        return Score(float(means[0]), entries[0].std, *(entries[0].ci95 or (None, None)))
    if not np.isfinite(means).all():
        return Score(float(means.mean()))
    mean, std = float(means.mean()), float(means.std(ddof=1))
    half = float(stdtrit(len(means) - 1, 0.975)) * std / math.sqrt(len(means))
    return Score(mean, std, mean - half, mean + half)
