"""The best generator on held-out pairs is kept in addition to the last one, and can be used for prediction."""

import csv
import json

import pytest
import yaml
from conftest import TINY_RUN, draw_pairs, script, snakemake

from pix2pix.config.settings import TrainSettings
from pix2pix.training.selection import is_best, is_due


def test_best_generator_is_kept_and_has_the_recorded_score(tmp_path):
    draw_pairs(tmp_path / "squares")
    runs = {
        # a learning rate at which the generator gets worse again
        "squares": TINY_RUN | {"batch_size": 2, "epoch_num": 4, "n_epochs": 4, "eval_epoch_freq": 2, "lr": 0.05},
        "best": {"dataset": "squares", "ckpt": "results/squares/best/Generator_4.ckpt"},
    }
    config = {"datasets": {"squares": {"folder": str(tmp_path / "squares")}}, "runs": runs}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    snakemake(tmp_path, "results/best/metrics.json", "--configfile", str(tmp_path / "mine.yaml"))
    with open(tmp_path / "results/squares/history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    measured = {int(row["epoch"]): {name: float(row[f"val_{name}"]) for name in ("l1", "psnr", "ssim")}
                for row in rows if row["val_l1"]}  # fmt: skip
    assert list(measured) == [2, 4]
    best = json.loads((tmp_path / "results/best/metrics.json").read_text())["metrics"]
    chosen = min(measured.values(), key=lambda scores: scores["l1"])
    assert chosen == measured[2], "the last one is not the best here, so the two differ"
    for name in ("l1", "psnr", "ssim"):
        assert best[name]["mean"] == pytest.approx(chosen[name], rel=1e-4)


def test_by_default_nothing_is_measured():
    assert not any(is_due(epoch, TrainSettings()) for epoch in range(1, 201))


@pytest.mark.parametrize(
    ("metric", "values", "best"), [("l1", [9, 7, 8, 6], [1, 1, 0, 1]), ("ssim", [5, 6, 6], [1, 1, 0])]
)
def test_best_is_the_lowest_l1_or_the_highest_of_the_others(metric, values, best):
    settings = TrainSettings(eval_epoch_freq=1, eval_metric=metric)
    history = [{}, *({f"val_{metric}": value} for value in values)]
    assert [is_best(history[: end + 1], settings) for end in range(1, len(history))] == list(map(bool, best))


def test_run_without_a_best_generator_reports_the_remedy(tmp_path):
    result = script("keep_best", tmp_path / "Generator_best.ckpt", tmp_path / "out.ckpt")
    assert result.returncode == 1
    assert "set eval_epoch_freq and train again" in result.stdout


def test_training_to_fewer_epochs_has_its_own_best_generator(tmp_path):
    of_all, apart, output = (tmp_path / name for name in ("Generator_best.ckpt", "apart.ckpt", "out.ckpt"))
    of_all.write_text("of 200 epochs")
    assert script("keep_best", of_all, output, "--apart", apart).returncode == 0
    assert output.read_text() == "of 200 epochs"
    apart.write_text("of 50 epochs")
    assert script("keep_best", of_all, output, "--apart", apart).returncode == 0
    assert output.read_text() == "of 50 epochs"
