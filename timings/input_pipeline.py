"""Compare the speed of our input pipeline (MindRecord to normalised batches) with that of a PyTorch DataLoader.

    pip install torch==2.13.0
    python timings/input_pipeline.py data/facades/pairs/train data/facades/train.mindrecord

The DataLoader reads the same images with two workers. Like pytorch-CycleGAN-and-pix2pix, it opens, splits,
resizes, crops and flips each image with PIL, and normalises it in PyTorch. The two alternate in one run.
Prints pairs per second and the ratio of the medians (above 1: ours is faster).
"""

import argparse
import random
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from pix2pix.config.settings import TrainSettings
from pix2pix.data.loader import batches, sample_epoch

SETTINGS = TrainSettings()


class Pairs(Dataset):
    """A|B images on disk; each half is augmented and normalised separately."""

    def __init__(self, folder: Path):
        self.files = sorted(folder.iterdir())

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        pair = Image.open(self.files[index]).convert("RGB")
        width, height = pair.size
        room = SETTINGS.load_size - SETTINGS.train_pic_size
        left, top, flip = random.randint(0, room), random.randint(0, room), random.random() < 0.5
        halves = pair.crop((0, 0, width // 2, height)), pair.crop((width // 2, 0, width, height))
        return tuple(self._tensor(half, left, top, flip) for half in halves)

    @staticmethod
    def _tensor(half: Image.Image, left: int, top: int, flip: bool) -> torch.Tensor:
        size = SETTINGS.train_pic_size
        half = half.resize((SETTINGS.load_size, SETTINGS.load_size), Image.Resampling.BICUBIC)
        half = half.crop((left, top, left + size, top + size))
        if flip:
            half = half.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(half)).permute(2, 0, 1).contiguous()
        return pixels.to(torch.float32).div(255).sub_(0.5).div_(0.5)


def rate_ours(record: Path, pairs: int, epoch: int) -> float:
    """Pairs per second of pix2pix.data.loader over one epoch."""
    plan = sample_epoch(pairs, epoch, SETTINGS)
    start = time.perf_counter()
    for x, _ in batches([record], plan, [[i] for i in range(pairs)], SETTINGS):
        assert x.dtype == np.float32
    return pairs / (time.perf_counter() - start)


def rate_torch(loader: DataLoader, pairs: int) -> float:
    """Pairs per second of the DataLoader over one epoch, not counting the start of its workers."""
    iterator = iter(loader)
    start = time.perf_counter()
    for _ in iterator:
        pass
    return pairs / (time.perf_counter() - start)


def main() -> None:
    """Alternate between the two and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the split's images")
    parser.add_argument("record", type=Path, help="the same images as a MindRecord file")
    parser.add_argument("--epochs", type=int, default=5, help="epochs per side (default: 5)")
    arguments = parser.parse_args()
    dataset = Pairs(arguments.folder)
    loader = DataLoader(dataset, 1, shuffle=True, num_workers=2, persistent_workers=True)
    ours, theirs = [], []
    for epoch in range(arguments.epochs + 1):
        rates = rate_ours(arguments.record, len(dataset), epoch + 1), rate_torch(loader, len(dataset))
        if epoch:
            ours.append(rates[0])
            theirs.append(rates[1])
    print(f"ours    {statistics.median(ours):6.0f} pairs/s (best {max(ours):.0f})")
    print(f"PyTorch {statistics.median(theirs):6.0f} pairs/s (best {max(theirs):.0f})")
    print(f"ratio ours / PyTorch: {statistics.median(ours) / statistics.median(theirs):.2f}")


if __name__ == "__main__":
    main()
