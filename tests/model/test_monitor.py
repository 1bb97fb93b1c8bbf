"""What a training shows while it runs, and that showing it changes nothing."""

import csv
import json
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
import warm
from browser import check, look
from conftest import ROOT, TINY_RUN, draw_pairs, script
from playwright.sync_api import expect

from pix2pix.config.settings import TrainSettings, WhereSettings
from pix2pix.data.packing import split_files
from pix2pix.data.records import write_records
from pix2pix.monitoring import monitor
from pix2pix.monitoring.step_history import COLUMNS, LOSSES, StepHistory
from pix2pix.pages.curves import write_loss_curves
from pix2pix.system.errors import InputError
from pix2pix.training import loop
from pix2pix.training.folders import Folders
from pix2pix.training.loop import train

SETTINGS = {name: value for name, value in TINY_RUN.items() if name != "val_pic_size"} | {"batch_size": 1}


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> Path:
    """Records of 300 pairs."""
    work = tmp_path_factory.mktemp("records")
    draw_pairs(work / "own", train=300, val=1, size=64)
    write_records(split_files(work / "own/train"), work / "train.mindrecord")
    return work / "train.mindrecord"


@pytest.fixture(scope="module")
def few_records(tmp_path_factory) -> Path:
    """Records of 7 pairs."""
    work = tmp_path_factory.mktemp("few")
    draw_pairs(work / "own", train=7, val=1)
    write_records(split_files(work / "own/train"), work / "train.mindrecord")
    return work / "train.mindrecord"


def folders_in(run: Path) -> Folders:
    return Folders(run / "ckpt", run / "fake_img", run / "loss_show", run / "state")


def read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_samples_within_an_epoch_do_not_change_the_networks(few_records, tmp_path, monkeypatch):
    settings, where = TrainSettings.model_validate(SETTINGS), WhereSettings(log_steps=3)
    assert train(settings, where, [few_records], folders_in(tmp_path / "quiet"), []) == 0
    # a page and samples after every step
    for name in ("FIRST_PAGE", "BETWEEN_PAGES", "FIRST_SAMPLE", "BETWEEN_SAMPLES_AT_MOST", "REST"):
        monkeypatch.setattr(monitor, name, 0.0)
    assert train(settings, where, [few_records], folders_in(tmp_path / "shown"), []) == 0
    assert len(list(tmp_path.glob("quiet/fake_img/*"))) == 2
    assert len(list(tmp_path.glob("shown/fake_img/epoch_0002_step_*.png"))) == 6
    for name in ("ckpt/Generator_2.ckpt", "ckpt/Discriminator_2.ckpt", "fake_img/epoch_0002.png"):
        assert (tmp_path / "quiet" / name).read_bytes() == (tmp_path / "shown" / name).read_bytes(), name

    rows, epochs = (read(tmp_path / f"shown/{name}.csv") for name in ("history_steps", "history"))
    assert [(row["epoch"], row["step"]) for row in rows] == [
        ("1", "3"), ("1", "6"), ("1", "7"), ("2", "10"), ("2", "13"), ("2", "14"),
    ]  # fmt: skip
    for number, epoch in enumerate(epochs):
        means = [[float(row[name]) for name in LOSSES] for row in rows[3 * number : 3 * number + 3]]
        # windows of 3, 3 and 1 steps make up the mean of the epoch
        assert np.average(means, 0, [3, 3, 1]) == pytest.approx([float(epoch[name]) for name in LOSSES], rel=1e-5)


def test_curves_are_not_drawn_after_every_quick_epoch_but_at_the_end(few_records, tmp_path, monkeypatch):
    drawn, run = [], tmp_path / "run"

    def draw(history: Path, path: Path) -> None:
        drawn.append(len(read(history)))
        write_loss_curves(history, path)

    monkeypatch.setattr(loop, "write_loss_curves", draw)
    settings = TrainSettings.model_validate(SETTINGS | {"epoch_num": 6, "n_epochs": 6, "n_epochs_decay": 0})
    assert train(settings, WhereSettings(), [few_records], folders_in(run), []) == 0
    assert drawn == [1, 6]
    write_loss_curves(run / "history.csv", tmp_path / "last.png")
    assert (run / "loss_show/loss.png").read_bytes() == (tmp_path / "last.png").read_bytes()


def test_what_fails_as_training_ends_does_not_say_that_it_goes_on(few_records, tmp_path, capfd):
    first, folders = TrainSettings.model_validate(SETTINGS | {"epoch_num": 1}), folders_in(tmp_path / "run")
    assert train(first, WhereSettings(), [few_records], folders, []) == 0
    (tmp_path / "run/history.csv").unlink()
    (tmp_path / "run/history.csv").mkdir()
    with pytest.raises(IsADirectoryError):
        train(TrainSettings.model_validate(SETTINGS), WhereSettings(), [few_records], folders, [])
    assert "training goes on" not in capfd.readouterr().err
    assert "Is a directory" in json.loads((tmp_path / "run/training.json").read_text())["status"]


