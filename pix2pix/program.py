"""What the programs in scripts/ share: flags from a settings model, and one line for an error."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from typing import Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from pix2pix.disk import FULL
from pix2pix.errors import InputError

TRACEBACK = "PIX2PIX_TRACEBACK"
Model = TypeVar("Model", bound=BaseModel)


def add_flags(parser: argparse.ArgumentParser, model: type[BaseModel]) -> None:
    """Give `parser` one --flag for each field of `model`, with its description and default."""
    for name, field in model.model_fields.items():
        text = (field.description or "").replace("%", "%%")
        required = field.is_required()
        note = "required" if required else f"default: {_word(field.default)}"
        parser.add_argument(
            f"--{name}",
            default=argparse.SUPPRESS,
            required=required,
            metavar=_metavar(field.annotation),
            help=f"{text} ({note})",
        )


def _metavar(annotation: object) -> str:
    if get_origin(annotation) is Literal:
        return "{" + ",".join(map(_word, get_args(annotation))) + "}"
    return getattr(annotation, "__name__", "VALUE").upper()


def _word(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)


def read_flags(arguments: argparse.Namespace, model: type[Model]) -> Model:
    """The settings given by flags, validated.

    Raises:
        InputError: a value has a wrong type or range; the text names the flag.
    """
    given = {k: v for k, v in vars(arguments).items() if k in model.model_fields}
    given = {k: (None if v == "null" else v) for k, v in given.items()}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        lines = [f"--{'.'.join(map(str, e['loc'])) or 'flags'}: {e['msg']}" for e in error.errors()]
        raise InputError("\n".join(lines)) from None


def as_flags(settings: BaseModel) -> list[str]:
    """The arguments that give these settings back: `["--lr", "0.0002", "--batch_size", "1", ...]`."""
    return [word for name, value in settings for word in (f"--{name}", _word(value))]


def run(main: Callable[[], None]) -> None:
    """Run a program's main function; bad input is one clear line and exit status 1.

    So is what nobody has foreseen, but for whoever sets PIX2PIX_TRACEBACK in the environment.
    """
    # as an exception, so that what is half written is cleared away
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        main()
    except InputError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        hint = "; make room and start again" if error.errno in FULL else ""
        print(f"error: {where}{error.strerror or error}{hint}", file=sys.stderr)
        sys.exit(1)
    except Exception as error:
        if TRACEBACK in os.environ:
            raise
        said = str(error).strip().partition("\n")[0]
        hint = f"({TRACEBACK}=1 in the environment shows where)"
        print(f"error: unexpected {type(error).__name__}: {said} {hint}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
