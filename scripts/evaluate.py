"""Measure predictions against their targets: metrics.csv, a row a picture, and metrics.json."""

import argparse
from pathlib import Path

from pix2pix.loader import whole_pairs
from pix2pix.metrics import compare, read_prediction, write_metrics
from pix2pix.program import add_flags, read_flags, run
from pix2pix.progress import Progress
from pix2pix.records import count
from pix2pix.settings import PredictSettings


def main() -> None:
    """Parse the flags and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", nargs="+", type=Path, help="MindRecord files of the pairs")
    parser.add_argument("--predict_dir", type=Path, required=True, help="the predictions")
    parser.add_argument("--csv", type=Path, required=True, help="the table to write, a row a picture")
    parser.add_argument("--json", type=Path, required=True, help="the summary to write")
    parser.add_argument("--run", default="run", help="the run's name, for the summary")
    parser.add_argument("--dataset", default="", help="the dataset's name, for the summary")
    add_flags(parser, PredictSettings)
    arguments = parser.parse_args()
    settings = read_flags(arguments, PredictSettings)
    pairs = whole_pairs(arguments.records, settings.val_pic_size, settings.direction)
    rows = []
    for name, _, target in Progress(pairs, total=count(arguments.records), desc="measuring", unit="picture"):
        prediction = read_prediction(arguments.predict_dir, name, settings.val_pic_size)
        rows.append({"name": name, **compare(prediction, target)})
    facts = {"run": arguments.run, "dataset": arguments.dataset, **settings.model_dump()}
    write_metrics(rows, facts, arguments.csv, arguments.json)


if __name__ == "__main__":
    run(main)
