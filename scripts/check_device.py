"""Say what a device, or a precision, needs and what of it is missing on this machine, then run a training step.

Ends with status 1 and one line that names everything that is missing.

Example:
    python scripts/check_device.py --device_target GPU
    python scripts/check_device.py --precision bf16
"""

import math

import mindspore as ms
import numpy as np

from pix2pix.config.settings import TrainSettings
from pix2pix.devices.check import needs_of, prepare, require
from pix2pix.model.device import DEVICES, select_device
from pix2pix.system.errors import InputError
from pix2pix.system.program import command_line, first_line, run
from pix2pix.training.step import Trainer

# all layers of the full-size networks, with few filters
SETTINGS = TrainSettings(g_ngf=8, d_ndf=8)


def main() -> None:
    """Parse the flags, list what the device needs, and run a step."""
    parser = command_line(__doc__)
    parser.add_argument("--device_target", choices=DEVICES, default="CPU", help="default: CPU")
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32", help="default: float32")
    arguments = parser.parse_args()
    target, precision = arguments.device_target, arguments.precision
    needs = needs_of(target, precision)
    if all(need.found for need in needs):
        # before anything is printed, since this may start the program again
        prepare(target, precision)
    for need in needs:
        print(f"{need.name:24}  {need.found or 'MISSING'}", flush=True)
    require(target, precision)
    select_device(target)
    try:
        losses = ", ".join(f"{name} {value:.3f}" for name, value in train_step(precision).items())
    except RuntimeError as error:
        raise InputError(
            f"device_target: {target}: nothing is missing, but training fails: {first_line(error)}"
        ) from None
    print(f"{target}, {precision}, works: one training step, {losses}")


def train_step(precision: str) -> dict[str, float]:
    """Train on noise for one step and return the losses.

    Raises:
        InputError: the device computes something that is not finite.
    """
    trainer = Trainer(SETTINGS.model_copy(update={"precision": precision}))
    x, y = np.random.default_rng(0).uniform(-1, 1, (2, 1, 3, 256, 256)).astype(np.float32)
    trainer.advance(x, y, ms.Tensor(SETTINGS.lr, ms.float32), 1.0, False)
    losses = trainer.take_loss_means(1)
    if not all(map(math.isfinite, losses.values())):
        raise InputError(f"device_target: the losses of a training step are not finite: {losses}")
    return losses


if __name__ == "__main__":
    run(main)
