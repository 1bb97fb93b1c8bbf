"""Measure what showing a training costs: the same full-size training with and without its monitor, alternating.

    python timings/monitoring.py [--rounds 2] [--steps 200] [--size 256] [--filters 64]

Each part trains `steps` steps of one epoch in the same process, on random images. The first part compiles the networks
and the generator's own forward pass, and is not counted: every training pays for both, since each epoch ends with
samples.
Prints seconds of each part and the ratio of their sums (1.01 is one percent), and the share of the time that was
spent in the monitor, which other jobs on the machine affect less.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix.config.settings import TrainSettings, WhereSettings
from pix2pix.data.packing import split_files
from pix2pix.data.records import write_records
from pix2pix.monitoring.monitor import Monitor
from pix2pix.system.progress import Progress
from pix2pix.system.stopping import StopRequest
from pix2pix.training.folders import Folders
from pix2pix.training.loop import Training
from pix2pix.training.state import Position
from pix2pix.training.step import Trainer


def main() -> None:
    """Train in parts, alternately with and without the monitor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"rounds": 2, "steps": 200, "size": 256, "filters": 64}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    sizes = {"train_pic_size": given.size, "load_size": given.size, "g_ngf": given.filters, "d_ndf": given.filters}
    settings = TrainSettings(**sizes, g_layers=min(8, given.size.bit_length() - 1))
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        folders = Folders(work / "ckpt", work / "fake_img", work / "loss_show", work / "state")
        records = random_records(work, given.steps, given.size)
        # no state is saved within a part
        where = WhereSettings(save_minutes=1e6)
        training = Training(Trainer(settings), where, [records], folders, [], StopRequest())
        monitor, seconds = Timed(training.monitor), {"shown": 0.0, "not shown": 0.0}
        training.sample(work / "first.png")
        train_part(training, 2)
        for turn in range(2 * given.rounds):
            side = "shown" if turn % 2 == 0 else "not shown"
            training.monitor = monitor if side == "shown" else None
            spent = train_part(training, given.steps)
            seconds[side] += spent
            print(f"{side}: {spent:.2f} s for {given.steps} steps", flush=True)
        print(f"samples written: {len(list(folders.fakeimg.glob('*')))}")
        print(f"ratio: {seconds['shown'] / seconds['not shown']:.4f}")
        print(f"in the monitor: {monitor.spent:.2f} s, {100 * monitor.spent / seconds['shown']:.2f} % of the time")


class Timed:
    """A monitor that adds up the seconds spent in it."""

    def __init__(self, monitor: Monitor):
        self.monitor, self.spent = monitor, 0.0

    def begin(self, *position: object) -> None:
        """Start, timed."""
        self.call(self.monitor.begin, *position)

    def after_step(self, *arguments: object) -> None:
        """Show what is due, timed."""
        self.call(self.monitor.after_step, *arguments)

    def call(self, method: Callable, *arguments: object) -> None:
        """Call a method and add its duration."""
        start = time.perf_counter()
        method(*arguments)
        self.spent += time.perf_counter() - start


def train_part(training: Training, steps: int) -> float:
    """The seconds of the first `steps` steps of an epoch."""
    training.position, training.steps = Position(), steps
    training.trainer.reset_losses()
    start = time.perf_counter()
    if training.monitor:
        # as at the start of a training: the first page at once, the next one and samples in the first seconds
        training.monitor.begin(1, 0, steps, [])
    training.train_epoch(Progress(disable=True))
    return time.perf_counter() - start


def random_records(work: Path, pairs: int, size: int) -> Path:
    """Records of random images."""
    (work / "pairs").mkdir()
    random = np.random.default_rng(0)
    for number in range(pairs):
        coarse = random.integers(0, 256, (16, 32, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((2 * size, size)).save(work / "pairs" / f"{number}.jpg", quality=90)
    write_records(split_files(work / "pairs"), work / "train.mindrecord")
    return work / "train.mindrecord"


if __name__ == "__main__":
    main()
