"""Measured runs with images, as a finished workflow leaves them."""

import pytest
from PIL import Image

from pix2pix.evaluation.facts import MeasuredRun
from pix2pix.evaluation.metrics import EXPLAINED


def entry(mean: float | str, std: float | None = 1.0, ci95: list[float] | None = None) -> dict:
    return {"mean": mean, "std": std, "ci95": ci95}


@pytest.fixture
def make_run(tmp_path):
    """Runs as returned by read_run, with images."""

    def make(name: str, group: str | None = None, seed: int = 0, **facts: object) -> MeasuredRun:
        folder = tmp_path / "results" / name
        for place in ("input", "target", "prediction"):
            (folder / "predict" / place).mkdir(parents=True, exist_ok=True)
            for image in ("1", "2"):
                Image.new("RGB", (32, 32), (seed, 9, 9)).save(folder / "predict" / place / f"{image}.png")
        Image.new("RGB", (300, 80), "white").save(folder / "predict" / "grid.png")
        run = {
            "run": name, "group": group or name, "dataset": "facades", "direction": "BtoA", "predict_split": "val",
            "val_pic_size": 256, "n": 100, "seed": seed, "checkpoint": "Generator_200.ckpt",
            "checkpoint_sha256": "ab" * 32, "generator_mode": "batch statistics", "resize": "bicubic",
            "metrics": {"l1": entry(20.0 + seed, 3.0, [19.0, 21.0]), "psnr": entry("inf", None), "ssim": entry(0.5)},
            "definitions": EXPLAINED, "folder": folder,
        }  # fmt: skip
        return MeasuredRun.model_validate(run | facts)

    return make
