"""A program for two workers: an epoch over each set of records, with all that went in and came out of every step."""

import sys
from pathlib import Path

import mindspore as ms
import numpy as np

from pix2pix.config.settings import TrainSettings, WhereSettings
from pix2pix.distributed.workers import join_workers, leave
from pix2pix.model.device import check_device
from pix2pix.system.progress import Progress
from pix2pix.system.stopping import StopRequest
from pix2pix.training.loop import Epoch, Folders, begin, count, steps_of_epoch, train_epoch
from pix2pix.training.state import Position
from pix2pix.training.step import Trainer


class Recorder(Trainer):
    """A trainer that keeps what each step read and what the parameters were before and after it."""

    def advance(self, x, y, lr, weight, stop):
        before = self.values("before")
        stopping = super().advance(x, y, lr, weight, stop)
        self.steps.append(before | self.values("after") | {"x": x, "y": y, "weight": np.float32(weight)})
        return stopping

    def values(self, when: str) -> dict[str, np.ndarray]:
        return {f"{when}/{name}": parameter.asnumpy().copy() for name, parameter in self.parameters().items()}


def main() -> None:
    """two_workers.py SETTINGS FOLDER RECORDS...: writes FOLDER/{records}_{worker}_{step}.npz."""
    settings = TrainSettings.model_validate_json(sys.argv[1])
    folder = Path(sys.argv[2])
    check_device("CPU")
    workers = join_workers()
    trainer = Recorder(settings, workers)
    for parameter in trainer.parameters().values():
        # workers that start from different weights must not stay different
        parameter.set_data(ms.Tensor(parameter.asnumpy() + np.float32(workers.rank)))
    folders = Folders(folder / "ckpt", folder / "fake_img", folder / "loss_show", folder / "state")
    begin(trainer, folders, {}, 0)
    for records in map(Path, sys.argv[3:]):
        trainer.steps = []
        trainer.reset_losses()
        pairs = count([records])
        steps = steps_of_epoch(pairs, settings.batch_size, workers)
        run = Epoch(trainer, settings, WhereSettings(), [records], [], folders, Position(), {}, pairs, steps)
        train_epoch(run, Progress(disable=True), StopRequest())
        for number, step in enumerate(trainer.steps):
            np.savez(folder / f"{records.stem}_{workers.rank}_{number}.npz", **step)
    leave(folder / "logs", 0, workers)


if __name__ == "__main__":
    main()
