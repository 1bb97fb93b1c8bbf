"""The notebook runs from its first to its last cell."""

import json
import os
import subprocess
import sys

from conftest import ROOT


def test_cells_of_the_notebook_run(tmp_path):
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
