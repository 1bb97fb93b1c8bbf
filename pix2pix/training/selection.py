"""Checkpoint selection: evaluate the generator on held-out pairs during training and keep the best one."""

import math
from pathlib import Path

import numpy as np

from pix2pix.config.settings import TrainSettings
from pix2pix.config.values import height_and_width
from pix2pix.data.loader import to_pixels, whole_pairs
from pix2pix.evaluation.metrics import compare
from pix2pix.evaluation.tiles import translate_padded
from pix2pix.training.step import Trainer

COLUMNS = ("val_l1", "val_psnr", "val_ssim")


def is_due(epoch: int, settings: TrainSettings) -> bool:
    """Whether to evaluate the generator after `epoch` (from 1): every eval_epoch_freq epochs, and after the last."""
    return settings.eval_epoch_freq > 0 and (epoch % settings.eval_epoch_freq == 0 or epoch == settings.epoch_num)


def measure_held_out(trainer: Trainer, files: list[Path], epoch: int) -> dict[str, float]:
    """Mean L1, PSNR and SSIM (see metrics) of the current generator, one image at a time: val_l1, ...

    Images have the training size, or, if their aspect ratio is kept, fit into it;
    dropout masks depend only on the seed, epoch and image.
    """
    settings = trainer.settings
    scores = []
    labels = settings.target_palette is not None
    size = settings.train_pic_size
    pairs = whole_pairs(files, size, settings.direction, labels, settings.keep_aspect)
    for number, (name, x, y) in enumerate(pairs):
        trainer.generator.sample_dropout(settings.seed, epoch, number)
        fake = translate_padded(trainer.generate, x, settings.g_in_planes, *height_and_width(size))
        scores.append(compare(to_pixels(fake), y, name))
    return {column: float(np.mean([score[column.removeprefix("val_")] for score in scores])) for column in COLUMNS}


def is_best(history: list[dict[str, float]], settings: TrainSettings) -> bool:
    """Whether the last epoch of the history is better in eval_metric than all earlier evaluated epochs."""
    column = f"val_{settings.eval_metric}"
    sign = -1 if settings.eval_metric == "l1" else 1
    *before, last = [sign * row.get(column, -math.inf * sign) for row in history]
    return last > max(before, default=-math.inf)
