"""Training with several workers: what each reads, what they exchange, and how they end."""

import csv
import ctypes.util
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import mindspore as ms
import numpy as np
import psutil
import pytest
from conftest import ROOT, TINY_RUN, draw_pairs, script
from hypothesis import given
from hypothesis import strategies as st

from pix2pix.config.flags import as_flags
from pix2pix.config.settings import TrainSettings, WhereSettings
from pix2pix.data.loader import batches, sample_epoch
from pix2pix.distributed.launcher import Node, _conclude, free_port, run_workers
from pix2pix.distributed.nodes import launch
from pix2pix.distributed.workers import Workers, part_of_step, steps_of_epoch
from pix2pix.system.errors import InputError
from pix2pix.training.step import Trainer

TINY = {name: value for name, value in TINY_RUN.items() if name in TrainSettings.model_fields} | {"batch_size": 2}
SETTINGS = TrainSettings(**TINY, flip=False)
# a full step, then one of 3 pairs (2 + 1); and a full step, then one of 1 pair (1 + none)
PAIRS = {"seven": 7, "five": 5}


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("records")
    found = {}
    for name, pairs in (PAIRS | {"eight": 8}).items():
        found[name] = folder / f"{name}.mindrecord"
        images = draw_pairs(folder / name, train=pairs, val=1)
        assert script("mindrecord", images, found[name], "--split", "train").returncode == 0
    return found


@pytest.fixture(scope="module")
def steps(tmp_path_factory, records) -> dict[str, list[list[dict[str, np.ndarray]]]]:
    """For each set of records and each of two workers, everything that its steps read and changed."""
    folder = tmp_path_factory.mktemp("two")
    program = [str(ROOT / "tests" / "distributed" / "two_workers.py"), SETTINGS.model_dump_json(), str(folder)]
    command = [*program, *(str(records[name]) for name in PAIRS)]
    assert run_workers(command, 2, Node(0, 1, "127.0.0.1", free_port()), folder / "logs", 60) == 0
    return {
        name: [[dict(np.load(folder / f"{name}_{worker}_{step}.npz")) for step in (0, 1)] for worker in (0, 1)]
        for name in PAIRS
    }


@given(st.integers(1, 60), st.integers(1, 5), st.integers(1, 7))
def test_an_epoch_distributes_every_pair_once_and_evenly(pairs, batch_size, number):
    read = []
    for step in range(steps_of_epoch(pairs, batch_size, Workers(number))):
        shares = [part_of_step(step, pairs, batch_size, Workers(number, rank)) for rank in range(number)]
        assert sum(weight for _, weight in shares) == pytest.approx(1)
        sizes = [len(positions) * (weight > 0) for positions, weight in shares]
        assert max(sizes) <= batch_size
        assert max(sizes) - min(sizes) <= 1
        assert all(positions for positions, _ in shares)
        read += [position for positions, weight in shares if weight for position in positions]
    assert read == list(range(pairs))


@pytest.mark.parametrize("name", PAIRS)
def test_in_an_epoch_the_workers_read_every_pair_exactly_once(name, steps, records):
    plan = sample_epoch(PAIRS[name], 1, SETTINGS)
    alone = [(x[0], y[0]) for x, y in batches([records[name]], plan, [[n] for n in range(PAIRS[name])], SETTINGS)]
    read = [
        (x, y)
        for worker in steps[name]
        for step in worker
        if step["weight"]
        for x, y in zip(step["x"], step["y"], strict=True)
    ]
    assert len(read) == PAIRS[name]
    assert {x.tobytes() + y.tobytes() for x, y in read} == {x.tobytes() + y.tobytes() for x, y in alone}


def test_both_workers_have_bit_identical_weights(steps):
    for first, second in zip(*steps["five"], strict=True):
        # moving statistics differ between workers and are never used
        names = [name for name in first if name.startswith(("before/", "after/")) and ".moving_" not in name]
        assert len(names) > 40
        assert [name for name in names if first[name].tobytes() != second[name].tobytes()] == []


