"""Trainings that are killed, damaged or stopped, and started again with the same command."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import warm
import yaml
from conftest import ROOT, TINY_RUN, draw_pairs, script, snakemake

EPOCHS = 3
PAIRS = 16
RUN = TINY_RUN | {"epoch_num": EPOCHS, "n_epochs": 2, "n_epochs_decay": 2, "batch_size": 1, "dropout": True}
# dropout requires at least 6 levels
RUN |= {"g_layers": 6, "train_pic_size": 64, "val_pic_size": 64, "load_size": 68}
FINAL = f"results/own/ckpt/Generator_{EPOCHS}.ckpt"
STATE = "results/own/state/state.safetensors"


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A working directory with records and their configuration."""
    work = tmp_path_factory.mktemp("data")
    draw_pairs(work / "own", train=PAIRS)
    # a state is saved after every step
    config = {"datasets": {"own": {"folder": "own"}}, "runs": {"own": RUN}, "save_minutes": 0.00001, "log_steps": 5}
    (work / "mine.yaml").write_text(yaml.safe_dump(config))
    snakemake(work, "data/own/train.mindrecord", "--configfile", "mine.yaml")
    return work


@pytest.fixture(scope="module")
def unbroken_folder(data, tmp_path_factory) -> Path:
    """The working directory of an uninterrupted training."""
    work = copy(data, tmp_path_factory.mktemp("unbroken"))
    assert train(work).returncode == 0
    return work


@pytest.fixture(scope="module")
def unbroken(unbroken_folder) -> bytes:
    """The final checkpoint of an uninterrupted training."""
    return (unbroken_folder / FINAL).read_bytes()


def copy(data: Path, work: Path) -> Path:
    for name in ("own", "mine.yaml", "data", ".snakemake"):
        subprocess.run(["cp", "-a", data / name, work], check=True)
    return work


def command(work: Path, *changes: object) -> list:
    flags = [f"--{name}={str(value).lower() if value in (True, False) else value}" for name, value in RUN.items()]
    flags = [flag for flag in flags if "val_pic" not in flag] + [
        "--save_minutes=0.00001",
        "--log_steps=5",
        *map(str, changes),
    ]
    results = work / "results/own"
    folders = {"ckpt_dir": "ckpt", "train_fakeimg_dir": "fake_img", "loss_show_dir": "loss_show", "state_dir": "state"}
    places = [f"--{flag}={results / folder}" for flag, folder in folders.items()]
    return [work / "data/own/train.mindrecord", *places, *flags]


def train(work: Path, *changes: object) -> subprocess.CompletedProcess:
    return script("train", *command(work, *changes))


def start_training(work: Path, *changes: object) -> subprocess.Popen:
    program = [warm.python(), ROOT / "scripts/train.py", *command(work, *changes)]
    return subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_until(condition, seconds: float = 120, pause: float = 0.002) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(pause)


def owner(work: Path) -> int:
    """The process that trains here."""
    return int(re.match(r"process (\d+)", (work / "results/own/state/lock").read_text())[1])


def rows(work: Path) -> int:
    history = work / "results/own/history.csv"
    return len(history.read_text().splitlines()) - 1 if history.exists() else 0


def losses_within_epochs(work: Path) -> list[list[str]]:
    """The rows of history_steps.csv without their seconds."""
    return [line.split(",")[:-1] for line in (work / "results/own/history_steps.csv").read_text().splitlines()]


KILLED_WHEN = {
    "in the first epoch": lambda work: (work / STATE).exists(),
    "in the middle of the second": lambda work: rows(work) >= 1,
}


@pytest.mark.parametrize("moment", KILLED_WHEN)
def test_a_killed_training_resumes_with_identical_results(data, unbroken, unbroken_folder, tmp_path, moment):
    work = copy(data, tmp_path)
    arguments = [
        "--snakefile",
        ROOT / "Snakefile",
        "--directory",
        work,
        "--cores",
        "2",
        FINAL,
        "--configfile",
        work / "mine.yaml",
    ]
    with open(work / "first.log", "w") as log:
        first = subprocess.Popen([warm.python(), "-m", "snakemake", *arguments], stdout=log, stderr=log, cwd=work)
        wait_until(lambda: KILLED_WHEN[moment](work))
        os.kill(owner(work), signal.SIGKILL)
        assert first.wait(60) == 1
    assert not (work / FINAL).exists()
    log = snakemake(work, FINAL, "--configfile", str(work / "mine.yaml")).stdout
    assert "resumed at epoch" in log
    assert (work / FINAL).read_bytes() == unbroken
    assert rows(work) == EPOCHS
    assert losses_within_epochs(work) == losses_within_epochs(unbroken_folder)


