"""End-to-end tests of the workflow: real Snakemake, real images, small networks."""

import json
import shutil

import numpy as np
import pytest
import yaml
from archives import make_archive, noise_image
from conftest import ROOT, TINY_RUN, copy_checkout, draw_pairs, planned, script, snakemake
from PIL import Image

from pix2pix.data.loader import whole_pairs
from pix2pix.data.records import count, iterate


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB"))


def test_user_folder_gives_predictions_grids_metrics_and_a_summary(finished):
    work, _ = finished
    expected = {"roofs": ("left", "right", 3), "roofs_backwards": ("right", "left", 5)}
    for run, (shown, wanted, steps) in expected.items():
        folder = work / "results" / run
        assert sorted(p.name for p in (folder / "predict" / "prediction").iterdir()) == ["1.png", "2.png", "3.png"]
        source = pixels(next(work.glob("data/roofs/pairs/val/1.png")))
        halves = {"left": source[:, :32], "right": source[:, 32:]}
        assert np.array_equal(pixels(folder / "predict/input/1.png"), halves[shown])
        assert np.array_equal(pixels(folder / "predict/target/1.png"), halves[wanted])
        metrics = json.loads((folder / "metrics.json").read_text())
        assert (metrics["n"], metrics["run"], metrics["dataset"]) == (3, run, "roofs")
        error = np.abs(pixels(folder / "predict/prediction/1.png").astype(int) - halves[wanted]).mean()
        first_row = (folder / "metrics.csv").read_text().splitlines()[1].split(",")
        assert first_row[0] == "1"
        assert float(first_row[1]) == pytest.approx(error)
        history = (folder / "history.csv").read_text().splitlines()
        assert [line.split(",")[:2] for line in history] == [
            ["epoch", "step"],
            ["1", str(steps)],
            ["2", str(2 * steps)],
        ]
        assert (folder / "fake_img/epoch_0002.png").exists()
        assert (folder / "loss_show/loss.png").exists()
    table = (work / "results/summary.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in table] == ["run", "roofs", "roofs_backwards"]
    assert "roofs/gallery.html" in (work / "results/summary.html").read_text()


def test_nothing_to_do_after_a_complete_run(finished):
    work, config = finished
    assert planned(work, "--configfile", str(config)) == {}


def test_touched_program_triggers_no_rerun(finished):
    work, config = finished
    for program in (ROOT / "scripts").glob("*.py"):
        program.touch()
    assert planned(work, "--configfile", str(config)) == {}


def test_another_learning_rate_restarts_training_with_a_message(finished, tmp_path):
    work, config = finished
    copy = tmp_path / "work"
    shutil.copytree(work, copy)
    change = "--configfile", str(config), "--config", "runs={roofs: {lr: 0.1}}"
    checkpoint = "results/roofs/ckpt/Generator_2.ckpt"
    log = snakemake(copy, checkpoint, *change).stdout
    assert "not used: of another training (lr was 0.0002, is 0.1)" in log
    assert (work / checkpoint).read_bytes() != (copy / checkpoint).read_bytes()


def test_deleted_prediction_is_recreated_from_the_checkpoint(finished, tmp_path):
    work, config = finished
    copy = tmp_path / "work"
    shutil.copytree(work, copy)
    shutil.rmtree(copy / "results/roofs/predict")
    arguments = "results/roofs/predict", "--configfile", str(config)
    assert planned(copy, *arguments) == {"predict": 1}
    snakemake(copy, *arguments)
    predictions = "results/roofs/predict/prediction"
    for name in ("1.png", "2.png", "3.png"):
        assert np.array_equal(pixels(copy / predictions / name), pixels(work / predictions / name))


def test_memory_is_in_huge_pages_unless_the_user_has_set_the_variable(finished, tmp_path, monkeypatch):
    work, config = shutil.copytree(finished[0], tmp_path / "work"), str(finished[1])
    [trained] = (work / "logs/train").glob("roofs_[0-9]*.log")
    assert "GLIBC_TUNABLES=glibc.malloc.hugetlb=1\n" in trained.read_text()
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.check=0")
    log = work / "logs/predict/roofs.log"
    log.unlink()
    snakemake(work, "results/roofs/predict", "--forcerun", "predict", "--configfile", config)
    assert "GLIBC_TUNABLES=glibc.malloc.check=0\n" in log.read_text()


def test_all_six_benchmarks_are_planned(tmp_path):
    jobs = planned(tmp_path, "benchmarks")
    assert {rule: jobs[rule] for rule in ("download", "extract", "train", "predict", "evaluate")} == dict.fromkeys(
        ("download", "extract", "train", "predict", "evaluate"), 6
    )
    # edges2shoes has 3 shards, edges2handbags 7, the other four 1 each; plus six val splits
    assert jobs["mindrecord"] == 3 + 7 + 4 + 6


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--config", "epoch_nun=3"), "error: config: epoch_nun: unknown key; did you mean 'epoch_num'?"),
        (
            ("--config", "runs={mine: {dataset: facade}}"),
            "error: config: runs.mine.dataset: no dataset is named 'facade'; did you mean 'facades'?",
        ),
        (
            ("--config", "runs={fidelity: {dataset: maps}}"),
            "error: config: runs.fidelity: is a reserved name; choose another",
        ),
        (
            ("--config", "runs={train: {dataset: maps}}"),
            "error: config: runs.train: is a reserved name; choose another",
        ),
    ],
)
def test_mistake_in_the_configuration_gives_one_line(tmp_path, arguments, expected):
    done = snakemake(tmp_path, "results/facades/predict", *arguments, check=False)
    assert done.returncode == 1
    assert expected in done.stdout.splitlines()
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("target", [(), ("demo",), ("results/summary.csv",)])
def test_if_no_run_is_left_the_reason_is_reported_and_nothing_is_planned(tmp_path, target):
    done = snakemake(tmp_path, "-n", *target, "--config", "epoch_num=50", check=False)
    assert done.returncode == 1
    lines = [line for line in done.stdout.splitlines() if "config: " in line]
    assert lines[0].startswith("config: runs.demo: epoch_num (50) is more than n_epochs + n_epochs_decay")
    assert lines[1] == "error: config: runs.demo: no run is left; correct the problems listed above"
    assert "Traceback" not in done.stdout
    assert "summarize" not in done.stdout


