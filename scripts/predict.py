r"""Predict a split with a generator checkpoint: one PNG per input, a grid and a gallery page.

Example:
    python scripts/predict.py data/demo/val.mindrecord --ckpt results/demo/ckpt/Generator_16.ckpt \
        --predict_dir predictions
"""

import argparse
import sys
from pathlib import Path

from pix2pix.config.flags import add_flags, read_flags
from pix2pix.config.settings import GeneratorSettings, PredictSettings, ThreadSettings
from pix2pix.config.values import size_text
from pix2pix.data.records import count
from pix2pix.devices.check import prepare
from pix2pix.evaluation.facts import FACTS, KINDS, read_facts
from pix2pix.evaluation.prediction import write_predictions
from pix2pix.model.description import check_agreement, generator_settings
from pix2pix.model.device import DEVICES, select_device
from pix2pix.model.memory import check_memory, prediction_memory
from pix2pix.pages.gallery import write_gallery
from pix2pix.pages.grid import spread, write_grid
from pix2pix.system.cores import use_cores
from pix2pix.system.files import replacing
from pix2pix.system.program import command_line, run

PAIRS_IN_GRID = 8
GRID, GALLERY = "grid.png", "index.html"
MADE = (FACTS, *KINDS, GRID, GALLERY)


def main() -> None:
    """Parse the flags and predict."""
    parser = command_line(__doc__)
    parser.add_argument("records", nargs="+", type=Path, help="MindRecord files of the pairs")
    parser.add_argument("--ckpt", type=Path, required=True, help="the generator's checkpoint")
    parser.add_argument("--predict_dir", type=Path, required=True, help="the folder to write")
    parser.add_argument("--run", default="run", help="the run's name, for the gallery's heading")
    parser.add_argument("--device_target", choices=DEVICES, default="CPU", help="default: CPU")
    add_flags(parser, PredictSettings)
    add_flags(parser, ThreadSettings)
    arguments = parser.parse_args()
    pairs = count(arguments.records)
    settings = resolve(arguments)
    check_memory(prediction_memory(settings, arguments.device_target == "CPU"))
    prepare(arguments.device_target)
    use_cores(read_flags(arguments, ThreadSettings).threads)
    select_device(arguments.device_target)
    predict(arguments.run, settings, arguments.ckpt, arguments.records, arguments.predict_dir, pairs)
    print(f"{pairs} predictions in {arguments.predict_dir}", file=sys.stderr)


def resolve(arguments: argparse.Namespace) -> PredictSettings:
    """The flags, completed by what the checkpoint says about itself, which they must not contradict."""
    given = read_flags(arguments, GeneratorSettings).model_dump(exclude_unset=True)
    generator, description = generator_settings(arguments.ckpt, given)
    known = generator.model_dump()
    if description:
        known |= description.task()
        if description.dataset == arguments.records[0].resolve().parent.name:
            # halves are named by the dataset, so only there a direction has the same meaning
            check_agreement(arguments.ckpt, {"direction": description.direction}, vars(arguments))
    return read_flags(arguments, PredictSettings, known)


def predict(run: str, settings: PredictSettings, ckpt: Path, records: list[Path], folder: Path, pairs: int) -> None:
    """Write the images of `pairs` pairs, facts.json, grid.png and index.html to `folder`, atomically."""
    in_grid = spread(pairs, PAIRS_IN_GRID)
    names: list[str] = []
    rows = []
    with replacing(folder, MADE) as scratch:
        for row in write_predictions(run, settings, ckpt, records, scratch):
            if len(names) in in_grid:
                rows.append(row)
            names.append(row[0])
        write_grid(rows, scratch / GRID)
        facts = {key: size_text(value) for key, value in read_facts(scratch).items()}
        write_gallery(scratch / GALLERY, scratch, run, facts, names)


if __name__ == "__main__":
    run(main)