def test_a_signal_saves_the_state_and_the_same_command_resumes(data, unbroken, tmp_path):
    work = copy(data, tmp_path)
    first = start_training(work)
    wait_until(lambda: rows(work) >= 1)
    first.send_signal(signal.SIGTERM)
    log = first.communicate(timeout=30)[0]
    assert "state saved, the same command resumes" in log, log
    assert first.returncode == 128 + signal.SIGTERM
    again = train(work)
    assert "resumed at epoch" in again.stdout
    assert (work / FINAL).read_bytes() == unbroken


def test_after_ctrl_c_the_last_line_says_that_the_state_is_saved(data, unbroken, tmp_path):
    work = copy(data, tmp_path)
    arguments = ["--snakefile", ROOT / "Snakefile", "--directory", work, "--cores", "2", FINAL]
    arguments += ["--configfile", work / "mine.yaml"]
    with open(work / "first.log", "w") as log:
        first = subprocess.Popen(
            [sys.executable, "-m", "snakemake", *arguments], stdout=log, stderr=log, cwd=work, start_new_session=True
        )
        wait_until(lambda: rows(work) >= 1)
        os.killpg(first.pid, signal.SIGINT)
        assert first.wait(60) == 1
    shown = (work / "first.log").read_text()
    last = shown.splitlines()[-1]
    assert last == "stopped: the state of the training is saved; to go on, give the same command again"
    assert "Error" not in shown
    assert "Traceback" not in shown
    assert "resumed at epoch" in snakemake(work, FINAL, "--configfile", str(work / "mine.yaml")).stdout
    assert (work / FINAL).read_bytes() == unbroken


def test_a_damaged_state_is_reported_and_the_previous_one_is_used(data, unbroken, tmp_path):
    work = copy(data, tmp_path)
    first = start_training(work)
    wait_until(lambda: rows(work) >= 1)
    first.kill()
    first.communicate()
    content = bytearray((work / STATE).read_bytes())
    content[-5] ^= 255
    (work / STATE).write_bytes(content)
    again = train(work)
    assert "state.safetensors: not used: damaged" in again.stdout
    assert "previous.safetensors: resumed at epoch" in again.stdout
    assert (work / FINAL).read_bytes() == unbroken


def test_another_learning_rate_starts_over_and_is_reported(data, unbroken, tmp_path):
    work = copy(data, tmp_path)
    first = start_training(work, "--lr=0.01")
    wait_until(lambda: (work / STATE).exists())
    first.kill()
    first.communicate()
    again = train(work)
    assert "not used: of another training (lr was 0.01, is 0.0002)" in again.stdout
    assert (work / FINAL).read_bytes() == unbroken


def test_more_epochs_resume_from_the_finished_state(data, unbroken, tmp_path):
    work = copy(data, tmp_path)
    assert train(work, "--epoch_num=2").returncode == 0
    log = train(work).stdout
    assert "resumed at epoch 3, step 0" in log
    assert (work / FINAL).read_bytes() == unbroken


def test_another_schedule_for_past_epochs_starts_over(unbroken_folder, tmp_path):
    work = copy(unbroken_folder, tmp_path)
    shutil.copytree(unbroken_folder / "results", work / "results")
    log = train(work, "--epoch_num=4", "--n_epochs=1", "--n_epochs_decay=3").stdout
    assert "now give epoch 2 another learning rate" in log
    assert "resumed" not in log
    assert rows(work) == 4


def test_two_processes_do_not_train_in_one_folder(data, tmp_path):
    work = copy(data, tmp_path)
    first = start_training(work)
    wait_until(lambda: (work / STATE).exists())
    second = train(work)
    pid = owner(work)
    first.kill()
    first.communicate()
    assert second.returncode == 1
    assert f"another process is training here (process {pid} on" in second.stdout
    assert "Traceback" not in second.stdout


def test_a_loss_that_is_not_finite_stops_with_one_line_and_keeps_the_last_good_state(data, tmp_path):
    work = copy(data, tmp_path)
    done = train(work, "--lr=1e30", "--save_minutes=100")
    errors = [line for line in done.stdout.splitlines() if line.startswith("error:")]
    assert done.returncode == 1
    assert len(errors) == 1
    assert "the loss is no longer finite" in errors[0]
    assert ("the last good state is kept" in errors[0]) == (work / STATE).exists()
    assert "Traceback" not in done.stdout
    assert not (work / FINAL).exists()
