"""Measure the way of a large dataset from its archive to records, and on to the first steps of a full-size training.

    python timings/preparation.py                       # 20,000 pairs
    python timings/preparation.py --pairs 138567        # as many as edges2handbags has

Draws an archive of A|B images (256 x 512 pixels, 15 kB each) and takes it through the workflow's programs with the
flags that the workflow gives them; like Snakemake, it starts as many mindrecord jobs at a time as there are cores.
`tar xzf` of the same archive is measured in the same run (median of three). Prints seconds, the largest memory of a
process, files and bytes on disk of every stage, and the ratio of preparation (extract and mindrecord) to `tar xzf`.
Downloading is a copy on the same disk.
"""

import argparse
import gzip
import io
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
DRAWN = 200  # different images; gzip does not find the repetitions, since they are megabytes apart
VAL = 200
PAIRS_IN_A_SHARD = 20000  # as in rules/common.smk
CORES = len(os.sched_getaffinity(0))
SECONDS_BETWEEN_COUNTS = 0.5
# starts a program in a process whose own memory is small, since a child's peak includes what it inherits
MEASURE = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""


def draw_archive(path: Path, pairs: int) -> None:
    """Write large/train/N_AB.jpg and large/val/N_AB.jpg to a tar.gz."""
    random = np.random.default_rng(0)
    images = []
    for _ in range(DRAWN):
        small = Image.fromarray(random.integers(0, 256, (16, 32, 3), dtype=np.uint8))
        smooth = np.asarray(small.resize((512, 256), Image.Resampling.BICUBIC)).astype(int)
        noisy = np.clip(smooth + random.normal(0, 2, (256, 512, 1)), 0, 255).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(noisy).save(buffer, "JPEG", quality=60)
        images.append(buffer.getvalue())
    with gzip.open(path, "wb", compresslevel=1) as file, tarfile.open(fileobj=file, mode="w|") as tar:
        for number in range(pairs + VAL):
            member = tarfile.TarInfo(f"large/{'train' if number < pairs else 'val'}/{number}_AB.jpg")
            member.size = len(images[number % DRAWN])
            tar.addfile(member, io.BytesIO(images[number % DRAWN]))


