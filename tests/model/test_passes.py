"""The number of forward passes in a step, counted in oneDNN's verbose output."""

import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT

from pix2pix.config.settings import TrainSettings

SETTINGS = TrainSettings(g_ngf=5, g_layers=5, d_ndf=7, load_size=32, train_pic_size=32)
PROGRAM = """
import sys
import mindspore as ms
import numpy as np
from pix2pix.config.settings import TrainSettings
from pix2pix.training.step import Trainer
trainer = Trainer(TrainSettings.model_validate_json(sys.argv[1]))
x, y = (ms.Tensor(np.full((1, 3, 32, 32), value, np.float32)) for value in (0.1, 0.2))
trainer.step(x, y, ms.Tensor(0.0002, ms.float32)).asnumpy()
"""


@pytest.mark.parametrize(("update_order", "judgements"), [("simultaneous", 2), ("alternating", 3)])
def test_forward_passes_of_a_step(update_order, judgements):
    settings = SETTINGS.model_copy(update={"update_order": update_order}).model_dump_json()
    environment = os.environ | {"ONEDNN_VERBOSE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, settings], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    forward = [line for line in done.stdout.splitlines() if ",convolution," in line and ",forward_" in line]
    # the first layers: 3 channels to 5 filters, 6 to 7
    assert sum(bool(re.search("_ic3oc5_", line)) for line in forward) == 1
    assert sum(bool(re.search("_ic6oc7_", line)) for line in forward) == judgements
