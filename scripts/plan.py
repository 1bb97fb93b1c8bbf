"""Print what runs will take: pairs, gigabytes by stage, training steps, and hours at a given pace.

Sizes are those of archives and folders that exist here, else estimated from published sizes; ? means unknown.

Example:
    python scripts/plan.py benchmarks --ms 50 600
"""

import sys
from pathlib import Path
from typing import Any

import yaml

from pix2pix.config.datasets import archive_ending
from pix2pix.config.runs import BENCHMARKS, read_config
from pix2pix.config.yaml_file import check_yaml
from pix2pix.planning.table import as_markdown, as_text, plan
from pix2pix.system.errors import InputError
from pix2pix.system.program import command_line, run

HOME = Path(__file__).resolve().parents[1]


def main() -> None:
    """Parse the flags and print the table."""
    parser = command_line(__doc__)
    parser.add_argument("runs", nargs="*", help="runs, or benchmarks for all six (default: the runs under all:)")
    parser.add_argument(
        "--configfile", nargs="+", type=Path, default=[], help="files merged into config.yaml, in order"
    )
    parser.add_argument("--ms", nargs="+", type=float, default=[50, 550, 1700], help="milliseconds per step")
    parser.add_argument("--markdown", action="store_true", help="print the table in Markdown")
    flags = parser.parse_args()
    if not all(0 < ms < float("inf") for ms in flags.ms):
        raise InputError("--ms: must be greater than 0 and finite")
    merged: dict[str, Any] = {}
    for path in [HOME / "config.yaml", *flags.configfile]:
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        check_yaml(path)
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if not isinstance(content, dict):
            raise InputError(f"{path}: must contain keys and values, as in {HOME / 'config.yaml'}")
        merge(merged, content)
    config, runs, notes = read_config(merged)
    for note in notes:
        print(note, file=sys.stderr)
    names = [name for word in flags.runs or config.all for name in (BENCHMARKS if word == "benchmarks" else [word])]
    if unknown := [name for name in names if name not in config.runs]:
        raise InputError(f"{unknown[0]}: no run has that name; runs: {', '.join(config.runs)}")
    chosen = [each for name in dict.fromkeys(names) for each in runs.values() if each.group == name]
    archives = {
        name: Path("data", f"{name}.{archive_ending(dataset.mirrors or config.mirrors)}")
        for name, dataset in config.datasets.items()
    }
    rows = plan(config, chosen, flags.ms, archives)
    print(as_markdown(rows) if flags.markdown else as_text(rows))


def merge(into: dict[str, Any], other: dict[str, Any]) -> None:
    """Merge a configuration into another, key by key, as Snakemake does."""
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value


if __name__ == "__main__":
    run(main)
