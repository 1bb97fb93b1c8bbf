"""Compare the scores after training with the workflow and with the same networks in plain PyTorch.

    pip install torch==2.13.0
    python timings/learning.py FOLDER [--mirror file:///where/facades.tar.gz/is] [--seeds 1 2]

Trains facades (BtoA, batch 1, 128 pixels, g_ngf = d_ndf = 32, 40 epochs, no dropout) with two seeds, with
the workflow and in PyTorch. Both start from the same initial weights and use the same crops and flips in the
same order and the same learning rates. Evaluates L1, PSNR and SSIM on all of val every 5 epochs and writes
FOLDER/learning.csv, learning.png and learning.md. After an interruption, the same command resumes.

This takes two hours on two cores. It is faster with one seed per core (then run it once more without --seeds
to write the results):

    taskset -c 0 python timings/learning.py FOLDER --seeds 1 &
    taskset -c 1 python timings/learning.py FOLDER --seeds 2
"""

import argparse
import csv
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch_pix2pix
import yaml
from matplotlib.figure import Figure
from PIL import Image
from tqdm import tqdm

from pix2pix.config.settings import TrainSettings
from pix2pix.data.loader import batches, sample_epoch, to_array, to_pixels, whole_pairs
from pix2pix.data.records import count
from pix2pix.evaluation.metrics import compare
from pix2pix.system.files import replacing
from pix2pix.training.optimizer import learning_rate
from pix2pix.training.step import Trainer

ROOT = Path(__file__).resolve().parent.parent
SEEDS = [1, 2]
METRICS = ("l1", "psnr", "ssim")
SETTINGS = {
    "epoch_num": 40,
    "n_epochs": 20,
    "n_epochs_decay": 20,
    "load_size": 143,
    "train_pic_size": 128,
    "g_layers": 7,
    "g_ngf": 32,
    "d_ndf": 32,
    "eval_epoch_freq": 5,
}


def train_with_the_workflow(folder: Path, seed: int, mirror: str | None, threads: int) -> None:
    """Train with Snakemake; the scores are in history.csv."""
    run = SETTINGS | {"dataset": "facades", "val_pic_size": 128, "seed": seed}
    datasets = {"facades": {"mirrors": [mirror]}} if mirror else {}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "learning.yaml").write_text(yaml.safe_dump({"datasets": datasets, "runs": {"learning": run}}))
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
    command += [f"results/learning/ckpt/Generator_{SETTINGS['epoch_num']}.ckpt", "--cores", str(threads)]
    subprocess.run([*command, "--configfile", folder / "learning.yaml"], check=True)


def train_in_torch(folder: Path, seed: int) -> None:
    """Train in PyTorch on the workflow's records, resuming if interrupted; the scores are in torch.csv."""
    settings = TrainSettings(**SETTINGS, seed=seed, direction="BtoA")
    train, val = ([folder / "data" / "facades" / f"{split}.mindrecord"] for split in ("train", "val"))
    pairs, saved = count(train), folder / "torch.pt"
    trainer = same_start(settings)
    first, rows = restore(trainer, saved)
    for epoch in range(first, settings.epoch_num + 1):
        for group in (trainer.generator_adam, trainer.discriminator_adam):
            group.param_groups[0]["lr"] = learning_rate(epoch, settings)
        read = batches(train, sample_epoch(pairs, epoch, settings), [[position] for position in range(pairs)], settings)
        start = time.monotonic()
        losses = [
            trainer.step(*map(torch.from_numpy, pair)) for pair in tqdm(read, f"epoch {epoch}", pairs, disable=None)
        ]
        print(f"seed {seed} epoch {epoch}: G {np.mean(losses):.3f}, {time.monotonic() - start:.0f} s", flush=True)
        if epoch % settings.eval_epoch_freq == 0:
            rows.append({"epoch": epoch} | measure(trainer, val, settings))
            save(trainer, saved, epoch, rows)
    write_rows(rows, folder / "torch.csv")


def same_start(settings: TrainSettings) -> torch_pix2pix.Trainer:
    """The PyTorch networks with the initial weights of the workflow's training with these settings."""
    ours = Trainer(settings)
    trainer = torch_pix2pix.Trainer(False, settings.g_ngf, settings.g_layers)
    for network, start in ((trainer.generator, ours.generator), (trainer.discriminator, ours.discriminator)):
        for parameter, weight in zip(network.parameters(), start.trainable_params(), strict=True):
            value = torch.from_numpy(weight.asnumpy().copy())
            if value.shape != parameter.shape:
                raise ValueError(f"{weight.name}: {tuple(value.shape)} is not {tuple(parameter.shape)}")
            parameter.data.copy_(value)
    return trainer


def parts(trainer: torch_pix2pix.Trainer) -> list:
    """Everything that a step changes."""
    return [trainer.generator, trainer.discriminator, trainer.generator_adam, trainer.discriminator_adam]


def save(trainer: torch_pix2pix.Trainer, path: Path, epoch: int, rows: list[dict]) -> None:
    """Save the state from which training resumes."""
    with replacing(path) as scratch:
        torch.save({"epoch": epoch, "rows": rows, "parts": [part.state_dict() for part in parts(trainer)]}, scratch)


def restore(trainer: torch_pix2pix.Trainer, path: Path) -> tuple[int, list[dict]]:
    """Load the saved state, if any; return the next epoch and the rows so far."""
    if not path.exists():
        return 1, []
    saved = torch.load(path, weights_only=True)
    for part, state in zip(parts(trainer), saved["parts"], strict=True):
        part.load_state_dict(state)
    return saved["epoch"] + 1, saved["rows"]


