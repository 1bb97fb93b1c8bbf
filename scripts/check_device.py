"""Say what a device needs and what of it is missing on this machine, then run training steps on it.

Ends with status 1 and one line that names everything that is missing.
"""

import argparse
import math
import sys

import mindspore as ms
import numpy as np

from pix2pix.config.settings import TrainSettings
from pix2pix.devices.check import needs_of, prepare, require
from pix2pix.model.device import DEVICES, select_device
from pix2pix.system.errors import InputError
from pix2pix.system.program import run
from pix2pix.training.step import Trainer

# all layers of the full-size networks, with few filters
SETTINGS = TrainSettings(g_ngf=8, d_ndf=8)


def main() -> None:
    """Parse the flags, list what the device needs, and run steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device_target", choices=DEVICES, default="CPU", help="default: CPU")
    parser.add_argument(
        "--steps", type=int, default=1, help="training steps of a small network, at least 1 (default: 1)"
    )
    arguments = parser.parse_args()
    target, needs = arguments.device_target, needs_of(arguments.device_target)
    if all(need.found for need in needs):
        # before anything is printed, since this may start the program again
        prepare(target)
    for need in needs:
        print(f"{need.name:20} {need.found or 'MISSING'}")
    require(target)
    select_device(target)
    losses = train(arguments.steps)
    print(
        f"{target} works: {arguments.steps} training step(s), " + ", ".join(f"{k} {v:.3f}" for k, v in losses.items())
    )


def train(steps: int) -> dict[str, float]:
    """Train on noise for `steps` steps and return the mean losses.

    Raises:
        InputError: the device computes something that is not finite.
    """
    trainer = Trainer(SETTINGS)
    noise = np.random.default_rng(0).uniform(-1, 1, (2, 1, 3, 256, 256)).astype(np.float32)
    for _ in range(steps):
        trainer.advance(*noise, ms.Tensor(SETTINGS.lr, ms.float32), 1.0, False)
    losses = trainer.take_loss_means(steps)
    if not all(map(math.isfinite, losses.values())):
        raise InputError(f"device_target: the losses of a training step are not finite: {losses}")
    return losses


if __name__ == "__main__":
    run(main)
