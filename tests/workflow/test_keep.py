"""What `keep` drops: the same predictions, the files that it names, and no rerun that nothing needs."""

import shutil
import tarfile
from pathlib import Path

import pytest
import yaml
from archives import contents
from conftest import TINY_RUN, draw_pairs, planned, snakemake

RUN = TINY_RUN | {"save_epoch_freq": 1, "eval_epoch_freq": 1}
AFTER_TRAINING = {"predict": 1, "evaluate": 1, "describe": 1, "summarize": 1}


def pack(folder: Path, archive: Path) -> None:
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, "fetched")


def make(work: Path, keep: dict[str, bool], *targets: str) -> Path:
    """A run on a downloaded archive, finished or up to its targets."""
    draw_pairs(work / "images")
    pack(work / "images", work / "fetched.tar.gz")
    datasets = {"fetched": {"mirrors": ["file://fetched.tar.gz"]}}
    config = {"datasets": datasets, "runs": {"fetched": RUN}, "all": ["fetched"], "keep": keep}
    (work / "mine.yaml").write_text(yaml.safe_dump(config))
    snakemake(work, *targets, "--configfile", "mine.yaml")
    return work


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("kept"), {}, "results/fetched/predict")


@pytest.fixture(scope="module")
def dropped(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("dropped"), {"archive": False, "pairs": False, "snapshots": False})


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith(".known.json")}


def test_predictions_are_the_same_and_the_rest_is_left_as_it_says(kept, dropped):
    predictions = [contents(work / "results/fetched/predict/prediction") for work in (kept, dropped)]
    assert predictions[0] == predictions[1]
    assert len(predictions[0]) == 3
    records = {"train.mindrecord", "train.mindrecord.db", "val.mindrecord", "val.mindrecord.db"}
    archive = {"fetched.tar.gz", "fetched.tar.gz.obtained"}
    assert names(kept / "data") == {"fetched", "fetched.tar.gz.sha256"} | archive
    assert names(dropped / "data") == {"fetched", "fetched.tar.gz.sha256"}
    assert names(kept / "data/fetched") == records | {"pairs"}
    assert names(dropped / "data/fetched") == records
    assert all(contents(kept / "data/fetched")[name] == contents(dropped / "data/fetched")[name] for name in records)
    best = {"Generator_best.ckpt", "Generator_best.ckpt.sha256"}
    assert names(dropped / "results/fetched/snapshots") == best
    assert names(kept / "results/fetched/snapshots") > best
    assert names(dropped / "results/fetched/ckpt") == names(kept / "results/fetched/ckpt")


@pytest.mark.parametrize(
    ("settings", "jobs"),
    [
        ((), {}),
        (("keep={archive: true, pairs: true, snapshots: true}",), {}),
        (("runs={fetched: {lr: 0.1}}",), {"train": 1, **AFTER_TRAINING}),
        (("runs={fetched: {val_pic_size: 64}}",), AFTER_TRAINING),
        (
            ("datasets={fetched: {splits: {train: 5, val: 3}}}",),
            {"download": 1, "extract": 1, "mindrecord": 2, "train": 1, **AFTER_TRAINING},
        ),
    ],
)
def test_what_was_dropped_is_made_again_only_when_it_is_needed(dropped, settings, jobs):
    found = planned(dropped, "--configfile", "mine.yaml", *(("--config", *settings) if settings else ()))
    found.pop("all", None)
    assert found == jobs


def test_an_archive_that_the_user_puts_there_is_used_and_kept(dropped, tmp_path):
    work = Path(shutil.copytree(dropped, tmp_path / "work"))
    draw_pairs(work / "others", val=2)
    pack(work / "others", work / "data/fetched.tar.gz")
    (work / "data/fetched.tar.gz.sha256").unlink()
    jobs = planned(work, "--configfile", "mine.yaml")
    jobs.pop("all", None)
    assert jobs == {"extract": 1, "mindrecord": 2, "train": 1, **AFTER_TRAINING}
    snakemake(work, "data/fetched/val.mindrecord", "--configfile", "mine.yaml")
    assert (work / "data/fetched.tar.gz").exists()
    assert not (work / "data/fetched/pairs").exists()