def test_networks_that_are_not_finite_are_not_kept(few_records, tmp_path):
    settings = TrainSettings.model_validate(SETTINGS | {"lr": 1e38, "batch_size": 7})
    with pytest.raises(InputError, match="no longer finite; lower lr"):
        train(settings, WhereSettings(save_epoch_freq=1), [few_records], folders_in(tmp_path / "run"), [])
    assert not list(tmp_path.glob("run/snapshots/*"))


@pytest.mark.parametrize("edited", ["nan,6", "1,inf", "1,6.5", "1,2"])
def test_rows_of_losses_from_an_edited_one_on_are_dropped(tmp_path, edited):
    path = tmp_path / "history_steps.csv"
    path.write_text("\n".join([",".join(COLUMNS), "1,3" + ",1" * 6, edited + ",1" * 6, "1,9" + ",1" * 6, ""]))
    history = StepHistory(path, 12, 10)
    history.rewrite()
    assert [row[:2] for row in history.rows] == [(1, 3)]
    assert len(path.read_text().splitlines()) == 2


def test_a_disk_that_is_full_for_the_page_does_not_end_the_training(few_records, tmp_path, capfd):
    run = tmp_path / "run"
    # a folder in the place of the file cannot be replaced by a file
    (run / "training.html/full").mkdir(parents=True)
    assert train(TrainSettings.model_validate(SETTINGS), WhereSettings(), [few_records], folders_in(run), []) == 0
    assert capfd.readouterr().err.count("training goes on") == 1
    # once more, elsewhere, which only writes the checkpoints, the losses and their curves again
    (run / "ckpt/Generator_2.ckpt").unlink()
    losses = (run / "history.csv").read_bytes()
    (run / "history.csv").write_text("epoch,d_loss\n1")
    (run / "loss_show/loss.png").unlink()
    facts = json.loads((run / "training.json").read_text()) | {"device": "GPU", "version": "0.0.9", "threads": [3]}
    facts |= {"ended": "2026-01-02T03:04:05+00:00", "host": "other"}
    (run / "training.json").write_text(json.dumps(facts))
    assert train(TrainSettings.model_validate(SETTINGS), WhereSettings(), [few_records], folders_in(run), []) == 0
    assert (run / "ckpt/Generator_2.ckpt").exists() and (run / "loss_show/loss.png").exists()
    assert (run / "history.csv").read_bytes() == losses
    assert json.loads((run / "training.json").read_text()) == facts
    assert "100%" not in capfd.readouterr().err


def test_tensorboard_needs_its_extra_before_anything_is_trained(few_records, tmp_path):
    done = script("train", *flags(few_records, tmp_path / "run", tensorboard="true"))
    if done.returncode:
        assert done.stdout.splitlines()[-1] == (
            "error: tensorboard: true needs an extra that is not installed: pip install --editable '.[tensorboard]', "
            "or set tensorboard: false"
        )
        assert not (tmp_path / "run/ckpt").exists()
    else:
        assert list((tmp_path / "run/tensorboard").glob("events.out.tfevents.*"))


def flags(records: Path, run: Path, **changes: object) -> list[str]:
    folders = folders_in(run)
    return [str(records), *folders.flags(), *(f"--{name}={value}" for name, value in (SETTINGS | changes).items())]


def test_the_page_of_a_long_epoch_shows_samples_and_curves_and_changes_by_itself(records, tmp_path, chromium):
    run = tmp_path / "my run"
    size = {"train_pic_size": 64, "load_size": 64, "g_layers": 5, "g_ngf": 32, "d_ndf": 16, "log_steps": 5}
    program = [warm.python(), ROOT / "scripts/train.py", *flags(records, run, **size)]
    with open(tmp_path / "log", "w") as log, subprocess.Popen(program, stdout=log, stderr=log) as training:
        while not (run / "training.html").exists():
            assert training.poll() is None, (tmp_path / "log").read_text()
        window = look(chromium, run / "training.html")
        window.set_default_timeout(60_000)
        # nobody reloads it: "None yet" becomes curves, and samples appear
        window.locator(".chart").first.wait_for()
        window.locator(".samples img:visible").first.wait_for()
        assert window.locator("dd").first.text_content().endswith(" of 2")
        assert (
            window.locator(".samples img").last.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        )
        check(window)
        os.kill(training.pid, signal.SIGTERM)
        assert training.wait(60) == 128 + signal.SIGTERM
    expect(window.locator("[id='/status']")).to_have_text("stopped by signal 15: the same command resumes")
    assert not window.get_by_label("reload by itself").is_visible()
    facts = json.loads((run / "training.json").read_text())
    assert (facts["device"], facts["pairs"], facts["workers"]) == ("CPU", 300, 1)
    check(look(chromium, run / "training.html", 390, "dark"))
