"""Command-line flags of the programs in scripts/, generated from the settings models."""

import argparse
from collections.abc import Collection, Mapping
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from pix2pix.config.settings import GeneratorSettings, PredictSettings, TrainSettings
from pix2pix.config.values import size_text
from pix2pix.system.errors import InputError

Model = TypeVar("Model", bound=BaseModel)


def add_flags(parser: argparse.ArgumentParser, model: type[BaseModel]) -> None:
    """Add one --flag per field of `model` to `parser`, with its description and default."""
    groups: dict[type, Any] = {}
    for name, field in model.model_fields.items():
        # the class that declares a setting, for example GeneratorSettings, is the group that it is listed in
        owner = next(each for each in reversed(model.__mro__) if name in getattr(each, "model_fields", {}))
        if owner not in groups:
            groups[owner] = parser.add_argument_group((owner.__doc__ or "").partition(";")[0].rstrip("."))
        text = (field.description or "").replace("%", "%%")
        required = field.is_required()
        note = "required" if required else f"default: {_word(field.default)}"
        groups[owner].add_argument(
            f"--{name}",
            default=argparse.SUPPRESS,
            required=required,
            metavar=_metavar(field.annotation),
            help=f"{text} ({note})",
        )


def _metavar(annotation: object) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _metavar(parts[0])
    if origin is Literal:
        return "{" + ",".join(map(_word, parts)) + "}"
    if origin in (Union, UnionType):
        kinds = {_metavar(part) for part in parts if part is not type(None)}
        return kinds.pop() if len(kinds) == 1 else "VALUE"
    return getattr(annotation, "__name__", "VALUE").upper()


def _word(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else size_text(value)


def read_flags(arguments: argparse.Namespace, model: type[Model], known: Mapping[str, Any] | None = None) -> Model:
    """Validate the settings given as flags; `known` are the values of those that are not given.

    Raises:
        InputError: a value has a wrong type or is out of range; the message names the flag.
    """
    given = {k: v for k, v in vars(arguments).items() if k in model.model_fields}
    given = {k: (None if v == "null" else v) for k, v in given.items()}
    try:
        return model.model_validate({**(known or {}), **given})
    except ValidationError as error:
        lines = [f"--{'.'.join(map(str, e['loc'])) or 'flags'}: {e['msg']}" for e in error.errors()]
        raise InputError("\n".join(lines)) from None


def as_flags(settings: BaseModel, left_out: Collection[str] = ()) -> list[str]:
    """Convert settings to command-line arguments: `["--lr", "0.0002", "--batch_size", "1", ...]`."""
    words = {name: _word(value) for name, value in settings if name not in left_out}
    # a word that starts with a dash would be parsed as a flag
    pairs = ([f"--{name}={word}"] if word[:1] == "-" else [f"--{name}", word] for name, word in words.items())
    return [word for pair in pairs for word in pair]


def by_stage(values: dict[str, str]) -> dict[str, list[tuple[str, str, str]]]:
    """Group settings, given as text, as (name, value, default): first those that differ from the defaults.

    The others follow by the stage that they belong to.
    """
    defaults = {name: size_text(value) for name, value in [*TrainSettings(), *PredictSettings()]}
    stages = {"Generator": GeneratorSettings, "Training": TrainSettings, "Prediction": PredictSettings}
    rest = {name: (name, value, defaults.get(name, "")) for name, value in values.items()}
    groups = {"Different from the defaults": [row for row in rest.values() if row[1] != row[2]]}
    for title, model in stages.items():
        same = [name for name in model.model_fields if name in rest and rest[name][1] == rest[name][2]]
        groups[f"{title}: defaults"] = [rest.pop(name) for name in same]
    return {title: rows for title, rows in groups.items() if rows or title.startswith("Different")}
