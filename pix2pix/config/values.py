"""Validated types of the settings' values, and the base of all models of settings."""

import json
from contextlib import suppress
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

ADDRESS = ("http://", "https://", "file://")
KEEP_ASPECT = (
    "resizing keeps the aspect ratio: in training, a part of the image is used, and predictions fit into val_pic_size; "
    "false: images are squashed or stretched, as in the reference"
)
NATIVE = "native"  # val_pic_size: the size of each image itself
# in a split; the largest published split has 138,567, and a file of records has at most 20,000
MOST_PAIRS = 10_000_000


def is_address(text: str) -> bool:
    """Whether `text` is an address to download from, rather than a path."""
    return text.startswith(ADDRESS)


def _a_path(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("must be a path, but is empty or contains a zero byte")
    return text


def _an_address(text: str) -> str:
    if not is_address(text):
        raise ValueError(f"{text!r} must start with http://, https:// or file://")
    try:
        urlsplit(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not an address: {error}") from None
    return text


def _a_checkpoint(value: object) -> object:
    if isinstance(value, list):
        if not (value and all(isinstance(each, str) and is_address(each) for each in value)):
            raise ValueError("must be a list of addresses that start with http://, https:// or file://")
        return [_an_address(each) for each in value]
    if isinstance(value, str):
        if "://" in value:
            return _an_address(value)
        return _a_path(value)
    if not isinstance(value, list | None):
        raise ValueError(f"must be a path or an address, not {value!r}")
    return value


def _from_text(value: object) -> object:
    """The number in a text, if it is one: Snakemake passes the values inside `--config key={...}` as text."""
    if isinstance(value, str):
        with suppress(ValueError):
            return json.loads(value)
    return value


def _a_part(value: object) -> object:
    """The size of a split: a number of pairs, a fraction, or the path of a list; None: any number."""
    value = _from_text(value)
    if isinstance(value, str):
        return _a_path(value)
    if (isinstance(value, int) and 1 <= value <= MOST_PAIRS) or (isinstance(value, float) and 0 < value < 1):
        return value
    if value is not None:
        raise ValueError(
            f"{value!r} is not allowed: must be a number of pairs (1 to {MOST_PAIRS}), a fraction between 0 and 1, "
            "the path of a list of names, or null"
        )
    return None


def _unique(values: list) -> list:
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{value!r} is listed more than once: keep one")
    return values


def _grey_or_rgb(channels: int) -> int:
    if channels not in (1, 3):
        raise ValueError("must be 1 (greyscale) or 3 (RGB)")
    return channels


def _a_size(value: object) -> object:
    """One number for a square, else (height, width): both ways to write a square are the same setting."""
    return _checked_size(value, "")


def _a_size_or_native(value: object) -> object:
    return value if value == NATIVE else _checked_size(value, f" or {NATIVE}")


def _checked_size(value: object, other: str) -> object:
    # a flag is text, too
    given = _from_text(value)
    sides = [_from_text(side) for side in given] if isinstance(given, list | tuple) else [given, given]
    if len(sides) != 2 or not all(isinstance(side, int) and not isinstance(side, bool) and side >= 1 for side in sides):
        raise ValueError(f"must be a number of pixels from 1, or [height, width]{other}, not {value!r}")
    return sides[0] if sides[0] == sides[1] else tuple(sides)


def height_and_width(size: int | tuple[int, int]) -> tuple[int, int]:
    """Both sides of a `Size`, in pixels."""
    return size if isinstance(size, tuple) else (size, size)


def size_text(size: object) -> str:
    """A `Size` as it is written in config.yaml and for flags: `256` or `[256,512]`."""
    return f"[{size[0]},{size[1]}]" if isinstance(size, tuple) else str(size)


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Names = Annotated[list[Name], Field(min_length=1), AfterValidator(_unique)]
PathName = Annotated[str, AfterValidator(_a_path)]
Addresses = Annotated[list[Annotated[str, AfterValidator(_an_address)]], Field(min_length=1)]
Checkpoint = Annotated[str | list[str] | None, BeforeValidator(_a_checkpoint)]
SplitFile = Annotated[str, StringConstraints(pattern=r"^\w[\w ./-]*\.(csv|json)$")]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
InitialWeights = Annotated[str, BeforeValidator(_a_checkpoint)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Split = Literal["train", "val", "test"]
Direction = Literal["AtoB", "BtoA"]
Palette = Literal["cityscapes"]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Seeds = Annotated[list[Seed], AfterValidator(_unique)]
Positive = Annotated[int, Field(ge=1)]
Pairs = Annotated[int, Field(ge=1, le=MOST_PAIRS)]
Size = Annotated[Positive | tuple[Positive, Positive], BeforeValidator(_a_size)]
SizeOrNative = Annotated[Positive | tuple[Positive, Positive] | Literal["native"], BeforeValidator(_a_size_or_native)]
SplitPart = Annotated[Pairs | Annotated[float, Field(gt=0, lt=1)] | str | None, BeforeValidator(_a_part)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Channels = Annotated[int, AfterValidator(_grey_or_rgb)]


def _types_in(annotation: object) -> set[object]:
    """The types in an annotation: for `dict[str, int | None]` these are str, int and NoneType."""
    return {annotation}.union(*map(_types_in, get_args(annotation))) if not isinstance(annotation, str) else set()


class Strict(BaseModel):
    """A model that rejects unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_bool_for_a_number(cls, value: object, info: ValidationInfo) -> object:
        # a Python bool is an int
        types = _types_in(cls.model_fields[info.field_name or ""].annotation)
        values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        for each in values:
            if isinstance(each, bool) and types & {int, float} and bool not in types:
                raise ValueError(f"must be a number, not {str(each).lower()}")
        return value
