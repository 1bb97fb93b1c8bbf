"""The facts that a result depends on, kept beside it as JSON, and the scores made from it.

What is read may have been edited by hand, so it is checked like any other input.
"""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from pix2pix.config.values import Direction, Palette, Positive, Split
from pix2pix.system.json_file import read_json

FACTS = "facts.json"
KINDS = ("input", "prediction", "target")  # folders beside it, with an image of each name


class Facts(BaseModel):
    """What predictions depend on; further settings are kept as they are."""

    model_config = ConfigDict(extra="allow")

    checkpoint: str
    checkpoint_sha256: str
    generator_mode: str
    resize: str
    direction: Direction
    val_pic_size: Positive
    predict_split: Split
    seed: int
    target_palette: Palette | None = None


class Metric(BaseModel):
    """One metric of a run; "inf" stands for infinity and null for what is not known."""

    mean: float | None
    std: float | None
    ci95: tuple[float, float] | None


class Scores(BaseModel):
    """What metrics.json and fidelity.json have in common."""

    model_config = ConfigDict(extra="allow")

    checkpoint_sha256: str
    n: Positive
    metrics: dict[str, Metric]
    definitions: dict[str, str]


class Report(Facts, Scores):
    """metrics.json: the scores of a run and the facts that they depend on."""

    run: str
    group: str
    dataset: str
    class_iou: dict[str, float | None] | None = None
    ceilings: dict[str, float] | None = None


def read_facts(folder: Path) -> dict[str, Any]:
    """What the predictions in `folder` depend on: settings, checkpoint, the generator's mode.

    Raises:
        InputError: it is not there or damaged.
    """
    return read_json(folder / FACTS, Facts, f"delete {folder} and predict again")
