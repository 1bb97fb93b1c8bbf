"""Measure two trainings at once on one core each against one after the other on all cores.

    python timings/threads.py [--full] [--steps 960] [--pairs 96] [--cores 2]

Both sides are real runs of the workflow, on the same drawn pairs: `snakemake --cores N` of two runs, with the default
(a training takes all cores, so the second waits) and with train_threads 1 (both at once, on different cores). Each side
trains --steps steps and then --steps more, and the difference is the time of the steps without start and compilation.
Also prints the CPU time over the wall time of a training on one core and on all. Prints the ratio at once / in turn.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
SMALL = {"load_size": 72, "train_pic_size": 64, "val_pic_size": 64, "g_layers": 6, "g_ngf": 24, "d_ndf": 24}


def seconds_of(work: Path, settings: dict, targets: list[str], cores: int) -> tuple[float, float]:
    """Run the workflow for these targets; return the wall time and the CPU time of all its processes."""
    config = work / "run.yaml"
    config.write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", work]
    before, start = os.times(), time.perf_counter()
    subprocess.run([*command, "--cores", str(cores), *targets, "--configfile", config], check=True, capture_output=True)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, cpu


def steps_only(work: Path, name: str, size: dict, given: argparse.Namespace, cores: int, runs: int) -> list[float]:
    """The wall time and the CPU time of --steps further steps of `runs` trainings, in seconds."""
    taken = []
    for number in (1, 2):
        epochs = number * given.steps // given.pairs
        run = size | {"dataset": "drawn", "epoch_num": epochs, "n_epochs": epochs, "n_epochs_decay": 0}
        names = [f"{name}{number}{index}" for index in range(runs)]
        settings = {"datasets": {"drawn": {"drawn": True, "splits": {"train": given.pairs, "val": 2}}}}
        settings |= {"runs": dict.fromkeys(names, run), "all": names}
        targets = [f"results/{each}/ckpt/Generator_{epochs}.ckpt" for each in names]
        taken.append(seconds_of(work, settings, targets, cores))
    return [second - first for first, second in zip(*taken, strict=True)]


def main() -> None:
    """Run both sides and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="full-size networks (default: those of the demo)")
    parser.add_argument("--steps", type=int, default=960, help="steps to measure, a multiple of --pairs (default: 960)")
    parser.add_argument("--pairs", type=int, default=96, help="pairs, which are steps of an epoch (default: 96)")
    parser.add_argument("--cores", type=int, default=2, help="cores, and trainings at once, at least 2 (default: 2)")
    given = parser.parse_args()
    size, cores = {} if given.full else SMALL, given.cores
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for number in sorted({1, cores}):
            wall, cpu = steps_only(work, f"alone{number}_", size, given, number, 1)
            pace = f"{wall / given.steps * 1000:.0f} ms per step"
            print(f"one training, --cores {number}: {pace}, CPU time / wall {cpu / wall:.2f}", flush=True)
        turn, _ = steps_only(work, "turn", size, given, cores, cores)
        once, _ = steps_only(work, "once", size | {"train_threads": 1}, given, cores, cores)
    print(f"{cores} trainings: in turn {turn:.1f} s, at once {once:.1f} s, ratio at once / in turn {once / turn:.2f}")


if __name__ == "__main__":
    main()
