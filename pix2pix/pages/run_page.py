"""The self-contained page of a run: scores, best and worst images, samples of the training, losses and settings."""

import math
from contextlib import suppress
from pathlib import Path

from pix2pix import __version__
from pix2pix.evaluation.comparison import rows_of
from pix2pix.evaluation.facts import KINDS, TITLES, TRAINING_FACTS, MeasuredRun, read_training_facts
from pix2pix.evaluation.fidelity import FEATURES
from pix2pix.pages.charts import draw_curve
from pix2pix.pages.curves import CURVES, REMEDY, read_history
from pix2pix.pages.data_uris import embed_image
from pix2pix.pages.gallery import ImageScores, quoted, ranked, readable
from pix2pix.pages.grid import spread
from pix2pix.pages.html import TEMPLATES
from pix2pix.pages.training_page import STEP_HISTORY, TRAINING_PAGE, duration, sample_files
from pix2pix.system.errors import InputError
from pix2pix.system.files import replacing

THUMBNAIL = 256
WIDEST_SAMPLE = 720
EXAMPLES = 3  # best, and as many worst
SAMPLES = 12
FEW_EPOCHS = 40
LARGEST = 1e100

Settings = dict[str, list[tuple[str, str, str]]]


def describe_run(
    run: MeasuredRun,
    scores: ImageScores,
    settings: Settings,
    training: Path | None,
    path: Path,
    epochs: float = math.inf,
) -> None:
    """Write the page.

    Args:
        run: scores and facts as returned by summary.read_run.
        scores: the metrics of each image, from gallery.read_scores.
        settings: all settings of training and prediction: (name, value, default) by group.
        training: the folder with history.csv and fake_img/, or None if the run was not trained here.
        path: the page to write.
        epochs: of the training of this generator, which may have gone on to more.

    Raises:
        InputError: the history is damaged, or an image is damaged or missing.
        OSError: the history is missing.
    """
    [row] = rows_of([run])
    page = TEMPLATES.get_template("run.html").render(
        run=run,
        version=__version__,
        scores=row.scores,
        titles=TITLES,
        settings=settings,
        examples=_examples(run, scores),
        training=_training(training, epochs) if training else None,
        kinds=KINDS,
        few=run.n < FEATURES and "fid" in run.metrics,
    )
    with replacing(path) as scratch:
        scratch.write_text(page, encoding="utf-8")


def _examples(run: MeasuredRun, scores: ImageScores) -> list[dict[str, object]]:
    """The best and the worst images by L1, or all of them if there are few."""
    names = ranked(scores, "l1")
    parts = {"Best by L1": names[:EXAMPLES], "Worst by L1": names[-EXAMPLES:]}
    if len(names) <= 2 * EXAMPLES:
        parts = {"All images, best L1 first": names}
    folder = run.folder / "predict"
    return [
        {
            "title": title,
            "rows": [
                {
                    "name": readable(name),
                    "link": quoted(name),
                    "scores": scores[name],
                    "images": {kind: embed_image(folder / kind / f"{name}.png", THUMBNAIL, folder) for kind in KINDS},
                }
                for name in chosen
            ],
        }
        for title, chosen in parts.items()
    ]


def _until(history: dict[str, list[float]], epochs: float) -> dict[str, list[float]]:
    """The rows of a history up to the end of an epoch."""
    rows = [row for row, epoch in enumerate(history["epoch"]) if epoch <= epochs]
    return {name: [values[row] for row in rows] for name, values in history.items()}


def _training(folder: Path, epochs: float) -> dict[str, object]:
    """Losses, samples and duration of a training up to the end of an epoch."""
    history, steps = _until(read_history(folder / "history.csv"), epochs), {}
    trained = len(history["epoch"])
    expected = trained if epochs == math.inf else int(epochs)
    # NaN is not less than anything
    sound = all(abs(value) < LARGEST for values in history.values() for value in values)
    if not trained or history["epoch"] != list(range(1, expected + 1)) or min(history.get("seconds", (0,))) < 0:
        sound = False
    if not sound:
        raise InputError(
            f"{folder / 'history.csv'}: damaged: an epoch is missing or repeated, or a number is impossible; {REMEDY}"
        )
    # of a training of few epochs, the losses within epochs show more; they are an extra and may be missing
    with suppress(OSError, InputError):
        steps = _until(read_history(folder / STEP_HISTORY), epochs)
    shown = steps if len(history["epoch"]) < FEW_EPOCHS and len(steps.get("step", ())) > FEW_EPOCHS else history
    samples = sample_files(folder / "fake_img", (epochs, math.inf))
    chosen = [samples[i] for i in spread(len(samples), SAMPLES)] if samples else []
    facts, seconds = read_training_facts(folder / TRAINING_FACTS), sum(history.get("seconds", ()))
    along = "step" if shown is steps else "epoch"
    return {
        "charts": [draw_curve(*words, shown[along], shown[name]) for name, words in CURVES.items() if name in shown],
        "along": along,
        # a separate training lies in epochs/N/, where it has no page if it was copied from a longer one
        "place": f"epochs/{folder.name}/" if folder.parent.name == "epochs" else "",
        "page": (folder / TRAINING_PAGE).exists(),
        "samples": [(label, embed_image(file, WIDEST_SAMPLE, file)) for label, file in chosen],
        "duration": duration(seconds) if seconds else None,
        "epochs": trained,
        "facts": facts,
        "pace": facts.pairs * trained / seconds if facts and seconds else None,
    }
