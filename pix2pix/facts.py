"""The facts that a result depends on, kept beside it as JSON, and the scores made from it.

What is read may have been edited by hand, so it is checked like any other input.
"""

import json
import math
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from pix2pix.errors import InputError
from pix2pix.files import replacing
from pix2pix.values import Direction, Palette, Positive, Split

FACTS = "facts.json"


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


Model = TypeVar("Model", bound=BaseModel)


def read_json(path: Path, model: type[Model], remedy: str) -> dict[str, Any]:
    """The content of a JSON file that the workflow wrote, checked against `model`.

    Raises:
        InputError: it is missing, damaged or was edited into something else; the text ends with `remedy`.
    """
    try:
        content = json.loads(path.read_bytes())
        checked = model.model_validate(content).model_dump(exclude_unset=True)
        return {key: checked[key] for key in content}
    except OSError:
        wrong = "missing or not readable"
    except ValueError as error:
        if not isinstance(error, ValidationError):
            raise InputError(f"{path}: damaged (not JSON); {remedy}") from None
        first = error.errors()[0]
        wrong = f"damaged ({'.'.join(map(str, first['loc'])) or 'content'}: {first['msg']})"
    raise InputError(f"{path}: {wrong}; {remedy}")


def read_facts(folder: Path) -> dict[str, Any]:
    """What the predictions in `folder` depend on: settings, checkpoint, the generator's mode.

    Raises:
        InputError: it is not there or damaged.
    """
    return read_json(folder / FACTS, Facts, f"delete {folder} and predict again")


def write_json(content: dict[str, Any], path: Path) -> None:
    """Write strict JSON, which has no infinity ("inf" stands for it) and no NaN (null)."""
    with replacing(path) as scratch:
        scratch.write_text(json.dumps(_plain(content), indent=2, allow_nan=False) + "\n")


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf"
    return value
