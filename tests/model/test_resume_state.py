"""The saved state: whatever is wrong with the file, training never resumes from wrong values."""

import json
import shutil
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
from pix2pix.distributed.nodes import EXTRA_SECONDS
from pix2pix.system.errors import InputError
from pix2pix.training.fingerprint import fingerprint_of
from pix2pix.training.history import LOSS_COLUMNS
from pix2pix.training.optimizer import learning_rate
from pix2pix.training.state import NEWEST, PREVIOUS, Position, UnusableStateError, resume, save_state
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
def own_fingerprint(tmp_path_factory) -> dict:
    records = tmp_path_factory.mktemp("records") / "train.mindrecord"
    records.write_text("pairs")
    return fingerprint_of(SETTINGS, [records], [], 1)


@pytest.fixture
def folder(tmp_path, parameters, own_fingerprint) -> Path:
    """A folder with two states."""
    for position in (BEFORE, NOW):
        save_state(tmp_path, parameters, position, own_fingerprint)
    return tmp_path


def test_a_state_restores_position_history_and_parameters(folder, parameters, own_fingerprint):
    expected = {name: parameter.asnumpy().copy() for name, parameter in parameters.items()}
    for parameter in parameters.values():
        parameter.set_data(ms.Tensor(np.zeros_like(parameter.asnumpy())))
    assert resume(folder, parameters, SETTINGS, own_fingerprint, STEPS) == NOW
    for name, parameter in parameters.items():
        assert parameter.asnumpy().tobytes() == expected[name].tobytes()
        assert parameter.shape == expected[name].shape


def test_no_flipped_bit_in_the_header_or_data_changes_the_position(folder, parameters, own_fingerprint):
    whole = (folder / NEWEST).read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    random = np.random.default_rng(1)
    (folder / PREVIOUS).unlink()
    refused = 0
    for at in [*random.integers(0, header, 500), *random.integers(header, len(whole), 100)]:
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(random.integers(8))
        (folder / NEWEST).write_bytes(damaged)
        try:
            assert resume(folder, parameters, SETTINGS, own_fingerprint, STEPS) == NOW
        except UnusableStateError as reason:
            assert "\n" not in str(reason)
            refused += 1
    assert refused > 550


def write_header(path: Path, changes: dict[str, object], version: int) -> None:
    """Replace the header of a state by another one with a matching checksum."""
    with safe_open(path, "numpy") as state:
        arrays = {name: state.get_tensor(name) for name in state.keys()}  # noqa: SIM118 (no mapping)
        texts = {name: json.loads(value) for name, value in state.metadata().items() if name != "checksum"}
    if version == 1:
        del texts["version"]
    texts |= changes
    texts = {name: json.dumps(value) for name, value in texts.items() if value is not None}
    checksum = 0
    for name in sorted(arrays):
        checksum = zlib.crc32(arrays[name].tobytes(), zlib.crc32(name.encode(), checksum))
    for name in sorted(texts) if version > 1 else ():
        checksum = zlib.crc32(f"{name}={texts[name]}".encode(), checksum)
    save_file(arrays, path, texts | {"checksum": json.dumps(checksum)})


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
def test_if_the_header_of_a_state_is_invalid_the_previous_state_is_used(
    folder, parameters, own_fingerprint, wrong, version, capfd
):
    write_header(folder / NEWEST, WRONG[wrong], version)
    assert resume(folder, parameters, SETTINGS, own_fingerprint, STEPS) == BEFORE
    logged = capfd.readouterr().err.splitlines()
    assert len(logged) == 2
    assert f"{NEWEST}: not used: damaged" in logged[0]


def test_a_state_without_a_version_is_resumed(folder, parameters, own_fingerprint):
    older = {name: value for name, value in own_fingerprint.items() if name != "held_out"}
    write_header(folder / NEWEST, {"fingerprint": older}, version=1)
    assert resume(folder, parameters, SETTINGS, own_fingerprint, STEPS) == NOW


def test_a_setting_missing_from_a_state_had_its_default_value(folder, parameters, own_fingerprint):
    older = {name: value for name, value in own_fingerprint.items() if name != "update_order"}
    write_header(folder / NEWEST, {"fingerprint": older}, version=2)
    (folder / PREVIOUS).unlink()
    assert resume(folder, parameters, SETTINGS, own_fingerprint, STEPS) == NOW
    with pytest.raises(UnusableStateError, match="update_order was simultaneous, is alternating"):
        resume(folder, parameters, SETTINGS, own_fingerprint | {"update_order": "alternating"}, STEPS)


def test_a_state_of_a_newer_version_is_not_read(folder, parameters, own_fingerprint):
    write_header(folder / NEWEST, {"version": 3}, version=2)
    (folder / PREVIOUS).unlink()
    with pytest.raises(UnusableStateError, match="written by a newer version"):
        resume(folder, parameters, SETTINGS, own_fingerprint, STEPS)


