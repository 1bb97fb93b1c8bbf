"""Check of a configuration file before Snakemake reads it, for one-line error messages."""

import json
from pathlib import Path

import yaml

from pix2pix.system.errors import InputError


def check_yaml(path: Path) -> None:
    """Check that `path` can be read as a configuration.

    Raises:
        InputError: the file is not UTF-8, not YAML, or a part of it contains itself.
    """
    try:
        json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), default=str)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: is not YAML: {' '.join(str(error).split())}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path}: a part of it contains itself (&name, *name): write it out") from None
