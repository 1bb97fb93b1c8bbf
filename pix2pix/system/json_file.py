"""JSON files: written atomically as strict JSON, and validated when read, since they may have been edited."""

import json
import math
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pix2pix.system.errors import InputError
from pix2pix.system.files import replacing

Model = TypeVar("Model", bound=BaseModel)


def read_json(path: Path, model: type[Model], remedy: str) -> dict[str, Any]:
    """Read a JSON file that the workflow wrote, and validate it against `model`.

    Raises:
        InputError: the file is missing, damaged or does not match the model; the message ends with `remedy`.
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


def write_json(content: dict[str, Any], path: Path) -> None:
    """Write strict JSON: infinity becomes "inf", NaN becomes null."""
    with replacing(path) as scratch:
        scratch.write_text(json.dumps(_plain(content), indent=2, allow_nan=False) + "\n")


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf"
    return value
