"""Published numbers from workflow/published.yaml: shown beside ours if comparable, else with the reason why not."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from pix2pix.evaluation.comparison import Comparison
from pix2pix.evaluation.facts import TITLES
from pix2pix.system.errors import InputError


@dataclass(frozen=True)
class Published:
    """A published table, or a part of it, for the task of a comparison."""

    source: str
    address: str
    where: str
    shows: str
    columns: list[str]
    scores: dict[str, list[float]]
    metrics: list[str]  # our name of the metric in each column; empty: not comparable
    note: str  # what differs, or why the numbers are not comparable


def read_published(path: Path) -> dict:
    """Read the data file.

    Raises:
        InputError: the file is missing or is not valid YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"{path}: missing or damaged ({' '.join(str(error).split())})") from None


def published_for(comparison: Comparison, data: dict) -> list[Published]:
    """The numbers published for the dataset and direction of a comparison, and whether and why they are comparable."""
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
    """Describe how the protocol of a published number differs from that of the comparison."""
    task = comparison.task
    here = {"split": task["predict_split"], "n": comparison.rows[0].runs[0].n, "size": task["val_pic_size"]}
    names = {"split": "split", "n": "number of images", "size": "width in pixels"}
    differences = [f"{names[key]} {entry[key]}, here {here[key]}" for key in names if entry[key] != here[key]]
    missing = [TITLES[metric] for metric in entry["metrics"] if metric not in comparison.metrics]
    return differences + [f"{name} was not measured here" for name in missing]
