r"""Compare predictions with their targets: metrics.csv, with one row per image, and metrics.json.

Example:
    python scripts/evaluate.py data/demo/val.mindrecord --predict_dir results/demo/predict \
        --csv metrics.csv --json metrics.json
"""

from pathlib import Path

from pix2pix.config.flags import add_flags, read_flags
from pix2pix.config.settings import ThreadSettings
from pix2pix.data.loader import whole_pairs
from pix2pix.data.records import count, iterate, left_out_of
from pix2pix.evaluation.facts import read_facts
from pix2pix.evaluation.metrics import compare, read_prediction, write_metrics
from pix2pix.evaluation.segmentation import ceiling, confusion
from pix2pix.system.cores import use_cores
from pix2pix.system.program import command_line, run
from pix2pix.system.progress import Progress


def main() -> None:
    """Parse the flags and evaluate."""
    parser = command_line(__doc__)
    parser.add_argument("records", nargs="+", type=Path, help="MindRecord files of the pairs")
    parser.add_argument("--predict_dir", type=Path, required=True, help="the folder of predictions")
    parser.add_argument("--csv", type=Path, required=True, help="the table to write, one row per image")
    parser.add_argument("--json", type=Path, required=True, help="the summary to write")
    parser.add_argument("--run", default="run", help="the run's name, for the summary")
    parser.add_argument("--group", help="name shared by runs that differ only in their seed (default: the run's name)")
    parser.add_argument("--dataset", default="", help="the dataset's name, for the summary")
    add_flags(parser, ThreadSettings)
    arguments = parser.parse_args()
    use_cores(read_flags(arguments, ThreadSettings).threads)
    about = {"run": arguments.run, "group": arguments.group or arguments.run, "dataset": arguments.dataset}
    facts = about | read_facts(arguments.predict_dir)
    if left_out := left_out_of(arguments.records):
        facts["left_out"] = left_out.model_dump()
    direction, labels = facts["direction"], facts.get("target_palette") is not None
    rows, matrices = [], []
    pairs = whole_pairs(arguments.records, facts["val_pic_size"], direction, labels, facts.get("keep_aspect", False))
    for name, _, target in Progress(pairs, total=count(arguments.records), desc="measuring", unit="image"):
        prediction = read_prediction(arguments.predict_dir, name, *target.shape[:2])
        rows.append({"name": name, **compare(prediction, target, name)})
        if labels:
            matrices.append(confusion(prediction, target))
    ceilings = [ceiling(pair, direction) for _, pair in iterate(arguments.records)] if labels else []
    write_metrics(rows, matrices, ceilings, facts, arguments.csv, arguments.json)


if __name__ == "__main__":
    run(main)