def test_run_that_fits_is_planned_although_the_one_in_all_does_not(tmp_path):
    assert planned(tmp_path, "facades", "--config", "epoch_num=50")["train"] == 1


def test_prediction_on_a_gpu_waits_for_training_on_it(tmp_path):
    for target, device in (("GPU", 1), ("CPU", 0)):
        out = snakemake(
            tmp_path, "results/demo/predict", "-n", "--verbose", "--config", f"device_target={target}"
        ).stdout
        resources = [line for line in out.splitlines() if "resources:" in line and "device_target=" in line]
        assert [f"device={device}" in line for line in resources] == [True]


def test_all_problems_of_the_images_are_reported_and_nothing_is_left(tmp_path):
    folder = draw_pairs(tmp_path / "own")
    (folder / "train/1.png").write_bytes(b"")
    Image.new("RGB", (63, 32)).save(folder / "val/2.png")
    config = tmp_path / "mine.yaml"
    config.write_text(yaml.safe_dump({"datasets": {"own": {"folder": str(folder)}}, "runs": {"own": TINY_RUN}}))
    done = snakemake(tmp_path, "own", "--configfile", str(config), check=False)
    assert done.returncode == 1
    errors = [line for line in done.stdout.splitlines() if line.startswith("error:")]
    first, second, job = errors
    assert "train/1.png" in first
    assert "val/2.png is 63x32" in second.replace(": is", " is")
    assert job.startswith("error: extract own: failed: ")
    assert "Traceback" not in done.stdout
    assert not (tmp_path / "data/own/pairs").exists()


def test_sharded_records_are_the_whole_split_in_order(tmp_path):
    folder = draw_pairs(tmp_path / "own", train=7)
    records = [tmp_path / f"train-{shard}-of-3.mindrecord" for shard in (1, 2, 3)]
    for shard, path in enumerate(records, 1):
        assert script("mindrecord", folder, path, "--split", "train", "--shard", shard, "--shards", 3).returncode == 0
    pairs = dict(iterate(records))
    assert count(records) == 7
    assert list(pairs) == ["1", "2", "3", "4", "5", "6", "7"]
    assert all(pair == (folder / f"train/{name}.png").read_bytes() for name, pair in pairs.items())


def test_archive_like_maps_passes_the_data_stages_from_a_mirror(tmp_path):
    names = [f"maps/{split}/{n}.jpg" for split in ("train", "val") for n in (1, 2, 10)]
    make_archive(tmp_path / "mirror/maps.tar.gz", {name: noise_image(1200, 600, "JPEG") for name in names})
    counts = "datasets={maps: {splits: {train: 3, val: 3}}}"
    mirror = f"mirrors=['file://{tmp_path}/mirror']"
    snakemake(tmp_path, "data/maps/val.mindrecord", "--config", mirror, counts)
    name, aerial, drawn = next(whole_pairs([tmp_path / "data/maps/val.mindrecord"], 600, "AtoB"))
    source = pixels(tmp_path / f"data/maps/pairs/val/{name}.jpg")
    assert source.shape == (600, 1200, 3)
    assert np.array_equal(aerial, source[:, :600])
    assert np.array_equal(drawn, source[:, 600:])
    # the next command does not have to repeat the address of the archive
    assert planned(tmp_path, "data/maps/val.mindrecord", "--config", counts) == {}


def test_images_may_be_named_like_files_that_predict_writes(tmp_path):
    names = ["grid", ".", "index", "facts", "input", "target", "prediction", "-n", "a b", "é;$(x)&'"]
    draw_pairs(tmp_path / "own", train=2, val=len(names))
    for number, name in enumerate(names, 1):
        (tmp_path / "own/val" / f"{number}.png").rename(tmp_path / "own/val" / f"{name}.png")
    config = {"datasets": {"own": {"folder": str(tmp_path / "own")}}, "runs": {"own": TINY_RUN}, "all": ["own"]}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    snakemake(tmp_path, "--configfile", str(tmp_path / "mine.yaml"))
    predict = tmp_path / "results/own/predict"
    for kind in ("input", "prediction", "target"):
        assert {file.name for file in (predict / kind).iterdir()} == {f"{name}.png" for name in names}
    assert {file.name for file in predict.glob("[!.]*.*")} == {"grid.png", "index.html", "facts.json"}
    assert json.loads((tmp_path / "results/own/metrics.json").read_text())["n"] == len(names)


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        (b"# caf\xe9\n", "is not UTF-8 (byte "),
        (b"seeds: &own [*own]\n", "a part of it contains itself"),
        (b"comparisons: {a: [\n", "is not YAML: "),
    ],
)
def test_unreadable_config_file_gives_one_line(tmp_path, added, expected):
    checkout = copy_checkout(tmp_path / "copy")
    with open(checkout / "config.yaml", "ab") as file:
        file.write(added)
    done = snakemake(tmp_path, "-n", check=False, checkout=checkout)
    assert done.returncode == 1
    [line] = [line for line in done.stdout.splitlines() if "error: " in line]
    assert line.startswith(f"error: {checkout}/config.yaml: {expected}")
    assert "Traceback" not in done.stdout
