r"""Compare several runs: a table, and a page with comparisons, examples and published results.

Example:
    python scripts/summarize.py results/facades results/maps --csv summary.csv --html summary.html \
        --published workflow/published.yaml
"""

from pathlib import Path

from pix2pix.evaluation.published import read_published
from pix2pix.pages.summary import read_run, write_page, write_table
from pix2pix.system.errors import InputError
from pix2pix.system.program import command_line, run


def main() -> None:
    """Parse the flags and summarize."""
    parser = command_line(__doc__)
    parser.add_argument("folders", nargs="+", type=Path, help="folder of each run, for example results/facades")
    parser.add_argument("--csv", type=Path, required=True, help="the table to write")
    parser.add_argument("--html", type=Path, required=True, help="the page to write")
    parser.add_argument("--published", type=Path, required=True, help="the data file of published results")
    parser.add_argument("--fidelity", action="store_true", help="include FID and KID from each run's fidelity.json")
    parser.add_argument(
        "--compare",
        action="append",
        default=[],
        metavar="TITLE=RUN,RUN,...",
        help="runs to compare, with a title; by default, runs of the same task are compared",
    )
    arguments = parser.parse_args()
    runs = [read_run(folder, arguments.fidelity) for folder in arguments.folders]
    titles = read_titles(arguments.compare, {run.group for run in runs})
    write_table(runs, arguments.csv)
    write_page(runs, titles, read_published(arguments.published), arguments.html)


def read_titles(words: list[str], known: set[str]) -> dict[str, list[str]]:
    """Parse `["Losses=a,b"]` as `{"Losses": ["a", "b"]}`; `known`: the runs that there are.

    Raises:
        InputError: the title or the runs are missing, or a run is unknown.
    """
    titled = {}
    for word in words:
        title, _, names = word.rpartition("=")
        if not title or not names:
            raise InputError(f"--compare: {word!r} is not of the form TITLE=RUN,RUN,...")
        titled[title] = names.split(",")
        if unknown := sorted({*titled[title]} - known):
            raise InputError(f"--compare: {unknown[0]} is not among the runs {', '.join(sorted(known))}")
    return titled


if __name__ == "__main__":
    run(main)
