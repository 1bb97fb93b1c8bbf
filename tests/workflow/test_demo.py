"""The built-in demo, with fewer epochs: it learns, and its pages are complete."""

import json

import numpy as np
import yaml
from conftest import ROOT, snakemake

from pix2pix.config.runs import read_config
from pix2pix.evaluation.prediction import Translator, generate
from pix2pix.model.checkpoint import save_network
from pix2pix.training.step import Trainer


def test_demo_learns(tmp_path):
    snakemake(tmp_path, "--config", "runs={demo: {epoch_num: 6, n_epochs: 3, n_epochs_decay: 3}}")
    results = tmp_path / "results"
    metrics = json.loads((results / "demo/metrics.json").read_text())
    run = read_config(yaml.safe_load((ROOT / "config.yaml").read_text()))[1]["demo"]
    save_network(Trainer(run.train).generator, "generator.", tmp_path / "untrained.ckpt")
    records = [tmp_path / "data/demo/val.mindrecord"]
    untrained = generate(Translator(run.predict, tmp_path / "untrained.ckpt"), records)
    before = np.mean([np.abs(fake.astype(int) - target).mean() for _, _, fake, target in untrained])
    assert metrics["n"] == 16
    assert metrics["metrics"]["l1"]["mean"] <= 0.6 * before
    for made in ("demo/predict/grid.png", "demo/predict/index.html", "summary.csv", "summary.html"):
        assert (results / made).stat().st_size > 0
