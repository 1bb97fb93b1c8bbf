"""The notebook runs from its first to its last cell, and the demo that it trains has learnt."""

import json
import os
import subprocess
import sys

import numpy as np
import yaml
from conftest import ROOT

from pix2pix.config.runs import read_config
from pix2pix.evaluation.prediction import Translator, generate
from pix2pix.model.checkpoint import save_network
from pix2pix.training.step import Trainer


def test_cells_of_the_notebook_run_and_its_demo_has_learnt(tmp_path):
    notebook = json.loads((ROOT / "docs/notebook.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(not cell.get("outputs") for cell in notebook["cells"])
    program = tmp_path / "notebook.py"
    program.write_text("\n".join(["import matplotlib", 'matplotlib.use("agg")', *cells]))
    environment = {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(program)], cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "4 (64, 64) (64, 128, 3)"

    run = read_config(yaml.safe_load((ROOT / "config.yaml").read_text()))[1]["demo"]
    untrained = tmp_path / "untrained.ckpt"
    save_network(Trainer(run.train).generator, "generator.", untrained)
    [work] = (path.parents[1] for path in tmp_path.glob("*/results/demo"))
    errors = []
    for ckpt in (untrained, work / "results/demo/ckpt/Generator_4.ckpt"):
        images = generate(Translator(run.predict, ckpt), [work / "data/demo/val.mindrecord"])
        errors.append(np.mean([np.abs(fake.astype(int) - target).mean() for _, _, fake, target in images]))
    before, after = errors
    assert after <= 0.7 * before
