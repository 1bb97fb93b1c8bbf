"""A small dataset, small networks, and real Snakemake runs with them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import warm_snakemake
import yaml
from browser import chromium as chromium
from measured import make_run as make_run
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]

TINY_RUN = {
    "epoch_num": 2,
    "n_epochs": 1,
    "n_epochs_decay": 1,
    "batch_size": 1,
    "load_size": 36,
    "train_pic_size": 32,
    "val_pic_size": 32,
    "g_layers": 3,
    "g_ngf": 4,
    "d_ndf": 4,
    "d_layers": 1,
}


def pytest_configure(config: pytest.Config) -> None:
    """Pin each test process, and all its children, to one core.

    MindSpore's threads busy-wait: two processes that share two cores take several times as long.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


def draw_pairs(folder: Path, train: int = 5, val: int = 3, size: int = 32) -> Path:
    """Draw a dataset: left a bright square on a dark background, right its shape; 1.png, 2.png, ..."""
    random = np.random.default_rng(1)
    for split, pairs in (("train", train), ("val", val)):
        (folder / split).mkdir(parents=True)
        for number in range(1, pairs + 1):
            pair = np.zeros((size, 2 * size, 3), np.uint8)
            top, left = random.integers(2, size // 2, 2)
            square = slice(top, top + size // 3), slice(left, left + size // 3)
            pair[:, :size][square] = random.integers(120, 255, 3)
            pair[:, size:] = 40
            pair[:, size:][square] = 200
            Image.fromarray(pair).save(folder / split / f"{number}.png")
    return folder


def copy_checkout(to: Path) -> Path:
    """Copy the project without its history, like `cp -r`, with new modification times."""
    skipped = {".git", ".venv", ".snakemake", "results", "data", "logs"}

    def ignore(folder: str, names: list[str]) -> set[str]:
        at_top = Path(folder) == ROOT  # pix2pix/data is code
        return {name for name in names if name == "__pycache__" or (at_top and name in skipped)}

    return Path(shutil.copytree(ROOT, to, ignore=ignore, copy_function=shutil.copyfile))


def snakemake(
    directory: Path, *arguments: str, check: bool = True, checkout: Path = ROOT, start: tuple[str, ...] = ()
) -> subprocess.CompletedProcess:
    """Run Snakemake with the project's Snakefile in `directory`; stdout and stderr are combined.

    `start`: the words of a command that starts it; by default, what `python -m snakemake` does.
    """
    flags = ["--snakefile", str(checkout / "Snakefile"), "--directory", str(directory), "--cores", "2", *arguments]
    if start:
        done = subprocess.run(
            [*start, *flags], cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600
        )
    else:
        done = subprocess.CompletedProcess(flags, *warm_snakemake.run(flags, directory))
    assert not check or done.returncode == 0, done.stdout
    return done


def planned(directory: Path, *arguments: str, **how: object) -> dict[str, int]:
    """Count the jobs that a dry run plans, by rule."""
    out = snakemake(directory, *arguments, "-n", "--quiet", "rules", **how).stdout
    found = re.search(r"^\d+ jobs?: (.+)$", out, re.MULTILINE)
    jobs = found[1].split(", ") if found else []
    return {rule: int(count) for count, rule in (job.split() for job in jobs)}


def script(name: str, *arguments: object) -> subprocess.CompletedProcess:
    """Run a program in scripts/ directly; stdout and stderr are combined."""
    command = [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)


@pytest.fixture(scope="session")
def tiny_config(tmp_path_factory) -> Path:
    """A config file with two runs on a user's dataset."""
    folder = tmp_path_factory.mktemp("own")
    draw_pairs(folder / "squares")
    # the last batch of an epoch has one pair
    runs = {"squares": TINY_RUN | {"batch_size": 2}, "outlines": TINY_RUN | {"dataset": "squares", "direction": "BtoA"}}
    config = {"datasets": {"squares": {"folder": str(folder / "squares")}}, "runs": runs, "all": list(runs)}
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture(scope="session")
def finished(tmp_path_factory, tiny_config) -> tuple[Path, Path]:
    """The working folder of a complete `snakemake` with the tiny config, and the config file."""
    directory = tmp_path_factory.mktemp("work")
    snakemake(directory, "--configfile", str(tiny_config))
    return directory, tiny_config
