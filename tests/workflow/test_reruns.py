"""Rules that a change reruns, and those that it does not."""

import shutil
import sys
from pathlib import Path

import pytest
import yaml
from conftest import TINY_RUN, copy_checkout, draw_pairs, planned, snakemake

MODULE = (sys.executable, "-m", "snakemake")
EXECUTABLE = (str(Path(sys.executable).with_name("snakemake")),)


@pytest.mark.parametrize("start", [MODULE, EXECUTABLE], ids=["module", "executable"])
def test_copied_checkout_plans_nothing(finished, tmp_path, start):
    work, config = finished
    checkout = copy_checkout(tmp_path / "copy")
    assert planned(work, "--configfile", str(config), checkout=checkout, start=start) == {}


def test_module_does_not_rerun_results_of_the_executable(tmp_path):
    draw_pairs(tmp_path / "squares")
    runs = {"squares": TINY_RUN}
    config = {"datasets": {"squares": {"folder": "squares"}}, "runs": runs}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    arguments = "data/squares/val.mindrecord", "--configfile", "mine.yaml"
    snakemake(tmp_path, *arguments, checkout=copy_checkout(tmp_path / "copy"), start=EXECUTABLE)
    assert planned(tmp_path, *arguments) == {}


@pytest.fixture
def extracted(tmp_path):
    """A working folder with images extracted from a folder, and the target to request."""
    draw_pairs(tmp_path / "squares")
    config = {"datasets": {"squares": {"folder": "squares"}}, "runs": {"squares": TINY_RUN}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    arguments = "data/squares/pairs", "--configfile", "mine.yaml"
    snakemake(tmp_path, *arguments)
    assert planned(tmp_path, *arguments) == {}
    return tmp_path, arguments


def edit(folder):
    image = folder / "val/1.png"
    with open(image, "r+b") as file:
        file.seek(0, 2)
        file.write(b" ")


def replace(folder):
    shutil.copyfile(folder / "val/2.png", folder / "val/1.png")


def add(folder):
    shutil.copyfile(folder / "val/1.png", folder / "val/9.png")


def remove(folder):
    (folder / "train/1.png").unlink()


def rename(folder):
    (folder / "train/1.png").rename(folder / "train/0.png")


@pytest.mark.parametrize("change", [edit, replace, add, remove, rename])
def test_changed_images_are_extracted_again(extracted, change):
    work, arguments = extracted
    change(work / "squares")
    assert planned(work, *arguments) == {"extract": 1}


def test_another_folder_is_extracted(extracted):
    work, arguments = extracted
    draw_pairs(work / "others", val=2)
    other = "datasets={squares: {folder: others}}"
    assert planned(work, *arguments, "--config", other) == {"extract": 1}


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("nowhere", "config: datasets.squares.folder: nowhere: no such folder; correct the path"),
        (".", "config: datasets.squares.folder: .: has no folder train/, which is one of the dataset's splits; add it"),
    ],
)
def test_folder_without_a_declared_split_is_an_error_even_with_existing_results(extracted, folder, expected):
    work, arguments = extracted
    (work / "val").mkdir()
    change = f"datasets={{squares: {{folder: {folder}}}}}"
    done = snakemake(work, *arguments, "--config", change, check=False)
    assert done.returncode == 1
    assert f"error: {expected}" in done.stdout.splitlines()
    assert "Building DAG" not in done.stdout


def test_missing_checkpoint_is_an_error_even_with_existing_results(finished):
    work, config = finished
    change = "runs={given: {dataset: roofs, ckpt: nowhere/g.ckpt}}"
    done = snakemake(work, "-n", "--configfile", str(config), "--config", change, check=False)
    assert done.returncode == 1
    expected = "error: config: runs.given.ckpt: nowhere/g.ckpt: no such file; correct the path"
    assert expected in done.stdout.splitlines()
