"""Rules that a user's change reruns: the table of docs/reruns.md.

`python tests/workflow/test_rerun_table.py` writes the table; the tests compare it with real dry runs.
"""

import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, TINY_RUN, copy_checkout, draw_pairs, planned, snakemake

DOCUMENT = ROOT / "docs" / "reruns.md"
RULES = (
    "download", "extract", "mindrecord", "train", "download_weights", "predict", "evaluate", "measure_fidelity",
    "describe", "summarize",
)  # fmt: skip
INTRODUCTION = """# What reruns

[Documentation](index.md) · A table of changes and the rules that they trigger.

After a finished `snakemake` of two runs, `own` on a folder of images and `fetched` on an archive, a user changes one
thing and gives the same command again. The table shows how many jobs of each rule are planned; an empty row means
that there is nothing to do. tests/workflow/test_rerun_table.py computes it with real dry runs, and checks it.

A training that reruns resumes from the saved state if that still matches ([resuming](resuming.md)). A deleted
intermediate result is made again when something that you ask for needs it; ask for it by name to get it at once.

"""


def nothing(work: Path) -> None:
    """Change no file."""


def edit_image(work: Path) -> None:
    with open(work / "images/val/1.png", "ab") as file:
        file.write(b" ")


def remove_image(work: Path) -> None:
    (work / "images/train/5.png").unlink()


def replace_archive(work: Path) -> None:
    with tarfile.open(work / "data/fetched.tar.gz", "w:gz") as archive:
        archive.add(work / "others", "fetched")


def delete(*paths: str) -> Callable[[Path], None]:
    """Return a change that deletes these files and folders in a working folder."""

    def change(work: Path) -> None:
        for path in paths:
            shutil.rmtree(work / path) if (work / path).is_dir() else (work / path).unlink()

    return change


def own(settings: str) -> str:
    return f"runs={{own: {{{settings}}}}}"


GIVEN = "runs={given: {dataset: own, ckpt: results/fetched/ckpt/Generator_2.ckpt}}"
# description of a change, arguments added to the command, change of files
CHANGES: list[tuple[str, tuple[str, ...], Callable[[Path], None]]] = [
    ("nothing", (), nothing),
    ("a parameter of training, of one run: `lr`", (own("lr: 0.1"),), nothing),
    ("the same of all runs: `lr` in `defaults` or at the top level", ("lr=0.1",), nothing),
    ("a parameter of the generator, of one run: `g_ngf`", (own("g_ngf: 5"),), nothing),
    ("`epoch_num`, raised with `n_epochs_decay`", (own("epoch_num: 3, n_epochs_decay: 2"),), nothing),
    ("`eval_epoch_freq`", (own("eval_epoch_freq: 1"),), nothing),
    ("`seed` of a run", (own("seed: 1"),), nothing),
    ("`precision: float32` of a run, the default", (own("precision: float32"),), nothing),
    ("`direction` of a run", (own("direction: BtoA"),), nothing),
    ("`val_pic_size` of a run", (own("val_pic_size: 64"),), nothing),
    ("`predict_split` of a run", (own("predict_split: train"),), nothing),
    ("a run with a `ckpt`, added", (GIVEN, "all=[own, fetched, given]"), nothing),
    ("`device_target`, `device_num`", ("device_target=GPU", "device_num=2"), nothing),
    (
        "`save_minutes`, `save_epoch_freq`, `log_steps`, `tensorboard`",
        ("save_minutes=1", "save_epoch_freq=1", "log_steps=7", "tensorboard=true"),
        nothing,
    ),
    ("`train_threads`, and another `--cores`", ("train_threads=1", "--cores=3"), nothing),
    ("`jitter` or `flip` of a dataset", ("datasets={own: {flip: false}}",), nothing),
    ("`keep_aspect` of a dataset", ("datasets={own: {keep_aspect: false}}",), nothing),
    ("`palettes` of a dataset", ("datasets={own: {palettes: {right: cityscapes}}}",), nothing),
    ("`left`, `right` of a dataset", ("datasets={own: {left: edges}}",), nothing),
    ("`splits` of a dataset: a count", ("datasets={own: {splits: {train: 5, val: 3}}}",), nothing),
    ("`tolerate` of a dataset", ("datasets={own: {tolerate: {bad: 3, count: 5}}}",), nothing),
    ("`folder` of a dataset", ("datasets={own: {folder: others}}",), nothing),
    ("`keep`", ("keep={archive: false, pairs: false, snapshots: false}",), nothing),
    ("`mirrors`", ("datasets={fetched: {mirrors: ['http://localhost:1']}}",), nothing),
    ("an image in a folder, edited in place", (), edit_image),
    ("an image in a folder, removed", (), remove_image),
    ("data/fetched.tar.gz, replaced by another", (), replace_archive),
    ("`all`: one run only", ("all=[own]",), nothing),
    ("`seeds`", ("seeds=[0, 1]",), nothing),
    ("`comparisons`", ("comparisons={both: [own, fetched]}",), nothing),
    ("`fidelity.enabled`", ("fidelity={enabled: true}",), nothing),
    ("results/own/predict/, deleted", (), delete("results/own/predict")),
    ("results/own/ckpt/, deleted", (), delete("results/own/ckpt")),
    ("results/own/state/ and history.csv, deleted", (), delete("results/own/state", "results/own/history.csv")),
    ("data/own/pairs/, deleted", (), delete("data/own/pairs")),
    ("data/own/train.mindrecord, deleted", (), delete("data/own/train.mindrecord")),
    ("data/fetched.tar.gz, deleted", (), delete("data/fetched.tar.gz")),
    ("logs/, deleted", (), delete("logs")),
]


