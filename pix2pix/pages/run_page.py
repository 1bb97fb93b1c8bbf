"""The self-contained page of a run: its grid, loss curves, scores and settings."""

from pathlib import Path
from tempfile import TemporaryDirectory

from pix2pix.evaluation.comparison import TITLES, rows_of
from pix2pix.evaluation.facts import MeasuredRun
from pix2pix.evaluation.fidelity import FEATURES
from pix2pix.pages.curves import write_loss_curves
from pix2pix.pages.data_uris import embed, embed_image
from pix2pix.pages.gallery import TEMPLATES
from pix2pix.system.files import replacing

WIDEST_GRID = 2400


def describe_run(run: MeasuredRun, settings: dict[str, str], history: Path | None, path: Path) -> None:
    """Write the page.

    Args:
        run: scores and facts as returned by summary.read_run.
        settings: all settings of training and prediction, as text.
        history: history.csv of the training, or None if the run was not trained here.
        path: the page to write.

    Raises:
        OSError: the grid or the history is missing.
    """
    [row] = rows_of([run])
    page = TEMPLATES.get_template("run.html").render(
        run=run,
        scores=row.scores,
        titles=TITLES,
        settings=settings,
        grid=embed_image(run.folder / "predict" / "grid.png", WIDEST_GRID),
        curves=embed_curves(history) if history else None,
        few=run.n < FEATURES and "fid" in run.metrics,
    )
    with replacing(path) as scratch:
        scratch.write_text(page, encoding="utf-8")


def embed_curves(history: Path) -> str:
    """The loss curves as a data URI."""
    with TemporaryDirectory() as folder:
        image = Path(folder) / "loss.png"
        write_loss_curves(history, image)
        return embed(image.read_bytes(), "png")
