"""The facts that predictions depend on and the scores computed from them, stored as JSON files beside them.

The files may have been edited manually, so they are validated like any other input.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pix2pix.config.values import Direction, Palette, Positive, SizeOrNative, Split, height_and_width, size_text
from pix2pix.data.left_out import LeftOut
from pix2pix.system.json_file import read_json

FACTS = "facts.json"
TRAINING_FACTS = "training.json"
KINDS = ("input", "prediction", "target")  # folders beside FACTS, with one image per name
# metrics and their names on pages, in the order of columns
TITLES = {
    "l1": "L1, 8-bit levels",
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "pixel_accuracy": "per-pixel accuracy",
    "class_accuracy": "per-class accuracy",
    "class_iou": "mean class IoU",
    "fid": "FID",
    "kid": "KID",
}
LOWER_IS_BETTER = ("l1", "fid", "kid")


class Facts(BaseModel):
    """What predictions depend on; other settings are kept without validation."""

    model_config = ConfigDict(extra="allow")

    checkpoint: str
    checkpoint_sha256: str
    generator_mode: str
    resize: str
    direction: Direction
    val_pic_size: SizeOrNative
    keep_aspect: bool = False
    predict_split: Split
    seed: int
    target_palette: Palette | None = None


class Metric(BaseModel):
    """One metric of a run; "inf" is infinity and null means unknown."""

    mean: float | None
    std: float | None
    ci95: tuple[float, float] | None


class Scores(BaseModel):
    """The fields common to metrics.json and fidelity.json."""

    model_config = ConfigDict(extra="allow")

    checkpoint_sha256: str
    n: Positive
    metrics: dict[str, Metric]
    definitions: dict[str, str]


class Report(Facts, Scores):
    """metrics.json: the scores of a run and the facts they depend on."""

    run: str
    group: str
    dataset: str
    class_iou: dict[str, float | None] | None = None
    ceilings: dict[str, float] | None = None
    left_out: LeftOut | None = None


class MeasuredRun(Report):
    """A run's report together with the folder of its results."""

    folder: Path

    @property
    def configured_size(self) -> str:
        """val_pic_size as it is written in config.yaml."""
        return size_text(self.val_pic_size)

    @property
    def shown_size(self) -> str:
        """The size of the predictions, for a page."""
        if isinstance(self.val_pic_size, str):
            return "their own size"
        height, width = height_and_width(self.val_pic_size)
        return f"{'up to ' * self.keep_aspect}{width}x{height} pixels"

    @property
    def is_small(self) -> bool:
        """Whether pages enlarge the images."""
        return not isinstance(self.val_pic_size, str) and height_and_width(self.val_pic_size)[1] < 128


class TrainingFacts(BaseModel):
    """training.json: where and when a run was trained."""

    model_config = ConfigDict(extra="allow")

    started: str
    ended: str | None = None
    host: str
    device: str
    precision: str = "float32"
    workers: int
    threads: int | list[int]
    pairs: Annotated[int, Field(ge=1, le=2**53)]
    version: str
    mindspore: str

    @property
    def hardware(self) -> str:
        """What it was trained on: "CPU, 2 workers, 1 thread", "CPU, bf16, ...", or "... 2 and 1 threads" in turn."""
        threads = self.threads if isinstance(self.threads, list) else [self.threads]
        parts = ((str(self.workers), "worker"), (listed(threads) if threads else "", "thread"))
        # the numbers of threads are unknown if an earlier version finished the training
        known = [f"{number} {name}{'s' * (number != '1')}" for number, name in parts if number]
        return ", ".join([self.device, *(["bf16"] if self.precision == "bf16" else []), *known])


def listed(numbers: Sequence[int]) -> str:
    """The numbers in a sentence: "1, 2 and 4"."""
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}" if first else last


def trained_on(ckpt: Path) -> str | None:
    """What trained a checkpoint of a run, for example "CPU, 2 workers, 4 threads"; None: unknown."""
    run = ckpt.resolve().parent.parent
    apart = run / "epochs" / ckpt.stem.partition("_")[2] / TRAINING_FACTS
    facts = read_training_facts(apart if apart.exists() else run / TRAINING_FACTS)
    return facts.hardware if facts else None


def read_training_facts(path: Path) -> TrainingFacts | None:
    """Read training.json; None if it does not exist, for example because an earlier version trained the run.

    Raises:
        InputError: the file is damaged.
    """
    if not path.exists():
        return None
    return TrainingFacts(**read_json(path, TrainingFacts, "delete it and run the workflow again"))


def read_facts(folder: Path) -> dict[str, Any]:
    """Read what the predictions in `folder` depend on: settings, checkpoint, mode of the generator.

    Raises:
        InputError: the file is missing or damaged.
    """
    return read_json(folder / FACTS, Facts, f"delete {folder} and predict again")