@pytest.mark.parametrize(("name", "step"), [("seven", 0), ("seven", 1), ("five", 1)])
def test_a_step_uses_the_mean_gradient_of_all_pairs(name, step, steps):
    """Compare the averaged gradient, derived from Adam's first moment, with those computed by one process."""
    done = [worker[step] for worker in steps[name]]
    alone = [gradients_of(worker) for worker in done]
    assert sum(worker["weight"] for worker in done) == pytest.approx(1)
    together = gradients(done[0])
    for network in ("adam_g", "adam_d"):
        names = [name for name in together if name.startswith(network)]
        expected = [sum(w["weight"] * g[name] for w, g in zip(done, alone, strict=True)) for name in names]
        off = np.sqrt(sum(np.sum((together[n] - e) ** 2) for n, e in zip(names, expected, strict=True)))
        assert off < 1e-5 * np.sqrt(sum(np.sum(e**2) for e in expected))


def gradients(step: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Solve m = beta1 m + (1 - beta1) g for g, in float64."""
    moments = [name.removeprefix("after/") for name in step if name.startswith(("after/adam_g.m", "after/adam_d.m"))]
    before, after = ({n: step[f"{when}/{n}"].astype(np.float64) for n in moments} for when in ("before", "after"))
    return {name: (after[name] - SETTINGS.beta1 * before[name]) / (1 - SETTINGS.beta1) for name in moments}


def gradients_of(step: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The gradients that one process computes from the pairs of one worker with the same weights."""
    trainer = Trainer(SETTINGS)
    for name, parameter in trainer.parameters().items():
        parameter.set_data(ms.Tensor(step[f"before/{name}"]))
    trainer.step(ms.Tensor(step["x"]), ms.Tensor(step["y"]), ms.Tensor(0.0, ms.float32))
    after = {f"after/{name}": parameter.asnumpy() for name, parameter in trainer.parameters().items()}
    return gradients(step | after)


@pytest.fixture(scope="module")
def long_run(records) -> list[str]:
    """The flags of a training of 5 epochs on two workers."""
    settings = SETTINGS.model_copy(update={"epoch_num": 5, "n_epochs": 4, "n_epochs_decay": 1})
    # of full steps only, which are compiled once
    return [str(records["eight"]), *as_flags(settings), "--device_num", "2"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, long_run) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    # two nodes with one worker each, both on this machine
    with training(folder, long_run, "--nodes", "2", "--hosts", "localhost,localhost") as process:
        assert process.wait(timeout=300) == 0, output(folder)
    return folder


def training(folder: Path, flags: list[str], *more: str) -> subprocess.Popen:
    named = {"ckpt_dir": "ckpt", "train_fakeimg_dir": "fake_img", "loss_show_dir": "loss_show", "state_dir": "state"}
    command = [sys.executable, str(ROOT / "scripts" / "train.py"), *flags, *more]
    command += [part for flag, name in named.items() for part in (f"--{flag}", str(folder / name))]
    with open(folder / "output.log", "w") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True)


def output(folder: Path) -> str:
    return (folder / "output.log").read_text()


def history(folder: Path) -> list[dict[str, str]]:
    path = folder / "history.csv"
    return list(csv.DictReader(path.open())) if path.exists() else []


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def wait_for_epoch(folder: Path, epoch: int, process: subprocess.Popen) -> None:
    wait_until(lambda: len(history(folder)) >= epoch or process.poll() is not None)
    assert process.poll() is None, output(folder)


