"""Measure what saving the state costs a training of the full-size networks at a given pace.

    python timings/saving.py [--ms 50] [--rounds 5] [--folder FOLDER]

Saves the real state of the full-size networks (0.68 GB) several times, each time after two seconds in which it may
reach the disk. Prints the share of the training time that saving takes, with a state every save_minutes and with
one at the end of every epoch of facades (400 steps), and the ratio of both.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from pix2pix.config.settings import TrainSettings, WhereSettings
from pix2pix.training.state import Position, save_state
from pix2pix.training.step import Trainer

STEPS_OF_AN_EPOCH = 400  # facades, batch_size 1


def share(save: float, between: float) -> float:
    """The share of the time that one save of `save` seconds takes after each `between` seconds of training."""
    return save / (save + between)


def main() -> None:
    """Save, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ms", type=float, default=50, help="milliseconds per step (default: 50)")
    parser.add_argument("--rounds", type=int, default=5, help="number of saves (default: 5)")
    parser.add_argument("--folder", type=Path, help="a folder on the disk to measure (default: a temporary one)")
    arguments = parser.parse_args()
    parameters = Trainer(TrainSettings()).parameters()
    seconds = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for number in range(arguments.rounds + 1):
            start = time.perf_counter()
            save_state(Path(folder), parameters, Position(), {})
            if number:  # the first one warms up
                seconds.append(time.perf_counter() - start)
            time.sleep(2)
        size = sum(file.stat().st_size for file in Path(folder).glob("state.*")) / 1e9
    save, minutes = statistics.median(seconds), WhereSettings().save_minutes
    by_time, by_epoch = share(save, 60 * minutes), share(save, STEPS_OF_AN_EPOCH * arguments.ms / 1000)
    print(
        f"one state: {size:.2f} GB, {save:.2f} s (median of {len(seconds)}: {min(seconds):.2f} to {max(seconds):.2f})"
    )
    print(f"at {arguments.ms:g} ms per step: every {minutes:g} minutes {by_time:.2%}, every epoch {by_epoch:.2%}")
    print(f"ratio by time / by epoch: {by_time / by_epoch:.3f}")


if __name__ == "__main__":
    main()
