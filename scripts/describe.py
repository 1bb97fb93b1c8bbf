"""Write the pages of a run: run.html, which is self-contained, and the gallery of all images with their scores.

Example:
    python scripts/describe.py results/facades run.html gallery.html --trained
"""

from pathlib import Path

from pix2pix.config.flags import by_stage
from pix2pix.config.settings import PredictSettings
from pix2pix.config.values import size_text
from pix2pix.evaluation.facts import read_facts
from pix2pix.pages.gallery import read_scores, write_gallery
from pix2pix.pages.run_page import describe_run
from pix2pix.pages.summary import read_run
from pix2pix.system.errors import InputError
from pix2pix.system.program import command_line, run


def main() -> None:
    """Parse the flags and write the pages."""
    parser = command_line(__doc__)
    parser.add_argument("folder", type=Path, help="the run's folder, for example results/facades")
    parser.add_argument("output", type=Path, help="the page of the run to write")
    parser.add_argument("gallery", type=Path, help="the gallery to write, beside predict/")
    parser.add_argument("--fidelity", action="store_true", help="include FID and KID from fidelity.json")
    parser.add_argument("--trained", action="store_true", help="include losses and samples of the training")
    parser.add_argument("--settings", nargs="*", default=[], metavar="NAME=VALUE", help="the settings of the run")
    arguments = parser.parse_args()
    settings = dict(pair.partition("=")[::2] for pair in arguments.settings)
    folder = arguments.folder
    measured, scores = read_run(folder, arguments.fidelity), read_scores(folder / "metrics.csv")
    training = trained_in(folder, settings.get("epoch_num", "")) if arguments.trained else None
    # what a run with a ckpt took from it
    taken = PredictSettings.model_fields.keys() - settings.keys()
    settings |= {name: size_text(value) for name, value in measured if name in taken}
    epochs = float(settings.get("epoch_num", "inf"))
    describe_run(measured, scores, by_stage(settings), training, arguments.output, epochs)
    facts = {key: size_text(value) for key, value in read_facts(folder / "predict").items()}
    write_gallery(arguments.gallery, folder / "predict", measured.run, facts, list(scores), scores)


def trained_in(folder: Path, epochs: str) -> Path:
    """The folder of a run's training: its own, or that of a separate training to this number of epochs.

    Raises:
        InputError: there is no history.
    """
    apart = folder / "epochs" / epochs
    chosen = apart if (apart / "history.csv").is_file() else folder
    if not (chosen / "history.csv").is_file():
        raise InputError(
            f"{chosen / 'history.csv'}: the losses of this training are missing; delete its ckpt/ folder to train again"
        )
    return chosen


if __name__ == "__main__":
    run(main)
