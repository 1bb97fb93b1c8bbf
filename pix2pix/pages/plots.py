"""Plots of the metrics of a comparison."""

import math

from matplotlib.figure import Figure

from pix2pix.evaluation.comparison import LOWER_IS_BETTER, TITLES, Comparison

INK, FAINT, ACCENT = "#22262b", "#8a9099", "#b4452d"


def draw_metric(comparison: Comparison, metric: str) -> Figure:
    """Draw the mean and interval of each row that has the metric, the first row at the top."""
    rows = [row for row in comparison.rows if metric in row.scores]
    figure = Figure(figsize=(5.2, 0.75 + 0.3 * len(rows)), facecolor="white", layout="constrained")
    axes = figure.subplots()
    for height, row in enumerate(reversed(rows)):
        score = row.scores[metric]
        if not math.isfinite(score.mean):
            axes.plot(0.5, height, alpha=0)
            axes.text(0.5, height, f"{score.mean}", color=FAINT, transform=axes.get_yaxis_transform(), va="center")
            continue
        if score.low is not None and score.high is not None:
            axes.plot([score.low, score.high], [height, height], color=ACCENT, linewidth=2.2, alpha=0.55)
        axes.plot(score.mean, height, marker="o", color=ACCENT, markersize=5.5)
    axes.set_yticks(range(len(rows)), [row.name for row in reversed(rows)])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    better = "lower is better" if metric in LOWER_IS_BETTER else "higher is better"
    axes.set_title(f"{TITLES[metric]} ({better})", loc="left", fontsize=10, color=INK)
    axes.grid(axis="x", color="#e6e6e2", linewidth=0.8)
    axes.tick_params(colors=FAINT, labelsize=8.5, labelcolor=INK, length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    return figure
