"""A program for two workers: train an epoch on each set of records and save the inputs and outputs of every step."""

import sys
from pathlib import Path

import mindspore as ms
import numpy as np

from pix2pix.config.settings import TrainSettings, WhereSettings
from pix2pix.data.records import count
from pix2pix.distributed.workers import join_workers, leave, steps_of_epoch
from pix2pix.model.device import check_device
from pix2pix.system.progress import Progress
from pix2pix.system.stopping import StopRequest
from pix2pix.training.folders import Folders
from pix2pix.training.loop import Training
from pix2pix.training.state import Position
from pix2pix.training.step import Trainer


class Recorder(Trainer):
    """A trainer that records each step's inputs and the parameters before and after it."""

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
        # workers that start with different weights must not keep them
        parameter.set_data(ms.Tensor(parameter.asnumpy() + np.float32(workers.rank)))
    folders = Folders(folder / "ckpt", folder / "fake_img", folder / "loss_show", folder / "state")
    sets = [Path(records) for records in sys.argv[3:]]
    training = Training(trainer, WhereSettings(), sets[:1], folders, [], StopRequest())
    for records in sets:
        training.files, training.pairs, training.position = [records], count([records]), Position()
        training.steps = steps_of_epoch(training.pairs, settings.batch_size, workers)
        trainer.steps = []
        trainer.reset_losses()
        training.train_epoch(Progress(disable=True))
        for number, step in enumerate(trainer.steps):
            np.savez(folder / f"{records.stem}_{workers.rank}_{number}.npz", **step)
    leave(folder / "logs", 0, workers)


if __name__ == "__main__":
    main()