def measure(trainer: torch_pix2pix.Trainer, files: list[Path], settings: TrainSettings) -> dict[str, float]:
    """Mean scores over val, as in pix2pix.training.selection."""
    scores = []
    for _, x, y in whole_pairs(files, settings.train_pic_size, settings.direction):
        batch = torch.from_numpy(to_array(Image.fromarray(x), 3)[np.newaxis])
        with torch.no_grad():
            scores.append(compare(to_pixels(trainer.generator(batch)[0].numpy()), y))
    return {metric: float(np.mean([score[metric] for score in scores])) for metric in METRICS}


def write_rows(rows: list[dict], path: Path) -> None:
    """Write rows with the same keys to a CSV file."""
    with replacing(path) as scratch, open(scratch, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def collect(folder: Path) -> Iterator[dict[str, object]]:
    """Yield the scores of both sides, row by row."""
    for seed in SEEDS:
        for row in csv.DictReader((folder / str(seed) / "results" / "learning" / "history.csv").open()):
            if row["val_l1"]:
                scores = {metric: float(row[f"val_{metric}"]) for metric in METRICS}
                yield {"side": "workflow", "seed": seed, "epoch": int(row["epoch"])} | scores
        for row in csv.DictReader((folder / str(seed) / "torch.csv").open()):
            scores = {metric: float(row[metric]) for metric in METRICS}
            yield {"side": "PyTorch", "seed": seed, "epoch": int(row["epoch"])} | scores


def draw_curves(rows: list[dict], path: Path) -> None:
    """Draw one panel per metric, with one line per side and seed."""
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    panels = figure.subplots(1, 3)
    for panel, metric in zip(panels, METRICS, strict=True):
        for side, colour in (("workflow", "tab:blue"), ("PyTorch", "tab:orange")):
            for seed, style in zip(SEEDS, ("-", "--"), strict=True):
                line = [row for row in rows if (row["side"], row["seed"]) == (side, seed)]
                values = [row["epoch"] for row in line], [row[metric] for row in line]
                panel.plot(*values, style, color=colour, label=f"{side}, seed {seed}")
        panel.set(xlabel="epoch", title=f"{metric.upper()} on val")
        panel.grid(alpha=0.3)
    panels[0].legend()
    with replacing(path) as scratch:
        figure.savefig(scratch, dpi=100, format="png")


def distances(found: dict[tuple, dict], metric: str) -> tuple[float, float]:
    """Mean absolute differences between the sides (same seed) and between the seeds (same side)."""
    epochs = sorted({epoch for _, _, epoch in found})
    sides = [
        abs(found["workflow", seed, epoch][metric] - found["PyTorch", seed, epoch][metric])
        for seed in SEEDS
        for epoch in epochs
    ]
    seeds = [
        abs(found[side, SEEDS[0], epoch][metric] - found[side, SEEDS[1], epoch][metric])
        for side in ("workflow", "PyTorch")
        for epoch in epochs
    ]
    return float(np.mean(sides)), float(np.mean(seeds))


def write_table(rows: list[dict], path: Path) -> None:
    """Write learning.md: the scores of every side and seed, one row per epoch, and then their mean differences."""
    columns = [(side, seed) for side in ("workflow", "PyTorch") for seed in SEEDS]
    lines = ["| epoch | " + " | ".join(f"{side}, seed {seed}" for side, seed in columns) + " |"]
    lines.append("|---" * (1 + len(columns)) + "|")
    found = {(row["side"], row["seed"], row["epoch"]): row for row in rows}
    for epoch in sorted({row["epoch"] for row in rows}):
        scores = [found[side, seed, epoch] for side, seed in columns]
        cells = [f"{row['l1']:.2f} / {row['psnr']:.2f} / {row['ssim']:.3f}" for row in scores]
        lines.append(f"| {epoch} | " + " | ".join(cells) + " |")
    lines += ["", "Mean difference between the sides (same seed), and between the seeds (same side):", ""]
    for metric in METRICS:
        sides, seeds = distances(found, metric)
        lines.append(f"- {metric.upper()}: {sides:.3f}, {seeds:.3f}")
    path.write_text("\n".join(lines) + "\n")


def main() -> None:
    """Train both sides and compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="working directory")
    parser.add_argument("--mirror", help="URL of the facades archive's folder (default: the published one)")
    parser.add_argument("--seeds", type=int, nargs="+", choices=SEEDS, default=SEEDS, help="seeds (default: both)")
    arguments = parser.parse_args()
    folder, threads = arguments.folder.resolve(), len(os.sched_getaffinity(0))
    for seed in arguments.seeds:
        train_with_the_workflow(folder / str(seed), seed, arguments.mirror, threads)
    # pix2pix's choice for MindSpore should not affect PyTorch
    if os.environ.pop("PIX2PIX_CHOSE_ONEDNN_ISA", None):
        del os.environ["ONEDNN_MAX_CPU_ISA"]
    torch.set_num_threads(threads)
    for seed in arguments.seeds:
        if not (folder / str(seed) / "torch.csv").exists():
            train_in_torch(folder / str(seed), seed)
    if not all((folder / str(seed) / "torch.csv").exists() for seed in SEEDS):
        return
    rows = list(collect(folder))
    write_rows(rows, folder / "learning.csv")
    draw_curves(rows, folder / "learning.png")
    write_table(rows, folder / "learning.md")
    print((folder / "learning.md").read_text())


if __name__ == "__main__":
    main()
