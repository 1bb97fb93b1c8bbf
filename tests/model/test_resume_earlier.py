"""Nothing trained is lost: other settings move it aside; fewer epochs are copied or trained separately."""

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import warm
import yaml
from conftest import ROOT, TINY_RUN, draw_pairs, script, snakemake

from pix2pix.config.flags import as_flags
from pix2pix.config.settings import TrainSettings

EPOCHS = 4
RUN = TINY_RUN | {"epoch_num": EPOCHS, "n_epochs": 3, "n_epochs_decay": 3}
RESULTS = Path("results/own")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A working directory with records and their configuration."""
    work = tmp_path_factory.mktemp("data")
    draw_pairs(work / "own")
    config = {"datasets": {"own": {"folder": "own"}}, "runs": {"own": RUN}, "save_epoch_freq": 2}
    (work / "mine.yaml").write_text(yaml.safe_dump(config))
    ask(work, "data/own/train.mindrecord", "data/own/val.mindrecord")
    return work


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory) -> Path:
    """A finished training of 4 epochs."""
    work = tmp_path_factory.mktemp("trained") / "work"
    shutil.copytree(data, work)
    ask(work, checkpoint(EPOCHS))
    return work


@pytest.fixture
def work(trained, tmp_path) -> Path:
    """A copy of it with the same modification times, so that nothing in it is out of date."""
    return shutil.copytree(trained, tmp_path / "work")


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory) -> Path:
    """Trainings of 2 and 3 epochs."""
    work = tmp_path_factory.mktemp("alone") / "work"
    shutil.copytree(data, work)
    for epochs in (2, 3):
        assert script("train", *flags(work, f"--epoch_num={epochs}")).returncode == 0
    return work


def checkpoint(epoch: int, network: str = "Generator") -> str:
    return f"{RESULTS}/ckpt/{network}_{epoch}.ckpt"


def ask(work: Path, *targets: str) -> str:
    return snakemake(work, *targets, "--configfile", str(work / "mine.yaml")).stdout


def contents(work: Path) -> dict[str, bytes]:
    """The files of the run, except checkpoints, separate trainings and locks."""
    folder = work / RESULTS
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock" and path.relative_to(folder).parts[0] not in ("ckpt", "epochs")
    }


def same(epoch: int, work: Path, other: Path) -> bool:
    return all(
        (work / checkpoint(epoch, network)).read_bytes() == (other / checkpoint(epoch, network)).read_bytes()
        for network in ("Generator", "Discriminator")
    )


def test_fewer_epochs_are_copied_from_the_snapshot_of_a_longer_training(work, alone):
    before = contents(work)
    log = ask(work, checkpoint(2))
    assert "Generator_2.ckpt: kept in results/own/snapshots and copied" in log
    assert same(2, work, alone)
    assert contents(work) == before
    # shown on the page of the run with epoch_num 2
    rows = (work / RESULTS / "history.csv").read_text().splitlines()
    assert (work / RESULTS / "epochs/2/history.csv").read_text().splitlines() == rows[:3]


def test_fewer_epochs_without_a_snapshot_are_trained_separately(work, alone):
    before = contents(work)
    ask(work, checkpoint(3))
    assert same(3, work, alone)
    assert contents(work) == before
    assert (work / RESULTS / "epochs/3/history.csv").read_text().count("\n") == 4
    # and the longer training resumes
    assert "state.safetensors: resumed at epoch 5, step 0" in ask(work, checkpoint(5))


def test_two_epochs_of_one_run_can_be_requested_together(data, alone, trained, tmp_path):
    work = shutil.copytree(data, tmp_path / "work")
    log = ask(work, checkpoint(3), checkpoint(EPOCHS), "--cores", "4")
    assert "error:" not in log
    assert same(3, work, alone)
    assert same(EPOCHS, work, trained)


def flags(work: Path, *changes: str) -> list[str]:
    settings = TrainSettings(**{name: value for name, value in RUN.items() if name in TrainSettings.model_fields})
    folders = {"ckpt_dir": "ckpt", "train_fakeimg_dir": "fake_img", "loss_show_dir": "loss_show", "state_dir": "state"}
    places = [f"--{flag}={work / RESULTS / folder}" for flag, folder in folders.items()]
    return [work / "data/own/train.mindrecord", *places, *as_flags(settings), "--save_epoch_freq=2", *changes]


def test_another_learning_rate_moves_the_earlier_training_aside_and_logs_one_line(work, trained):
    before = contents(work)
    log = script("train", *flags(work, "--lr=0.001")).stdout
    [line] = [line for line in log.splitlines() if "is kept in" in line]
    assert line.endswith("earlier/1: of another training (lr was 0.0002, is 0.001)")
    earlier = work / RESULTS / "earlier/1"
    facts = json.loads((earlier / "facts.json").read_text())
    assert facts["differs"] == {"lr": {"was": 0.0002, "is": 0.001}}
    moved = {str(path.relative_to(earlier)): path.read_bytes() for path in earlier.rglob("*") if path.is_file()}
    assert moved.keys() - before.keys() == {"facts.json"}
    assert {name: moved.get(name) for name in before} == before
    assert not same(EPOCHS, work, trained)

    # with its settings again it is brought back, and writes its checkpoints again without training
    script("train", *flags(work, "--lr=0.002"))
    log = script("train", *flags(work)).stdout
    assert f"{earlier}: was trained with these settings and data, and is continued" in log
    assert "state.safetensors: resumed at epoch 5, step 0" in log
    assert same(EPOCHS, work, trained)
    assert contents(work).keys() - {"workers/lock"} >= before.keys()
    assert {name: contents(work)[name] for name in before if "training" not in name} == {
        name: content for name, content in before.items() if "training" not in name
    }
    lrs = [json.loads((work / RESULTS / f"earlier/{n}/facts.json").read_text())["differs"]["lr"]["was"] for n in (2, 3)]
    assert lrs == [0.001, 0.002]
    assert not earlier.exists()


def run_killed(work: Path, moment: int, *changes: str) -> bool:
    """Train, killed before the rename of this number; return whether it was killed."""
    words = list(map(str, flags(work, *changes)))
    status, log = warm.run(ROOT / "scripts/train.py", words, work, killed_at=moment)
    assert status in (0, -signal.SIGKILL), log
    return status != 0


def assert_together(work: Path, before: dict[str, bytes], trained: Path) -> None:
    """After a start with the first settings everything of the first training is in its place again."""
    done = script("train", *flags(work))
    assert done.returncode == 0, done.stdout
    assert same(EPOCHS, work, trained)
    kept = {name for name in before if "training" not in name}
    assert {name: contents(work).get(name) for name in kept} == {name: before[name] for name in kept}


@pytest.mark.parametrize("moment", [2, 3, 4, 6, 8, 10, 12])
def test_a_training_that_is_killed_while_it_is_moved_aside_stays_together(work, trained, moment):
    before = contents(work)
    assert run_killed(work, moment, "--lr=0.001")
    assert_together(work, before, trained)


@pytest.mark.parametrize("moment", [2, 5, 8, 10, 12, 14, 16, 18, 20, 22])
def test_a_training_that_is_killed_while_it_is_brought_back_stays_together(work, trained, moment):
    before = contents(work)
    script("train", *flags(work, "--lr=0.001", "--epoch_num=1"))
    assert run_killed(work, moment)
    assert_together(work, before, trained)
    assert sorted(path.name for path in (work / RESULTS / "earlier").iterdir()) == ["2"]


def test_what_a_user_keeps_in_earlier_is_left_alone(work, trained):
    before = contents(work)
    for name in ("notes.txt", ".DS_Store", "old/mine.txt", "\u00b2/mine.txt"):
        (work / RESULTS / "earlier" / name).parent.mkdir(parents=True, exist_ok=True)
        (work / RESULTS / "earlier" / name).write_text("mine")
    script("train", *flags(work, "--lr=0.001"))
    assert_together(work, before, trained)
    assert sorted(path.name for path in (work / RESULTS / "earlier").iterdir()) == [
        ".DS_Store",
        "2",
        "notes.txt",
        "old",
        "\u00b2",
    ]


def test_a_damaged_state_is_moved_aside_too(work):
    for name in ("state", "previous"):
        (work / RESULTS / f"state/{name}.safetensors").write_bytes(b"damaged")
    log = script("train", *flags(work)).stdout
    assert "earlier/1: damaged (" in log
    assert (work / RESULTS / "earlier/1/state/state.safetensors").read_bytes() == b"damaged"
    assert (work / RESULTS / "earlier/1/fake_img/epoch_0004.png").exists()


def test_a_snapshot_that_could_not_be_written_is_written_by_the_next_start(data, alone, tmp_path):
    work = shutil.copytree(data, tmp_path / "work")
    assert script("train", *flags(work, "--epoch_num=1")).returncode == 0
    snapshots = work / RESULTS / "snapshots"
    obstacle = snapshots / "Generator_2.ckpt"
    obstacle.mkdir(parents=True)
    failed = script("train", *flags(work))
    assert failed.returncode == 1
    assert f"{obstacle.relative_to(work)}: Is a directory; it is in the way: move it elsewhere" in failed.stdout
    obstacle.rmdir()
    assert script("train", *flags(work)).returncode == 0
    for network in ("Generator", "Discriminator"):
        assert (snapshots / f"{network}_2.ckpt").read_bytes() == (alone / checkpoint(2, network)).read_bytes()


def test_a_signal_saves_no_state_with_a_loss_that_is_not_finite(data, tmp_path):
    work = shutil.copytree(data, tmp_path / "work")
    saved = work / RESULTS / "state/state.safetensors"
    # the first one stops after one step: its loss was finite, but its update made the weights useless
    stop_at_once(work)
    before = saved.read_bytes() if saved.exists() else None
    log = stop_at_once(work)
    assert "the loss is no longer finite" in log
    assert (saved.read_bytes() if saved.exists() else None) == before


def stop_at_once(work: Path) -> str:
    """Start a training that diverges, and send it a signal before its first step."""
    command = [warm.python(), ROOT / "scripts/train.py", *flags(work, "--lr=1e30")]
    lock = work / RESULTS / "state/workers/lock"
    lock.unlink(missing_ok=True)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        while not (lock.exists() and lock.read_text()):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        return process.communicate(timeout=120)[0]
