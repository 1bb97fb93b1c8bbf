"""scripts/plan.py: the table in the README, and numbers computed by hand."""

import json
import os
import subprocess
import sys
from math import prod
from pathlib import Path

import pytest
from archives import make_folder, noise_image
from conftest import ROOT

from pix2pix.config.settings import TrainSettings
from pix2pix.model.memory import discriminator_weights, generator_weights
from pix2pix.planning.sizes import training_bytes


def run_plan(folder: Path, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, ROOT / "scripts" / "plan.py", *arguments]
    return subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True)


def test_the_table_in_the_readme_is_the_output_of_the_program(tmp_path):
    table = run_plan(tmp_path, "benchmarks", "--markdown").stdout
    assert table.count("\n") == 9
    assert table in (ROOT / "README.md").read_text()


def test_full_size_networks_have_the_counted_weights():
    shapes = json.loads((ROOT / "tests" / "record" / "full_size_parameters.json").read_text())
    for network, counted in (("generator", generator_weights), ("discriminator", discriminator_weights)):
        true = sum(prod(shape) for shape in shapes[network].values())
        assert counted(TrainSettings()) == pytest.approx(true, rel=0.005)
    # 57.2 million weights of 4 bytes: a checkpoint, snapshots of epochs 50, 100 and 150, and two states of three
    assert training_bytes(TrainSettings(), save_epoch_freq=50) == pytest.approx(57.2e6 * 4 * (1 + 3 + 2 * 3), rel=0.005)


def test_existing_files_count_as_they_are(tmp_path):
    make_folder(tmp_path / "roofs", {f"{split}/{n}.png": noise_image() for split in ("train", "val") for n in range(3)})
    (tmp_path / "mine.yaml").write_text("""
datasets:
  roofs: {folder: roofs}
  far: {mirrors: [https://example.org/far.zip], splits: {train: null, val: 5}}
runs:
  roofs: {batch_size: 2, epoch_num: 5}
  far: {}
  published: {dataset: facades, ckpt: "https://example.org/a.ckpt"}
""")
    (tmp_path / "data").mkdir()
    with open(tmp_path / "data" / "facades.tar.gz", "wb") as file:
        os.truncate(file.fileno(), 5 * 10**9)
    result = run_plan(tmp_path, "roofs", "far", "published", "--configfile", "mine.yaml", "--ms", 1000)
    head, roofs, far, published, together = result.stdout.splitlines()
    assert head.split()[-4:] == ["hours", "at", "1,000", "ms"]
    assert roofs.split()[:3] == ["roofs", "6", "0.00"]
    assert roofs.split()[-2:] == ["10", "0.0"]
    assert far.split()[1:5] == ["?"] * 4
    assert far.split()[-2:] == ["?", "?"]
    assert published.split()[:4] == ["published", "606", "5.00", "5.20"]
    assert published.split()[-2:] == ["0", "0.0"]
    assert together.split()[1] == "?"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fasades",), "fasades: no run has that name; runs: demo, facades, "),
        (("--ms", "0"), "--ms: must be greater than 0"),
        (("--ms", "nan"), "--ms: must be greater than 0"),
        (("--configfile", "list.yaml"), "list.yaml: must contain keys and values"),
        (("--configfile", "none.yaml"), "none.yaml: no such file"),
    ],
)
def test_mistakes_give_one_line(tmp_path, arguments, message):
    (tmp_path / "list.yaml").write_text("- facades\n")
    result = run_plan(tmp_path, *arguments)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {message}")
    assert result.stderr.count("\n") == 1
