"""A plugin for Snakemake: options that it cannot read give one line instead of a traceback.

Snakemake reads --config and --configfile before any file of a workflow, but it imports the installed logger plugins
first. On import, this one adds a filter to Snakemake's logger. `make` puts its folder on the path of .venv; without
it, the traceback is shown.
"""

import logging
import re
import sys

from snakemake_interface_logger_plugins.base import LogHandlerBase

SWALLOWED = re.compile(r"Config entries have to be defined as name=value pairs.*Unparsable value: '(.*)'")


def one_line(text: str) -> str | None:
    """The line to show instead of a traceback; None for every other message."""
    *_, last = text.rstrip().splitlines() or [""]
    if found := SWALLOWED.search(last):
        return (
            f"error: --config: {found[1]} is not a pair name=value; if it is a target, write it before --config: "
            f"snakemake --cores 4 {found[1]} --config name=value"
        )
    if "in load_configfile" in text and last.startswith("FileNotFoundError: "):
        return f"error: --configfile: {last.rpartition(': ')[2]} does not exist; correct its path"
    if "in load_configfile" in text or "Config file is not valid JSON or YAML" in text:
        files = " or ".join(map(repr, configfiles(sys.argv)))
        return f"error: --configfile: {files} cannot be read; it must be a YAML file in UTF-8"
    return None


def configfiles(words: list[str]) -> list[str]:
    """The files that a command line names after --configfile."""
    found, here = [], False
    for word in words:
        name, _, value = word.partition("=")
        if word.startswith("-"):
            here = name in ("--configfile", "--configfiles")
            found += [value] if here and value else []
        elif here:
            found.append(word)
    return found


class OneLine(logging.Filter):
    """Replaces the message of a record by one line, if it is such a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record."""
        if record.levelno == logging.ERROR and (line := one_line(str(record.msg))):
            record.msg = line
        return True


class LogHandler(LogHandlerBase):
    """Snakemake expects a handler in a logger plugin; this one adds nothing to the default, and needs no option."""

    writes_to_stream = writes_to_file = has_filter = has_formatter = needs_rulegraph = False

    def emit(self, record: logging.LogRecord) -> None:
        """Leave the record to the default handlers."""


logging.getLogger("snakemake.logging").addFilter(OneLine())
