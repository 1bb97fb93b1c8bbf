"""The facts that a result depends on, kept beside it as JSON."""

import json
import math
from pathlib import Path

from pix2pix.errors import InputError
from pix2pix.files import replacing

FACTS = "facts.json"


def read_json(path: Path) -> dict:
    """The content of a JSON file that the workflow wrote.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        raise InputError(f"{path}: missing or damaged; delete it and run the workflow again") from None


def read_facts(folder: Path) -> dict[str, object]:
    """What the predictions in `folder` depend on: settings, checkpoint, the generator's mode.

    Raises:
        InputError: it is not there or damaged.
    """
    try:
        return read_json(folder / FACTS)
    except InputError:
        raise InputError(f"{folder / FACTS}: missing or damaged; delete {folder} and predict again") from None


def write_json(content: dict, path: Path) -> None:
    """Write strict JSON, which knows no infinity ("inf" stands for it) and no number that is none (null)."""
    with replacing(path) as scratch:
        scratch.write_text(json.dumps(_plain(content), indent=2, allow_nan=False) + "\n")


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf"
    return value