def start(*command: object) -> subprocess.Popen:
    """Start a program of scripts/; its standard output will be its peak memory in KiB."""
    program, *arguments = map(str, command)
    words = [sys.executable, str(ROOT / "scripts" / f"{program}.py"), *arguments]
    return subprocess.Popen(
        [sys.executable, "-c", MEASURE, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def finish(process: subprocess.Popen) -> int:
    """Wait for a program; return its peak memory in bytes."""
    output, _ = process.communicate()
    if process.returncode:
        sys.exit(f"{process.args[3:]} failed")
    return int(output) * 1024


def run_all(commands: list[list[object]]) -> int:
    """Run programs, at most CORES at a time; return the largest peak memory in bytes."""
    waiting, running, memory = list(commands), [], 0
    while waiting or running:
        while waiting and len(running) < CORES:
            running.append(start(*waiting.pop(0)))
        memory = max(memory, finish(running.pop(0)))
    return memory


def on_disk(folder: Path) -> tuple[int, int]:
    """Files and bytes of disk in a folder."""
    found = [Path(path, name) for path, _, names in os.walk(folder) for name in names]
    sizes = [path.stat().st_blocks * 512 for path in found if path.exists()]
    return len(sizes), sum(sizes)


@contextmanager
def stage(name: str, folder: Path, results: dict[str, float]) -> Iterator[dict[str, int]]:
    """Measure a stage, and print its line; the block stores its memory in bytes."""
    found, ended, most = {"memory": 0}, threading.Event(), [0]

    def count() -> None:
        while not ended.wait(SECONDS_BETWEEN_COUNTS):
            most[0] = max(most[0], sum(len(names) for _, _, names in os.walk(folder)))

    counter = threading.Thread(target=count)
    counter.start()
    begun = time.perf_counter()
    yield found
    results[name] = time.perf_counter() - begun
    ended.set()
    counter.join()
    files, size = on_disk(folder)
    print(
        f"| {name} | {results[name]:.1f} | {found['memory'] / 1e6:,.0f} | {max(files, most[0]):,} | {files:,} | "
        f"{size / 1e6:,.0f} |",
        flush=True,
    )


def prepare(work: Path, pairs: int, archive: Path, how: list[str]) -> dict[str, float]:
    """Take the archive to records; return the seconds of each stage."""
    seconds: dict[str, float] = {}
    data = work / "data"
    folder = data / "large"
    with stage("download", data, seconds) as found:
        copy = data / "large.tar.gz"
        found["memory"] = run_all([["download", "--dataset", "large", f"--mirror=file://{archive}", copy]])
    with stage("extract", data, seconds) as found:
        splits = [f"train={pairs}", f"val={VAL}"]
        found["memory"] = run_all([["extract", copy, folder / "pairs", "--splits", *splits, *how]])
    shards = -(-pairs // PAIRS_IN_A_SHARD)
    numbers = range(1, shards + 1)
    parts = [(f"train-{shard}-of-{shards}", "train", ["--shard", shard, "--shards", shards]) for shard in numbers]
    with stage("mindrecord", data, seconds) as found:
        found["memory"] = run_all(
            [
                ["mindrecord", folder / "pairs", folder / f"{name}.mindrecord", "--split", split, *which]
                for name, split, which in [*parts, ("val", "val", [])]
            ]
        )
    return seconds


def first_steps(work: Path, seconds: dict[str, float]) -> None:
    """Start a full-size training on all records, and end it, with its state saved, after its first steps."""
    records, run = sorted((work / "data/large").glob("train*.mindrecord")), work / "results/large"
    names = {"ckpt_dir": "ckpt", "train_fakeimg_dir": "fake_img", "loss_show_dir": "loss_show", "state_dir": "state"}
    flags = [word for flag, name in names.items() for word in (f"--{flag}", run / name)]
    with stage("train", work / "results", seconds), open(work / "train.log", "w") as log:
        program = [sys.executable, ROOT / "scripts/train.py", *records, *flags]
        process = subprocess.Popen([str(word) for word in program], stderr=log)
        while process.poll() is None and "ms/step" not in (work / "train.log").read_text():
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        process.wait()
    print((work / "train.log").read_text().strip().splitlines()[-2:])


def unpack(archive: Path, folder: Path) -> float:
    """Seconds of `tar xzf`; the folder is removed afterwards."""
    folder.mkdir()
    os.sync()
    begun = time.perf_counter()
    subprocess.run(["tar", "xzf", archive, "-C", folder], check=True)
    seconds = time.perf_counter() - begun
    shutil.rmtree(folder)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20000, help="pairs in train/ (default: 20000)")
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="where to make a temporary folder (default: .)")
    parser.add_argument("--packed", action="store_true", help="without a file per pair, as with keep: {pairs: false}")
    parser.add_argument("--unpack", type=int, default=3, help="times to measure tar xzf, for a median (default: 3)")
    parser.add_argument("--train", action="store_true", help="also train until the first losses are shown")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        work, plain = Path(name), Path(name) / "plain"
        draw_archive(work / "large.tar.gz", arguments.pairs)
        tar = statistics.median(unpack(work / "large.tar.gz", plain) for _ in range(arguments.unpack))
        print(f"{arguments.pairs:,} pairs, {CORES} cores; tar xzf: {tar:.1f} s\n")
        print(
            "| stage | s | MB of memory | most files | files after | MB on disk after |\n|---|---:|---:|---:|---:|---:|"
        )
        seconds = prepare(work, arguments.pairs, work / "large.tar.gz", ["--packed"] * arguments.packed)
        whole = seconds["extract"] + seconds["mindrecord"]
        print(f"\nextract and mindrecord: {whole:.1f} s; ratio to tar xzf: {whole / tar:.2f}")
        if arguments.train:
            first_steps(work, seconds)


if __name__ == "__main__":
    main()