def processes_of(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if str(folder) in " ".join(process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def worker_of(folder: Path, rank: int) -> psutil.Process:
    [worker] = [
        process
        for process in processes_of(folder)
        if (env := process.environ()).get("MS_ROLE") == "MS_WORKER" and env.get("RANK_ID") == str(rank)
    ]
    return worker


def test_stopped_and_killed_workers_resume_with_identical_results(tmp_path, long_run, uninterrupted):
    with training(tmp_path, long_run) as process:
        wait_for_epoch(tmp_path, 1, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 128 + signal.SIGTERM
    assert "state saved, the same command resumes" in output(tmp_path)
    assert processes_of(tmp_path) == []

    with training(tmp_path, long_run) as process:
        wait_for_epoch(tmp_path, 3, process)
        worker_of(tmp_path, 1).kill()
        killed = time.monotonic()
        assert process.wait(timeout=60) == 1
    print(f"ended {time.monotonic() - killed:.1f} s after its worker")
    assert "resumed at epoch" in output(tmp_path)
    assert "worker_1" in output(tmp_path)
    assert "was killed by SIGKILL" in output(tmp_path)
    assert processes_of(tmp_path) == []

    with training(tmp_path, long_run) as process:
        assert process.wait(timeout=300) == 0, output(tmp_path)
    for name in ("Generator_5.ckpt", "Discriminator_5.ckpt"):
        assert (tmp_path / "ckpt" / name).read_bytes() == (uninterrupted / "ckpt" / name).read_bytes()
    rows = history(tmp_path)
    assert [row["workers"] for row in rows] == ["2"] * 5
    for row, other in zip(rows, history(uninterrupted), strict=True):
        assert row | {"seconds": ""} == other | {"seconds": ""}


def test_a_killed_launcher_leaves_no_process(tmp_path):
    command = [sys.executable, ROOT / "tests/distributed/stopping_workers.py", "600", "600", tmp_path]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: len(list(tmp_path.glob("ready_*"))) == 2)
        assert len(processes_of(tmp_path)) > 3
        process.kill()
    wait_until(lambda: not processes_of(tmp_path))


def test_fewer_epochs_are_trained_separately_by_all_workers(tmp_path, long_run, uninterrupted):
    shutil.copytree(uninterrupted, tmp_path, dirs_exist_ok=True)
    state = (tmp_path / "state/state.safetensors").read_bytes()
    with training(tmp_path, long_run, "--epoch_num", "1") as process:
        assert process.wait(timeout=300) == 0, output(tmp_path)
    assert (tmp_path / "ckpt/Generator_1.ckpt").exists()
    assert (tmp_path / "epochs/1/state/workers/worker_1.log").exists()
    assert (tmp_path / "state/state.safetensors").read_bytes() == state
    assert [row["epoch"] for row in history(tmp_path)] == list("12345")


@pytest.mark.parametrize("worker", ["worker_0", "worker_1"])
@pytest.mark.parametrize("said", ["error: images/3.png: cannot be decoded", "Segmentation fault"])
def test_the_last_error_of_a_failed_training_is_that_of_the_worker(tmp_path, capfd, worker, said):
    with psutil.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    (tmp_path / "msrun_0.log").write_text(f"process {process.pid} exit with exception. Error code: 1")
    (tmp_path / f"{worker}.log").write_text(f"{said}\n")
    found = {worker: process}
    if worker == "worker_0":
        print(said, file=sys.stderr)  # as it grows
    assert _conclude(found, ["worker_0", "worker_1"], tmp_path, SimpleNamespace(signal=0)) == 1
    shown = capfd.readouterr().err.splitlines()
    assert said in shown
    errors = [line for line in shown if line.startswith("error: ")]
    failed = f"{worker} (process {process.pid}) ended with status 1"
    assert errors == ([said] if said.startswith("error: ") else [f"error: {failed}"])
    assert any(failed in line for line in shown)


def test_without_ssh_nothing_is_started(tmp_path, monkeypatch):
    where = WhereSettings(device_num=2, nodes=2, hosts="localhost,elsewhere")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"^hosts: elsewhere is reached by ssh, which is not installed here"):
        launch(["-c", "import time; time.sleep(600)"], where, tmp_path)
    assert not [child for child in psutil.Process().children() if "time.sleep(600)" in " ".join(child.cmdline())]


@pytest.mark.skipif(ctypes.util.find_library("cuda") is not None, reason="this machine has NVIDIA's driver")
def test_an_unavailable_device_gives_one_clear_line(tmp_path, long_run):
    with training(tmp_path, long_run, "--device_target", "GPU") as process:
        assert process.wait(timeout=60) == 1
    [line] = [line for line in output(tmp_path).splitlines() if line.strip()]
    assert line.startswith("error: device_target: GPU: missing: ")
