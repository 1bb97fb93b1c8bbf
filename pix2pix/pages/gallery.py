"""The gallery of a run: every input, prediction and target, with its scores once they are measured."""

import csv
import math
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from pix2pix.evaluation.facts import KINDS, LOWER_IS_BETTER, TITLES
from pix2pix.pages.html import TEMPLATES
from pix2pix.system.errors import InputError
from pix2pix.system.files import replacing

ImageScores = dict[str, dict[str, float]]


def write_gallery(
    path: str | Path,
    folder: str | Path,
    title: str,
    facts: dict[str, str],
    names: list[str],
    scores: ImageScores | None = None,
    kinds: Sequence[str] = KINDS,
) -> None:
    """Write the page, which links to the images and needs no network.

    The browser sorts and finds images and shows them in pages, so 2,000 images are as fast as 20.

    Args:
        path: the page: in `folder`, or in the folder that contains it.
        folder: contains input/{name}.png, prediction/{name}.png and target/{name}.png, and optionally grid.png,
            to which the page links. All images are shown in frames with the aspect ratio of the first.
        title: the heading, for example the name of the run.
        facts: further facts by name: settings, checkpoint, date.
        names: the names of the images without .png, at least one.
        scores: each image's metrics by name of the image, from `read_scores`; the page then also links to run.html.
        kinds: the folders of images that there are.

    Raises:
        InputError: an image has no scores.
        OSError: the first image is missing or the page cannot be written.
    """
    path, folder = Path(path), Path(folder)
    with Image.open(folder / "prediction" / f"{names[0]}.png") as first:
        width, height = first.size
    metrics = list(next(iter(scores.values()))) if scores else []
    if scores and (missing := [name for name in names if name not in scores]):
        raise InputError(f"{path}: {readable(missing[0])} has no scores; delete metrics.csv and run the workflow again")
    page = TEMPLATES.get_template("gallery.html").render(
        title=title,
        facts=facts,
        folder="" if folder == path.parent else f"{quote(folder.name)}/",
        overview=(folder / "grid.png").exists(),
        width=width,
        height=height,
        metrics=[
            {"name": name, "title": TITLES[name].partition(",")[0], "lower": name in LOWER_IS_BETTER}
            for name in metrics
        ],
        images=[_row(name, scores) for name in names],
        kinds=list(kinds),
    )
    with replacing(path) as scratch:
        scratch.write_text(page, encoding="utf-8")


def _row(name: str, scores: ImageScores | None) -> list:
    """[name, file, score, ...]: `file` is the quoted file name. Scores have 6 digits, to keep the page small."""
    values = scores[name].values() if scores else ()
    return [readable(name), quoted(f"{name}.png"), *(float(f"{value:.6g}") for value in values)]


def read_scores(path: Path) -> ImageScores:
    """Read metrics.csv: {name of the image: {"l1": ..., "psnr": ..., "ssim": ...}}.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            scores = {
                row.pop("name"): {key: float(value) for key, value in row.items()} for row in csv.DictReader(file)
            }
    except OSError:
        raise InputError(f"{path}: missing or not readable; run the workflow again") from None
    except (KeyError, TypeError, ValueError, AttributeError, csv.Error):
        scores = {}
    if not scores or any(not row or set(row) - set(TITLES) for row in scores.values()):
        raise InputError(f"{path}: damaged; delete it and run the workflow again")
    return scores


def ranked(scores: ImageScores, metric: str) -> list[str]:
    """The names of the images from best to worst; images whose score is unknown come last."""
    sign = 1 if metric in LOWER_IS_BETTER else -1
    return sorted(scores, key=lambda name: (math.isnan(scores[name][metric]), sign * scores[name][metric]))


def quoted(name: str) -> str:
    """A name as part of a URL, or as its fragment."""
    # completely: "a:b" would be read as a URL with scheme a, and "a#b" and "a?b" would be cut off
    return quote(os.fsencode(name), safe="")


def readable(name: str) -> str:
    """A file name as text that can be encoded in UTF-8, whatever its bytes are."""
    return os.fsencode(name).decode("utf-8", "replace")
