"""Check of a configuration file before it is used, for one-line error messages."""

import json
from pathlib import Path

import yaml

from pix2pix.system.errors import InputError

PROGRAM = "__use_yte__"


def check_yaml(path: Path) -> None:
    """Check that `path` can be read as a configuration.

    Raises:
        InputError: the file is not UTF-8, not YAML, or contains a key twice, a part of it contains itself, or it asks
            Snakemake to run Python code in it.
    """
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        twice = _key_given_twice(node, set())
        content = loader.construct_document(node) if node else None
        json.dumps(content, default=str, skipkeys=True)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: is not YAML: {' '.join(str(error).split())}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path}: a part of it contains itself (&name, *name): write it out") from None
    if twice:
        raise InputError(f"{path}: {twice}, and only the last would be used: keep one")
    if isinstance(content, dict) and PROGRAM in content:
        raise InputError(f"{path}: {PROGRAM}: would run Python code in this file: remove it")


def _key_given_twice(node: yaml.Node | None, seen: set[int]) -> str | None:
    """The first key that is twice in one part of the file, and its lines."""
    if not isinstance(node, yaml.CollectionNode) or id(node) in seen:
        return None
    seen.add(id(node))
    lines: dict[tuple[str, str], int] = {}
    parts = node.value
    if isinstance(node, yaml.MappingNode):
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                continue
            if (earlier := lines.get((key.tag, key.value))) is not None:
                return f"the key {key.value} is given in line {earlier} and again in line {line}"
            lines[key.tag, key.value] = line
        parts = [value for _, value in node.value]
    return next((found for part in parts if (found := _key_given_twice(part, seen))), None)
