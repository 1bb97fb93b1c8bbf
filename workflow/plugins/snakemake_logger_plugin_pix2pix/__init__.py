"""A plugin for Snakemake: options that it cannot read give one line instead of a traceback.

Snakemake reads --config and --configfile before any file of a workflow, but it imports the installed logger plugins
first. On import, this one adds a filter to Snakemake's logger. `make` puts its folder on the path of .venv; without
it, the traceback is shown. Every other message, also of other projects in the same .venv, stays as it is.
"""

import json
import logging
import re
import sys
from contextlib import suppress
from pathlib import Path

import yaml
from snakemake_interface_logger_plugins.base import LogHandlerBase

KEY = re.compile(r"[a-zA-Z_][\w-]*\w$")  # what Snakemake accepts in --config


def one_line(text: str, words: list[str]) -> str | None:
    """The line to show instead of `text`, the traceback of a command line; None for every other message."""
    *_, last = text.rstrip().splitlines() or [""]
    if last.startswith("ValueError: Invalid config definition: "):
        return next(filter(None, map(wrong_pair, given(words, "--config", "-C"))), None)
    # also in messages about files that a Snakefile reads
    if "load_configfile" in text or "Config file" in text:
        return next(filter(None, map(wrong_file, given(words, "--configfile", "--configfiles"))), None)
    return None


def given(words: list[str], *options: str) -> list[str]:
    """The values that a command line gives to an option that takes several."""
    found, here = [], False
    for word in words:
        name, _, value = word.partition("=")
        if word.startswith("-"):
            here = name in options
            found += [value] if here and value else []
        elif here:
            found.append(word)
    return found


def wrong_pair(word: str) -> str | None:
    """What is wrong with an argument of --config, if anything is."""
    key, equals, _ = word.partition("=")
    if not equals:
        return (
            f"error: --config: {word!r} is not a pair key=value; if it is a target, write it before --config: "
            "snakemake --cores 4 TARGET --config key=value"
        )
    if not KEY.match(key):
        return (
            f"error: --config: {key!r} is not a key, which has at least two letters, digits or _; write a key below "
            "another as --config 'outer={inner: value}'"
        )
    return None


def wrong_file(path: str) -> str | None:
    """What is wrong with a file of --configfile, if anything is."""
    # Snakemake reads a file twice, which a pipe does not permit
    if Path(path).is_fifo():
        return f"error: --configfile: {path!r} is a pipe: write it to a file"
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with suppress(ValueError):
            return no_keys(path, json.loads(text))
        return no_keys(path, yaml.safe_load(text))
    except FileNotFoundError:
        return f"error: --configfile: {path!r} does not exist; correct its path"
    except OSError as error:
        return f"error: --configfile: {path!r} cannot be read ({error.strerror})"
    except UnicodeDecodeError as error:
        return f"error: --configfile: {path!r} is not UTF-8 (byte {error.start}): save it as UTF-8"
    except yaml.YAMLError as error:
        return f"error: --configfile: {path!r} is not YAML: {' '.join(str(error).split())}"


def no_keys(path: str, content: object) -> str | None:
    """What is wrong with the content of a file of --configfile, if anything is."""
    return None if isinstance(content, dict) else f"error: --configfile: {path!r} has no keys: write key: value"


class OneLine(logging.Filter):
    """Replaces the message of a record by one line, if it is such a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record."""
        # whatever fails here must not hide a message
        with suppress(Exception):
            if record.levelno == logging.ERROR and (line := one_line(str(record.msg), sys.argv)):
                record.msg = line
        return True


class LogHandler(LogHandlerBase):
    """Snakemake expects a handler in a logger plugin; this one adds nothing to the default, and needs no option."""

    writes_to_stream = writes_to_file = has_filter = has_formatter = needs_rulegraph = False

    def emit(self, record: logging.LogRecord) -> None:
        """Leave the record to the default handlers."""


logging.getLogger("snakemake.logging").addFilter(OneLine())
