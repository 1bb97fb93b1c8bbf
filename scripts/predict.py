"""Predict a split with a generator's checkpoint: a PNG an input, a grid and a gallery page."""

import argparse
from pathlib import Path

from pix2pix.device import select_device
from pix2pix.memory import check_memory, prediction_memory
from pix2pix.prediction import predict
from pix2pix.program import add_flags, read_flags, run
from pix2pix.settings import PredictSettings


def main() -> None:
    """Parse the flags and predict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", nargs="+", type=Path, help="MindRecord files of the pairs")
    parser.add_argument("--ckpt", type=Path, required=True, help="the generator's checkpoint")
    parser.add_argument("--predict_dir", type=Path, required=True, help="the folder to write")
    parser.add_argument("--run", default="run", help="the run's name, for the gallery's heading")
    parser.add_argument("--device_target", default="CPU", help="CPU, GPU or Ascend (default: CPU)")
    add_flags(parser, PredictSettings)
    arguments = parser.parse_args()
    settings = read_flags(arguments, PredictSettings)
    check_memory(prediction_memory(settings, arguments.device_target == "CPU"))
    select_device(arguments.device_target)
    predict(arguments.run, settings, arguments.ckpt, arguments.records, arguments.predict_dir)


if __name__ == "__main__":
    run(main)
