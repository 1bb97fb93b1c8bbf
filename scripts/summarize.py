"""Put the metrics of several runs side by side: a table and a page."""

import argparse
from pathlib import Path

from pix2pix.program import run
from pix2pix.summary import read_metrics, write_page, write_table


def main() -> None:
    """Parse the flags and summarize."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("metrics", nargs="+", type=Path, help="metrics.json of each run")
    parser.add_argument("--csv", type=Path, required=True, help="the table to write")
    parser.add_argument("--html", type=Path, required=True, help="the page to write")
    arguments = parser.parse_args()
    runs = [read_metrics(path) for path in arguments.metrics]
    write_table(runs, arguments.csv)
    write_page(runs, arguments.html)


if __name__ == "__main__":
    run(main)
