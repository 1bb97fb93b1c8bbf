"""Trainings run on the cores that they are given, seen in /proc while they run."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from conftest import ROOT, TINY_RUN, draw_pairs, planned, script, snakemake

from pix2pix.config.flags import as_flags
from pix2pix.config.settings import TrainSettings

LONG = {"epoch_num": 10000, "n_epochs": 10000, "batch_size": 1}
SETTINGS = TrainSettings(**{k: v for k, v in (TINY_RUN | LONG).items() if k in TrainSettings.model_fields})
# other jobs on this machine are not seen: these reserve their cores under a name of their own
PROGRAM = """
import os, runpy, sys
from pix2pix.system import cores
cores.NAME = sys.argv[1]
os.sched_setaffinity(0, {0, 1})
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
two_cores = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("records")
    path = folder / "train.mindrecord"
    assert script("mindrecord", draw_pairs(folder / "own"), path, "--split", "train").returncode == 0
    return path


def command(records: Path, folder: Path, pool: str, *flags: object) -> list[str]:
    named = {"ckpt_dir": "ckpt", "train_fakeimg_dir": "fake_img", "loss_show_dir": "loss_show", "state_dir": "state"}
    places = [f"--{flag}={folder / name}" for flag, name in named.items()]
    program = [sys.executable, "-c", PROGRAM, pool, ROOT / "scripts/train.py"]
    return list(map(str, [*program, records, *places, *as_flags(SETTINGS), *flags]))


@contextmanager
def training(records: Path, folder: Path, pool: str, *flags: str) -> Iterator[subprocess.Popen]:
    """Start a long training that may use cores 0 and 1; yield when it has finished an epoch, and end it."""
    folder.mkdir()
    line = command(records, folder, pool, *flags)
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(line, stdout=log, stderr=log, start_new_session=True)
    try:
        end = time.monotonic() + 120
        while not (folder / "history.csv").exists():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(60)


def cores_of(pid: int) -> set[str]:
    """The cores that the threads of a process may run on, as /proc/PID/task/*/status lists them."""
    found = set()
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        found |= {line.split()[1] for line in status.read_text().splitlines() if line.startswith("Cpus_allowed_list")}
    return found


@two_cores
def test_two_trainings_at_once_run_all_their_threads_on_different_cores(records, tmp_path):
    pool = str(tmp_path)
    with (
        training(records, tmp_path / "a", pool, "--train_threads", "1") as first,
        training(records, tmp_path / "b", pool, "--train_threads", "1") as second,
    ):
        assert [cores_of(first.pid), cores_of(second.pid)] == [{"0"}, {"1"}]
    assert "on CPU, 1 threads" in (tmp_path / "a/log").read_text()
    # resumed on two cores, it says so, and the result does
    epochs = (tmp_path / "a/history.csv").read_text().count("\n")
    done = subprocess.run(command(records, tmp_path / "a", pool, "--epoch_num", epochs), capture_output=True, text=True)
    assert "threads: 2; this training has also used 1: results differ in rounding" in done.stderr.splitlines()
    assert json.loads((tmp_path / "a/training.json").read_text())["threads"] == [1, 2]


@two_cores
def test_the_workers_of_a_training_share_its_cores(records, tmp_path):
    flags = ("--train_threads", "2", "--device_num", "2")
    with training(records, tmp_path / "a", str(tmp_path), *flags) as process:
        assert cores_of(process.pid) == {"0-1"}
        workers = {}
        for child in psutil.Process(process.pid).children(recursive=True):
            if (environment := child.environ()).get("MS_ROLE") == "MS_WORKER":
                workers[environment["RANK_ID"]] = cores_of(child.pid)
        assert workers == {"0": {"0"}, "1": {"1"}}
    assert "on CPU, 1 threads" in (tmp_path / "a/log").read_text()


def test_training_and_prediction_get_all_cores_and_another_number_reruns_nothing(finished):
    directory, config = finished
    assert planned(directory, "--configfile", str(config), "--cores", "16") == {}
    log = snakemake(directory, "--configfile", str(config), "--cores", "16", "--forceall", "-n", "-p").stdout
    threads = dict(re.findall(r"scripts/(\w+)\.py .*--(?:train_)?threads (\d+)", log))
    assert threads == {"extract": "16", "mindrecord": "1", "train": "16", "predict": "16", "evaluate": "1"}
