"""The file that training resumes from: whatever is wrong with it, it is never taken for another state."""

import json
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from conftest import ROOT, TINY_RUN, draw_pairs, script
from disks import small_disk
from safetensors import safe_open
from safetensors.numpy import save_file

from pix2pix.config.settings import TrainSettings, WhereSettings
from pix2pix.distributed.nodes import SECONDS_MORE
from pix2pix.system.errors import InputError
from pix2pix.training.history import LOSS_COLUMNS
from pix2pix.training.schedule import learning_rate
from pix2pix.training.state import NEWEST, PREVIOUS, Position, UnusableStateError, fingerprint, resume, save_state
from pix2pix.training.step import Trainer

SETTINGS = TrainSettings(**{name: value for name, value in TINY_RUN.items() if name in TrainSettings.model_fields})
STEPS = 9


def row(epoch: int, lr: float | None = None) -> dict[str, int | float]:
    rate = learning_rate(epoch, SETTINGS) if lr is None else lr
    return dict.fromkeys(LOSS_COLUMNS, 0.5) | {"epoch": epoch, "lr": rate, "workers": 1}


BEFORE = Position(epoch=2, step=3, seconds=1.5, history=[row(1)])
NOW = Position(epoch=2, step=7, seconds=2.5, history=[row(1)])


@pytest.fixture(scope="module")
def parameters() -> dict[str, ms.Parameter]:
    return Trainer(SETTINGS).parameters()


@pytest.fixture(scope="module")
def mark(tmp_path_factory) -> dict:
    records = tmp_path_factory.mktemp("records") / "train.mindrecord"
    records.write_text("pairs")
    return fingerprint(SETTINGS, [records], [], 1)


@pytest.fixture
def folder(tmp_path, parameters, mark) -> Path:
    """A folder of two states."""
    for position in (BEFORE, NOW):
        save_state(tmp_path, parameters, position, mark)
    return tmp_path


def test_a_state_gives_back_position_history_and_parameters(folder, parameters, mark):
    expected = {name: parameter.asnumpy().copy() for name, parameter in parameters.items()}
    for parameter in parameters.values():
        parameter.set_data(ms.Tensor(np.zeros_like(parameter.asnumpy())))
    assert resume(folder, parameters, SETTINGS, mark, STEPS) == NOW
    for name, parameter in parameters.items():
        assert parameter.asnumpy().tobytes() == expected[name].tobytes()
        assert parameter.shape == expected[name].shape


def test_no_flipped_bit_in_the_header_or_the_data_gives_another_position(folder, parameters, mark):
    whole = (folder / NEWEST).read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    random = np.random.default_rng(1)
    (folder / PREVIOUS).unlink()
    refused = 0
    for at in [*random.integers(0, header, 500), *random.integers(header, len(whole), 100)]:
        spoilt = bytearray(whole)
        spoilt[at] ^= 1 << int(random.integers(8))
        (folder / NEWEST).write_bytes(spoilt)
        try:
            assert resume(folder, parameters, SETTINGS, mark, STEPS) == NOW
        except UnusableStateError as why:
            assert "\n" not in str(why)
            refused += 1
    assert refused > 550


def write_header(path: Path, changes: dict[str, object], version: int) -> None:
    """Give a state another header, whose checksum matches."""
    with safe_open(path, "numpy") as state:
        arrays = {name: state.get_tensor(name) for name in state.keys()}  # noqa: SIM118 (no mapping)
        told = {name: json.loads(value) for name, value in state.metadata().items() if name != "checksum"}
    if version == 1:
        del told["version"]
    told |= changes
    told = {name: json.dumps(value) for name, value in told.items() if value is not None}
    checksum = 0
    for name in sorted(arrays):
        checksum = zlib.crc32(arrays[name].tobytes(), zlib.crc32(name.encode(), checksum))
    for name in sorted(told) if version > 1 else ():
        checksum = zlib.crc32(f"{name}={told[name]}".encode(), checksum)
    save_file(arrays, path, told | {"checksum": json.dumps(checksum)})


POSITION = {"epoch": 2, "step": 7, "seconds": 2.5, "history": [row(1)]}
WRONG = {
    "an epoch below 1": {"position": POSITION | {"epoch": -5}},
    "an epoch that is text": {"position": POSITION | {"epoch": "2"}},
    "a step beyond the epoch": {"position": POSITION | {"step": 10**9}},
    "a step below 0": {"position": POSITION | {"step": -1}},
    "a history that is too short": {"position": POSITION | {"history": []}},
    "a history that is too long": {"position": POSITION | {"history": [row(1), row(2)]}},
    "a history of lists": {"position": POSITION | {"history": [[1, 2]]}},
    "a row without its losses": {"position": POSITION | {"history": [{"epoch": 1}]}},
    "a row of another epoch": {"position": POSITION | {"history": [row(2, SETTINGS.lr)]}},
    "a position that is a list": {"position": [1, 2]},
    "no position": {"position": None},
    "no fingerprint": {"fingerprint": None},
    "a fingerprint that is a list": {"fingerprint": ["lr"]},
}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("wrong", WRONG)
def test_after_a_state_whose_header_makes_no_sense_the_one_before_it_is_used(
    folder, parameters, mark, wrong, version, capfd
):
    write_header(folder / NEWEST, WRONG[wrong], version)
    assert resume(folder, parameters, SETTINGS, mark, STEPS) == BEFORE
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 2
    assert f"{NEWEST}: not used: damaged" in said[0]


