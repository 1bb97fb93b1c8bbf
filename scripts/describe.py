"""Write the self-contained page of a run: grid, loss curves, scores and settings."""

import argparse
from pathlib import Path

from pix2pix.config.settings import PredictSettings
from pix2pix.pages.run_page import describe_run
from pix2pix.pages.summary import read_run
from pix2pix.system.errors import InputError
from pix2pix.system.program import run


def main() -> None:
    """Parse the flags and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the run's folder, for example results/facades")
    parser.add_argument("output", type=Path, help="the page to write")
    parser.add_argument("--fidelity", action="store_true", help="include FID and KID from fidelity.json")
    parser.add_argument("--trained", action="store_true", help="include the loss curves of history.csv")
    parser.add_argument("--settings", nargs="*", default=[], metavar="NAME=VALUE", help="the settings of the run")
    arguments = parser.parse_args()
    settings = dict(pair.partition("=")[::2] for pair in arguments.settings)
    history = arguments.folder / "history.csv" if arguments.trained else None
    apart = arguments.folder / "epochs" / settings.get("epoch_num", "") / "history.csv"
    if history and apart.is_file():
        history = apart
    if history and not history.is_file():
        raise InputError(f"{history}: the losses of this training are missing; delete its ckpt/ folder to train again")
    run = read_run(arguments.folder, arguments.fidelity)
    # what a run with a ckpt took from it
    facts = {name: value for name, value in run if name in PredictSettings.model_fields and name not in settings}
    describe_run(run, settings | facts, history, arguments.output)


if __name__ == "__main__":
    run(main)
