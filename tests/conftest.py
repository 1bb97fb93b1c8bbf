"""A small dataset, small networks, and real Snakemake runs with them."""

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import own_data
import pytest
import warm
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
        done = subprocess.CompletedProcess(flags, *warm.run("snakemake", flags, directory))
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
    words = list(map(str, arguments))
    return subprocess.CompletedProcess(words, *warm.run(ROOT / "scripts" / f"{name}.py", words, Path.cwd()))


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Path:
    """A folder that all processes of this test run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@contextmanager
def made_once(path: Path) -> Iterator[Path | None]:
    """Yield a folder that becomes `path`, or None if another test process has made it."""
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            yield None
        else:
            making = path.with_name(f"{path.name}.making")
            # what a process left here that failed
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir()
            yield making
            making.rename(path)


@pytest.fixture(scope="session")
def tiny_config(shared) -> Path:
    """The configuration that docs/own-data.md starts with, a dataset and two runs, made small."""
    with made_once(shared / "own") as making:
        if making:
            draw_pairs(making / "roofs")
            [config] = own_data.configs("Layout", shared / "own")
            runs = {name: TINY_RUN | run for name, run in config["runs"].items()}
            runs["roofs"]["batch_size"] = 2  # the last batch of an epoch has one pair
            (making / "mine.yaml").write_text(yaml.safe_dump(config | {"runs": runs, "all": list(runs)}))
    return shared / "own/mine.yaml"


@pytest.fixture(scope="session")
def finished(shared, tmp_path_factory, tiny_config) -> tuple[Path, Path]:
    """The working folder after the page's first command, and a summary of its runs; and the config file."""
    arguments = [str(tiny_config) if word == tiny_config.name else word for word in own_data.command("Layout")]
    with made_once(shared / "finished") as making:
        if making:
            snakemake(making, "all", *arguments)
    return shutil.copytree(shared / "finished", tmp_path_factory.mktemp("finished") / "work"), tiny_config
