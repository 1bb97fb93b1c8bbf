"""What a user reads on the terminal: jobs, failures, unknown targets."""

import re
import shutil
import subprocess

import pytest
from conftest import ROOT, snakemake
from disks import small_disk

TIME = r"\d\d:\d\d:\d\d"


@pytest.fixture
def work(finished, tmp_path):
    """A copy of a finished working folder, and the arguments that name its configuration."""
    folder, config = finished
    return shutil.copytree(folder, tmp_path / "work"), ("--configfile", str(config))


def shown(done):
    """The lines after those that Snakemake prints before it reads the Snakefile."""
    return [
        line for line in done.stdout.splitlines() if line and not line.startswith(("Using workflow", "Config file"))
    ]


def test_each_job_is_a_line_and_the_last_line_says_what_to_open(work):
    folder, config = work
    (folder / "results/roofs/run.html").unlink()
    lines = shown(snakemake(folder, "results/roofs/run.html", *config))
    assert lines[0] == "1 jobs: 1 describe"
    assert re.fullmatch(rf"{TIME} describe roofs", lines[1])
    assert re.fullmatch(rf"{TIME} 1 of 1 jobs done", lines[-2])
    assert re.fullmatch(r"done in \d+ min \d+ s; open results/roofs/run.html, results/roofs/gallery.html", lines[-1])


def test_a_shell_command_is_shown_on_request(work):
    folder, config = work
    (folder / "results/roofs/run.html").unlink()
    assert "scripts/describe.py" in snakemake(folder, "results/roofs/run.html", "-p", *config).stdout


def test_a_failed_job_is_named_with_its_error_and_its_log(work):
    folder, config = work
    (folder / "results/roofs/metrics.json").write_text("{")
    (folder / "results/roofs/run.html").unlink()
    done = snakemake(folder, "results/roofs/run.html", *config, check=False)
    assert done.returncode == 1
    error, log, remedy = shown(done)[-3:]
    assert error.startswith("error: describe roofs: failed: results/roofs/metrics.json: ")
    assert log == "  its log: logs/describe/roofs.log"
    assert remedy.startswith("  when that is corrected, give the same command again")
    assert "Traceback" not in done.stdout
    assert "CalledProcessError" not in done.stdout


def test_a_job_that_succeeds_when_retried_has_not_failed(tmp_path):
    """As on a cluster, whose profile retries jobs that reach their time limit."""
    (tmp_path / "Snakefile").write_text(f"""
import sys
from pathlib import Path
include: {str(ROOT / "rules/terminal.smk")!r}
onerror:
    say_failure()
rule all:
    input: "second", "never"
rule second:
    output: "second"
    log: "second.log"
    retries: 1
    shell: "echo error: at first > {{log}}; test -e once && touch {{output}} || {{{{ touch once; false; }}}}"
rule never:
    output: "never"
    shell: "false"
""")
    lines = shown(snakemake(tmp_path, "--keep-going", checkout=tmp_path, check=False))
    assert (tmp_path / "second").exists()
    assert [line for line in lines if line.startswith("error: ")] == ["error: never: failed"]


@pytest.mark.parametrize(
    ("target", "nearest"),
    [
        ("roof", "roofs"),
        ("results/roof/predict", "results/roofs/predict"),
        ("results/roofs/metric.json", "results/roofs/metrics.json"),
    ],
)
def test_an_unknown_target_gets_the_nearest_names(tmp_path, tiny_config, target, nearest):
    done = snakemake(tmp_path, target, "-n", "--configfile", str(tiny_config), check=False)
    assert done.returncode == 1
    last = shown(done)[-1]
    assert last.startswith(f"error: no target is named {target}; did you mean {nearest}")
    assert last.endswith("(snakemake targets lists all of them)")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ("--config", "epoch_num=1", "facades"),
            "error: --config: 'facades' is not a pair key=value; if it is a target, write it before --config: "
            "snakemake --cores 4 TARGET --config key=value",
        ),
        (("--configfile", "none.yaml"), "error: --configfile: 'none.yaml' does not exist; correct its path"),
    ],
)
def test_options_that_cannot_be_read_give_one_line(tmp_path, arguments, line):
    done = snakemake(tmp_path, "-n", *arguments, check=False)
    assert done.returncode == 1
    assert shown(done) == [line]


def test_targets_lists_runs_and_their_files(tmp_path, tiny_config):
    lines = shown(snakemake(tmp_path, "targets", "--configfile", str(tiny_config)))
    assert {"all", "roofs", "results/roofs/predict", "results/summary.html", "data/roofs/pairs"} <= set(lines)
    assert {"results/roofs/ckpt/Generator_2.ckpt", "results/roofs/export"} <= set(lines)
    # a folder of images has no archive
    assert "data/roofs.tar.gz" not in lines


def test_a_file_in_the_place_of_logs_gives_one_line(tmp_path, tiny_config):
    (tmp_path / "logs").write_text("mine")
    done = snakemake(tmp_path, "results/roofs/predict", "--configfile", str(tiny_config), check=False)
    assert done.returncode == 1
    assert shown(done)[-1].startswith(f"error: {tmp_path / 'logs'}: ")
    assert shown(done)[-1].endswith("must be a folder, and this is in the way: move it elsewhere")
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("name", ["results/roofs", "results/roofs/ckpt"])
def test_a_file_in_the_place_of_a_folder_gives_one_line(tmp_path, tiny_config, name):
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text("mine")
    done = snakemake(tmp_path, "results/roofs/predict", "--configfile", str(tiny_config), check=False)
    assert done.returncode == 1
    assert shown(done) == [
        f"error: {tmp_path / name}: results/roofs/ckpt must be a folder, and this is in the way: move it elsewhere"
    ]


def test_results_that_cannot_be_written_to_give_one_line_before_the_first_job(tmp_path, tiny_config):
    with small_disk(tmp_path / "results", 100_000) as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        done = snakemake(tmp_path, "results/roofs/predict", "--configfile", str(tiny_config), check=False)
    assert done.returncode == 1
    assert shown(done)[1:] == [f"error: {disk}: cannot be written to: change its permissions, or choose another folder"]
    assert not (tmp_path / "data").exists()
