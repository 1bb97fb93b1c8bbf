"""Metrics between predictions and targets: L1, PSNR and SSIM of 8-bit images, and scores of label maps."""

import csv
import math
from pathlib import Path

import numpy as np
from scipy.special import stdtrit
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from pix2pix.config.settings import SSIM_WINDOW
from pix2pix.data.images import open_rgb
from pix2pix.evaluation.segmentation import EXPLAINED as LABELS_EXPLAINED
from pix2pix.evaluation.segmentation import class_overlaps, label_scores
from pix2pix.system.errors import InputError
from pix2pix.system.files import replacing
from pix2pix.system.json_file import write_json

Summary = dict[str, float | list[float] | None]
SSIM_SETTINGS = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
EXPLAINED = {
    "l1": "mean absolute difference of 8-bit levels (0 to 255) over pixels and channels; lower is better",
    "psnr": "peak signal-to-noise ratio in dB, peak 255; inf for identical images; higher is better",
    "ssim": "structural similarity (Wang et al. 2004: Gaussian window of sigma 1.5, K1 0.01, K2 0.03), "
    "mean over pixels and RGB channels, at most 1; higher is better",
    "ci95": "95 % confidence interval of the mean over images: Student's t with n - 1 degrees of freedom; scores of "
    "label maps: the same over jackknife pseudovalues, leaving out one image at a time (Tukey 1958)",
}


def compare(prediction: np.ndarray, target: np.ndarray, name: str = "image") -> dict[str, float]:
    """L1, PSNR and SSIM of two images, (H, W, 3) uint8.

    Raises:
        InputError: they are smaller than the SSIM window; the message starts with `name`.
    """
    height, width = target.shape[:2]
    if min(height, width) < SSIM_WINDOW:
        raise InputError(
            f"{name}: is compared at {width}x{height} pixels, less than the SSIM window ({SSIM_WINDOW} pixels): "
            "leave it out, or raise its size"
        )
    difference = np.abs(prediction.astype(np.int16) - target)
    identical = not difference.any()
    return {
        "l1": float(difference.mean()),
        "psnr": math.inf if identical else float(peak_signal_noise_ratio(target, prediction, data_range=255)),
        "ssim": float(structural_similarity(target, prediction, channel_axis=2, **SSIM_SETTINGS)),
    }


def read_prediction(folder: Path, name: str, height: int, width: int) -> np.ndarray:
    """The prediction of input `name` in `folder`/prediction, (height, width, 3) uint8.

    Raises:
        InputError: the image is missing, damaged or of another size.
    """
    path = folder / "prediction" / f"{name}.png"
    try:
        pixels = np.asarray(open_rgb(path))
    except (OSError, InputError) as error:
        wrong = "missing" if isinstance(error, FileNotFoundError) else "damaged"
        raise InputError(f"{path}: the prediction is {wrong}; delete {folder} and predict again") from None
    if pixels.shape != (height, width, 3):
        found = f"{pixels.shape[1]}x{pixels.shape[0]}"
        raise InputError(f"{path}: {found} pixels, not {width}x{height}; delete {folder} and predict again")
    return pixels


def summarise(scores: list[float]) -> Summary:
    """Mean, standard deviation (n - 1) and 95 % t interval of the mean; None if n is too small."""
    values = np.array(scores)
    if len(values) < 2 or not np.isfinite(values).all() or np.ptp(values) == 0:
        mean = float(values.mean())
        return {"mean": mean, "std": 0.0 if len(values) > 1 and np.isfinite(mean) else None, "ci95": None}
    mean, half = float(values.mean()), half_width(values)
    return {"mean": mean, "std": float(values.std(ddof=1)), "ci95": [mean - half, mean + half]}


def half_width(values: np.ndarray) -> float:
    """Half the width of the 95 % t interval of a mean. (At n = 10, a percentile bootstrap covers only 85 to 90 %.)"""
    return float(stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / math.sqrt(len(values)))


def summarise_labels(matrices: np.ndarray) -> dict[str, Summary]:
    """Scores of label maps over all images, with 95 % jackknife intervals, from (N, C, C + 1) confusion matrices.

    Scores are computed from the pixels of all images together; the jackknife leaves out one whole image at a time.
    """
    total, n = matrices.sum(0), len(matrices)
    without = [label_scores(total - matrix) for matrix in matrices]
    summary: dict[str, Summary] = {}
    for name, value in label_scores(total).items():
        interval = None
        if n > 1:
            half = half_width(np.array([n * value - (n - 1) * scores[name] for scores in without]))
            if half > 0:  # False for NaN, too
                interval = [max(0.0, value - half), min(1.0, value + half)]
        summary[name] = {"mean": value, "std": None, "ci95": interval}
    return summary


def write_metrics(
    rows: list[dict],
    matrices: list[np.ndarray],
    ceilings: list[np.ndarray],
    facts: dict[str, object],
    csv_path: Path,
    json_path: Path,
) -> None:
    """Write metrics.csv, one row per image, and metrics.json: n, mean, standard deviation, interval and facts.

    Args:
        rows: name, l1, psnr, ssim of each image.
        matrices: if the images are label maps, the confusion matrix of each (see segmentation.confusion).
        ceilings: the same for perfect predictions (see segmentation.ceiling).
        facts: what the scores apply to (run, dataset, split, direction, ...); written before the scores.
        csv_path, json_path: the files to write.
    """
    names = [column for column in rows[0] if column != "name"]
    scores = {name: summarise([row[name] for row in rows]) for name in names}
    report: dict[str, object] = facts | {"n": len(rows), "metrics": scores, "definitions": EXPLAINED}
    if matrices:
        counts = np.array(matrices)
        scores |= summarise_labels(counts)
        report["class_iou"] = class_overlaps(counts.sum(0))
        report["ceilings"] = label_scores(np.sum(ceilings, 0))
        report["definitions"] = EXPLAINED | LABELS_EXPLAINED
    with replacing(csv_path) as scratch, open(scratch, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    write_json(report, json_path)
