"""The plugin for Snakemake: which messages become one line, and which stay."""

import importlib.util
import logging
import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT
from snakemake.cli import parse_config
from snakemake.common.configfile import load_configfile
from snakemake.exceptions import format_exception_to_string

NAME = "snakemake_logger_plugin_pix2pix"
SPEC = importlib.util.spec_from_file_location(NAME, ROOT / "workflow/plugins" / NAME / "__init__.py")
plugin = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(plugin)


def shown(monkeypatch, fails, words: list[str]) -> str:
    """What Snakemake, started with these words, logs when `fails` raises an exception."""
    monkeypatch.setattr("sys.argv", ["snakemake", *words])
    with pytest.raises(Exception) as error:
        fails()
    text = format_exception_to_string(error.value)
    record = logging.LogRecord("snakemake.logging", logging.ERROR, "", 0, text, None, None)
    assert plugin.OneLine().filter(record)
    return record.msg


@pytest.mark.parametrize(
    ("word", "line"),
    [
        (
            "it's\n",
            '"it\'s\\n" is not a pair key=value; if it is a target, write it before --config: snakemake --cores',
        ),
        ("defaults.lr=1", "'defaults.lr' is not a key, which has at least two letters, digits or _; write a key below"),
        ("=1", "'' is not a key"),
    ],
)
@pytest.mark.parametrize("option", ["--config", "-C"])
def test_a_mistaken_pair_is_named(monkeypatch, option, word, line):
    pairs = ["lr=0.1", word]
    found = shown(monkeypatch, lambda: parse_config(pairs), ["all", option, *pairs, "-n"])
    assert found.startswith(f"error: --config: {line}")
    assert len(found.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"seeds: [1\nlr: 1", "is not YAML: while parsing a flow sequence .* line 2, column 3"),
        (b"# caf\xe9\n", r"is not UTF-8 \(byte 5\): save it as UTF-8"),
        (b"- a\n", "has no keys: write key: value"),
        (b"", "has no keys"),
        (None, r"cannot be read \(Is a directory\)"),
    ],
)
def test_a_mistaken_file_is_named_with_what_is_wrong(monkeypatch, tmp_path, content, line):
    good, bad = tmp_path / "good.yaml", tmp_path / "odd name [.yaml"
    good.write_text("lr: 1")
    bad.mkdir() if content is None else bad.write_bytes(content)
    found = shown(monkeypatch, lambda: load_configfile(bad), ["--configfile", str(good), str(bad), "-n"])
    assert found.startswith(f"error: --configfile: {str(bad)!r} ")
    assert re.search(line, found)
    assert len(found.splitlines()) == 1


def test_a_pipe_is_named_and_not_waited_for(monkeypatch, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with subprocess.Popen(["sh", "-c", 'echo "lr: 1" > "$0"', pipe]):
        found = shown(monkeypatch, lambda: load_configfile(pipe), ["--configfile", str(pipe)])
    assert found == f"error: --configfile: {str(pipe)!r} is a pipe: write it to a file"


def test_messages_of_other_projects_stay(monkeypatch, tmp_path):
    """Of a Snakefile that reads a file, and of a function that has the name of one of Snakemake's."""
    damaged = tmp_path / "samples.yaml"
    damaged.write_text("a: [")

    def own(path: Path) -> None:
        raise ValueError(f"{path} has no column x")

    own.__code__ = own.__code__.replace(co_name="load_configfile")
    whole = tmp_path / "whole.yaml"
    whole.write_text("lr: 1")
    for words in (["-n"], ["-n", "--configfile", str(whole)]):
        assert "Config file is not valid JSON or YAML" in shown(monkeypatch, lambda: load_configfile(damaged), words)
        found = shown(monkeypatch, lambda: own(damaged), words)
        assert "in load_configfile" in found
        assert found.endswith("has no column x\n")
