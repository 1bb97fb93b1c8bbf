"""Published numbers from workflow/published.yaml: beside ours where they compare, else with the reason."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from pix2pix.evaluation.comparison import TITLES, Comparison
from pix2pix.system.errors import InputError


@dataclass(frozen=True)
class Published:
    """One published table, or a part of it, for the task of a comparison."""

    source: str
    address: str
    where: str
    shows: str
    columns: list[str]
    scores: dict[str, list[float]]
    metrics: list[str]  # ours, one a column; empty: not comparable
    note: str  # what differs, or why the numbers do not compare


def read_published(path: Path) -> dict:
    """The data file.

    Raises:
        InputError: it is missing or no YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"{path}: missing or damaged ({' '.join(str(error).split())})") from None


def published_for(comparison: Comparison, data: dict) -> list[Published]:
    """What was published for the comparison's dataset and direction, each with whether and why it compares."""
    found = []
    for entry in data["numbers"]:
        if any(entry[key] != comparison.task[key] for key in ("dataset", "direction")):
            continue
        differs = entry.get("differs") or "; ".join(_differences(entry, comparison))
        source = data["sources"][entry["source"]]
        found.append(
            Published(
                source["title"],
                source["address"],
                entry["where"],
                entry["shows"],
                entry["columns"],
                entry["scores"],
                [] if differs else entry["metrics"],
                differs or entry.get("caveat", ""),
            )
        )
    return found


def _differences(entry: dict, comparison: Comparison) -> list[str]:
    """Where the protocol of a published number is not that of the comparison, in words."""
    task = comparison.task
    here = {"split": task["predict_split"], "n": comparison.rows[0].runs[0]["n"], "size": task["val_pic_size"]}
    names = {"split": "split", "n": "number of images", "size": "width in pixels"}
    differences = [f"{names[key]} {entry[key]}, here {here[key]}" for key in names if entry[key] != here[key]]
    missing = [TITLES[metric] for metric in entry["metrics"] if metric not in comparison.metrics]
    return differences + [f"{name} was not measured here" for name in missing]