def test_a_state_without_a_version_is_resumed(folder, parameters, mark):
    older = {name: value for name, value in mark.items() if name != "held_out"}
    write_header(folder / NEWEST, {"fingerprint": older}, version=1)
    assert resume(folder, parameters, SETTINGS, mark, STEPS) == NOW


def test_a_setting_that_a_state_does_not_know_was_as_it_is_by_default(folder, parameters, mark):
    older = {name: value for name, value in mark.items() if name != "update_order"}
    write_header(folder / NEWEST, {"fingerprint": older}, version=2)
    (folder / PREVIOUS).unlink()
    assert resume(folder, parameters, SETTINGS, mark, STEPS) == NOW
    with pytest.raises(UnusableStateError, match="update_order was simultaneous, is alternating"):
        resume(folder, parameters, SETTINGS, mark | {"update_order": "alternating"}, STEPS)


def test_a_state_of_a_newer_version_is_not_read(folder, parameters, mark):
    write_header(folder / NEWEST, {"version": 3}, version=2)
    (folder / PREVIOUS).unlink()
    with pytest.raises(UnusableStateError, match="written by a newer version"):
        resume(folder, parameters, SETTINGS, mark, STEPS)


def test_a_state_that_cannot_be_read_is_an_error_and_no_reason_to_start_over(folder, parameters, mark):
    (folder / NEWEST).unlink()
    # the tests may run as root, to whom all is permitted
    (folder / NEWEST).symlink_to(NEWEST)
    with pytest.raises(InputError, match=r"state\.safetensors: cannot be read \(.*\): make it readable"):
        resume(folder, parameters, SETTINGS, mark, STEPS)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_not_saved(folder, mark, value):
    before = (folder / NEWEST).read_bytes()
    trainer = Trainer(SETTINGS)
    trainer.loss_sums.set_data(ms.Tensor([0.0, value, 0.0, 0.0], ms.float32))
    with pytest.raises(InputError, match="loss_sums is no longer finite"):
        save_state(folder, trainer.parameters(), NOW, mark)
    assert (folder / NEWEST).read_bytes() == before


def test_other_held_out_data_is_another_training(tmp_path):
    for name in ("train", "val"):
        (tmp_path / name).write_text(name)
    marks = [fingerprint(SETTINGS, [tmp_path / "train"], [tmp_path / held_out], 1) for held_out in ("train", "val")]
    assert [name for name in marks[0] if marks[0][name] != marks[1][name]] == ["held_out"]


def test_a_state_on_a_full_disk_is_one_line_and_the_states_before_it_stay(tmp_path, parameters, mark):
    size = sum(parameter.asnumpy().nbytes for parameter in parameters.values())
    with small_disk(tmp_path / "disk", int(2.6 * size)) as folder:
        save_state(folder, parameters, BEFORE, mark)
        save_state(folder, parameters, NOW, mark)
        with pytest.raises(InputError, match=r"cannot be written .*make room and start again") as error:
            save_state(folder, parameters, NOW, mark)
        assert "\n" not in str(error.value)
        assert resume(folder, parameters, SETTINGS, mark, STEPS) == NOW
        assert {path.name for path in folder.iterdir()} == {NEWEST, PREVIOUS}


@pytest.mark.parametrize("profile", ["slurm", "cluster-generic"])
def test_workers_have_as_long_to_stop_as_the_cluster_gives_them(profile):
    text = (ROOT / "profiles" / profile / "config.yaml").read_text()
    [warning] = {int(word.partition("'")[0].split()[0]) for word in text.split("--signal=TERM@")[1:]}
    needed = WhereSettings().stop_seconds + SECONDS_MORE
    assert warning - 30 < needed <= warning


def test_the_state_is_saved_before_the_held_out_pairs_are_measured(tmp_path):
    draw_pairs(tmp_path / "own")
    records, damaged = tmp_path / "train.mindrecord", tmp_path / "val.mindrecord"
    assert script("mindrecord", tmp_path / "own", records, "--split", "train").returncode == 0
    damaged.write_text("no records")
    flags = [f"--{name}={value}" for name, value in SETTINGS if name in TINY_RUN]
    folders = {"ckpt_dir": "ckpt", "train_fakeimg_dir": "fake_img", "loss_show_dir": "loss_show", "state_dir": "state"}
    places = [f"--{flag}={tmp_path / folder}" for flag, folder in folders.items()]
    done = script("train", records, *places, *flags, "--eval_epoch_freq=1", "--held_out", damaged)
    assert done.returncode == 1
    with safe_open(tmp_path / "state" / NEWEST, "numpy") as state:
        position = json.loads(state.metadata()["position"])
    assert (position["epoch"], position["step"]) == (1, 3)


@pytest.mark.parametrize(("allowed", "needed", "through"), [(60, 3, 2), (1, 600, 0)])
def test_workers_are_killed_only_after_the_time_they_have_to_stop(tmp_path, allowed, needed, through):
    command = [sys.executable, ROOT / "tests/stopping_workers.py", *map(str, (allowed, needed, tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    assert len(list(tmp_path.glob("*.finished"))) == through
    assert ("the last saved state is kept" in done.stderr) == (through == 0)