def test_an_unreadable_state_is_an_error_and_not_a_reason_to_start_over(folder, parameters, own_fingerprint):
    (folder / NEWEST).unlink()
    # tests may run as root, for whom permissions do not matter
    (folder / NEWEST).symlink_to(NEWEST)
    with pytest.raises(InputError, match=r"state\.safetensors: cannot be read \(.*\): make it readable"):
        resume(folder, parameters, SETTINGS, own_fingerprint, STEPS)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_not_saved(folder, own_fingerprint, value):
    before = (folder / NEWEST).read_bytes()
    trainer = Trainer(SETTINGS)
    trainer.loss_sums.set_data(ms.Tensor([0.0, value, 0.0, 0.0], ms.float32))
    with pytest.raises(InputError, match="loss_sums is no longer finite"):
        save_state(folder, trainer.parameters(), NOW, own_fingerprint)
    assert (folder / NEWEST).read_bytes() == before


def test_other_held_out_data_is_another_training(tmp_path):
    for name in ("train", "val"):
        (tmp_path / name).write_text(name)
    found = [fingerprint_of(SETTINGS, [tmp_path / "train"], [tmp_path / held], 1) for held in ("train", "val")]
    assert [name for name in found[0] if found[0][name] != found[1][name]] == ["held_out"]


def test_a_full_disk_gives_one_line_and_the_previous_states_are_kept(tmp_path, parameters, own_fingerprint):
    size = sum(parameter.asnumpy().nbytes for parameter in parameters.values())
    with small_disk(tmp_path / "disk", int(2.6 * size)) as folder:
        save_state(folder, parameters, BEFORE, own_fingerprint)
        save_state(folder, parameters, NOW, own_fingerprint)
        with pytest.raises(InputError, match=r"cannot be written .*make room and start again") as error:
            save_state(folder, parameters, NOW, own_fingerprint)
        assert "\n" not in str(error.value)
        assert resume(folder, parameters, SETTINGS, own_fingerprint, STEPS) == NOW
        assert {path.name for path in folder.iterdir()} == {NEWEST, PREVIOUS}


@pytest.mark.parametrize("profile", ["slurm", "cluster-generic"])
def test_the_time_to_stop_workers_fits_the_warning_time_of_the_cluster(profile):
    text = (ROOT / "profiles" / profile / "config.yaml").read_text()
    [warning] = {int(word.partition("'")[0].split()[0]) for word in text.split("--signal=TERM@")[1:]}
    needed = WhereSettings().stop_seconds + EXTRA_SECONDS
    assert warning - 30 < needed <= warning


def test_the_state_is_saved_before_evaluation_on_held_out_pairs(tmp_path):
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
    assert (position["epoch"], position["step"]) == (1, 5)


def test_states_are_saved_after_the_first_epoch_then_by_time_and_a_finished_training_keeps_one(tmp_path):
    records, state = tmp_path / "train.mindrecord", tmp_path / "state"
    assert script("mindrecord", draw_pairs(tmp_path / "own"), records, "--split", "train").returncode == 0
    flags = [f"--{name}={value}" for name, value in SETTINGS if name in TINY_RUN]
    flags += ["--epoch_num=4", "--n_epochs=4"]
    folders = {"ckpt_dir": "ckpt", "train_fakeimg_dir": "fake_img", "loss_show_dir": "loss_show", "state_dir": "state"}
    places = [f"--{flag}={tmp_path / folder}" for flag, folder in folders.items()]
    # a folder in the place of the checkpoint ends the training after its last epoch
    (tmp_path / "ckpt/Generator_4.ckpt/kept").mkdir(parents=True)
    assert script("train", records, *places, *flags).returncode == 1
    assert (next_epoch(state / PREVIOUS), next_epoch(state / NEWEST)) == (2, 5)
    shutil.rmtree(state)
    assert script("train", records, *places, *flags, "--save_minutes=0.00001").returncode == 1
    assert next_epoch(state / PREVIOUS) >= 4
    shutil.rmtree(tmp_path / "ckpt")
    assert script("train", records, *places, *flags).returncode == 0
    assert [path.name for path in state.glob("*.safetensors")] == [NEWEST]
    assert next_epoch(state / NEWEST) == 5


def next_epoch(state: Path) -> int:
    """The epoch that a training resumed from this state continues with."""
    with safe_open(state, "numpy") as tensors:
        return json.loads(tensors.metadata()["position"])["epoch"]


@pytest.mark.parametrize(("allowed", "needed", "through"), [(60, 3, 2), (1, 600, 0)])
def test_workers_are_killed_only_after_their_time_to_stop(tmp_path, allowed, needed, through):
    command = [sys.executable, ROOT / "tests/distributed/stopping_workers.py", *map(str, (allowed, needed, tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    assert len(list(tmp_path.glob("*.finished"))) == through
    assert ("the last saved state is kept" in done.stderr) == (through == 0)
