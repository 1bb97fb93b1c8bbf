"""Compare the speed of one process on all cores and of two workers on half of them each, at full size.

    python timings/data_parallel.py [--global_batch 8] [--rounds 5] [--steps 3]

Both train the same networks on the same number of pairs per step: the process on all of them, each
worker on half. Both are started once and then alternate, one waiting while the other works. Prints
pairs per second (medians over the rounds) and the ratio workers / process (above 1: workers are faster).
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mindspore as ms
import numpy as np

from pix2pix.config.settings import TrainSettings, WhereSettings
from pix2pix.distributed.launcher import Node, free_port, run_workers
from pix2pix.distributed.workers import join_workers, leave, use_share_of_cores
from pix2pix.model.device import check_device
from pix2pix.system.cores import cores_in_use
from pix2pix.training.step import Trainer

SIDES = ("process", "workers")


def work(side: str, folder: Path, global_batch: int, rounds: int, steps: int) -> None:
    """Run one process of a side: wait for the side's turn, do the steps, write the seconds they took."""
    use_share_of_cores()
    check_device("CPU")
    workers = join_workers()
    batch = global_batch // workers.number
    trainer = Trainer(TrainSettings(batch_size=batch), workers)
    random = np.random.default_rng(workers.rank)
    x, y = (random.uniform(-1, 1, (batch, 3, 256, 256)).astype(np.float32) for _ in range(2))
    lr = ms.Tensor(0.0002, ms.float32)
    for turn in range(-1, rounds):
        while not (folder / f"{side}_{turn}.go").exists():
            time.sleep(0.02)
        start = time.perf_counter()
        for _ in range(steps):
            trainer.advance(x, y, lr, 1 / workers.number, False)
        trainer.loss_sums.asnumpy()
        if workers.first:
            result = folder / f"{side}_{turn}.part"
            result.write_text(str(time.perf_counter() - start))
            result.rename(result.with_suffix(".seconds"))
    leave(folder / "logs", 0, workers)


def take_turns(folder: Path, rounds: int, started: list[subprocess.Popen]) -> dict[str, list[float]]:
    """Alternate between the sides and return the seconds of every round except the first, which compiles."""
    seconds = {side: [] for side in SIDES}
    for turn in range(-1, rounds):
        for side in SIDES:
            (folder / f"{side}_{turn}.go").touch()
            result = folder / f"{side}_{turn}.seconds"
            while not result.exists():
                if any(process.poll() for process in started):
                    sys.exit(f"error: one of the two sides failed in round {turn}")
                time.sleep(0.02)
            if turn >= 0:
                seconds[side].append(float(result.read_text()))
    return seconds


def main() -> None:
    """Start both sides, alternate between them, print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--global_batch", type=int, default=8, help="pairs per step, an even number (default: 8)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds per side (default: 5)")
    parser.add_argument("--steps", type=int, default=3, help="steps per round (default: 3)")
    parser.add_argument("--side", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    numbers = arguments.global_batch, arguments.rounds, arguments.steps
    if arguments.side:
        side, folder = arguments.side
        if side == "workers" and "MS_ROLE" not in os.environ:
            node = Node(0, 1, "127.0.0.1", free_port())
            sys.exit(run_workers(sys.argv, 2, node, Path(folder) / "logs", WhereSettings().stop_seconds))
        work(side, Path(folder), *numbers)
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, *sys.argv, "--side"]
        started = [subprocess.Popen([*command, side, folder]) for side in SIDES]
        try:
            seconds = take_turns(Path(folder), arguments.rounds, started)
            for process in started:
                process.wait()
        finally:
            for process in started:
                process.terminate()
                process.wait()
    rates = {
        side: statistics.median(arguments.global_batch * arguments.steps / each for each in times)
        for side, times in seconds.items()
    }
    print(f"{arguments.global_batch} pairs per step, load average {os.getloadavg()[0]:.1f}")
    print(f"one process, {cores_in_use()} threads: {rates['process']:.3f} pairs/s")
    print(f"two workers, sharing them: {rates['workers']:.3f} pairs/s")
    print(f"ratio workers / process: {rates['workers'] / rates['process']:.2f}")


if __name__ == "__main__":
    main()