def make(work: Path) -> None:
    """Create a working folder with two finished runs."""
    draw_pairs(work / "images")
    draw_pairs(work / "others", val=2)
    with tarfile.open(work / "fetched.tar.gz", "w:gz") as archive:
        archive.add(work / "images", "fetched")
    datasets = {"own": {"folder": "images"}, "fetched": {"mirrors": ["file://fetched.tar.gz"]}}
    runs = dict.fromkeys(datasets, TINY_RUN)
    (work / "mine.yaml").write_text(yaml.safe_dump({"datasets": datasets, "runs": runs, "all": list(runs)}))
    snakemake(work, "--configfile", "mine.yaml")


def row(text: str, jobs: dict[str, int]) -> str:
    """Format a line of the table."""
    assert set(jobs) <= {*RULES, "all"}
    return f"| {text} | {' | '.join(str(jobs.get(rule, '')) for rule in RULES)} |"


def row_of(work: Path, scratch: Path, text: str, settings: tuple[str, ...], change: Callable[[Path], None]) -> str:
    """Create a line of the table by a dry run in a copy of `work`."""
    copy = Path(shutil.copytree(work, scratch))
    change(copy)
    return row(text, planned(copy, "--configfile", "mine.yaml", *(("--config", *settings) if settings else ())))


def published_changed(work: Path, scratch: Path) -> str:
    """Create the line about a change of the project's data."""
    checkout = copy_checkout(scratch)
    with open(checkout / "workflow" / "published.yaml", "a") as file:
        file.write("# changed\n")
    return row("workflow/published.yaml", planned(work, "--configfile", "mine.yaml", checkout=checkout))


def programs_changed(work: Path, scratch: Path) -> str:
    """Create the line about a change of the project's programs, in a copy of the project."""
    checkout = copy_checkout(scratch)
    for program in (*(checkout / "scripts").glob("*.py"), *(checkout / "pix2pix").glob("*.py")):
        with open(program, "a") as file:
            file.write("# changed\n")
    text = "the project's programs; its place; the interpreter"
    return row(text, planned(work, "--configfile", "mine.yaml", checkout=checkout))


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    make(folder)
    return folder


@pytest.mark.parametrize(("text", "settings", "change"), CHANGES, ids=[text for text, _, _ in CHANGES])
def test_change_reruns_the_rules_in_the_table(work, tmp_path, text, settings, change):
    assert row_of(work, tmp_path / "copy", text, settings, change) in DOCUMENT.read_text().splitlines()


@pytest.mark.parametrize("line", [published_changed, programs_changed])
def test_change_of_the_project_reruns_the_rules_in_the_table(work, tmp_path, line):
    assert line(work, tmp_path / "copy") in DOCUMENT.read_text().splitlines()


def test_table_has_no_other_lines():
    lines = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    assert len(lines) == 1 + len(CHANGES) + 2


def main() -> None:
    """Write docs/reruns.md."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "work")
        make(folder)
        lines = [row_of(folder, Path(scratch, str(number)), *each) for number, each in enumerate(CHANGES)]
        lines += [published_changed(folder, Path(scratch, "one")), programs_changed(folder, Path(scratch, "other"))]
    head = [f"| change | {' | '.join(RULES)} |", "|---|" + "---:|" * len(RULES)]
    DOCUMENT.write_text(INTRODUCTION + "\n".join(head + lines) + "\n")


if __name__ == "__main__":
    main()
