r"""Export a trained generator: ONNX, MindIR, safetensors and a model card, each compared with the predictions.

Example:
    python scripts/export.py exported --ckpt results/demo/ckpt/Generator_16.ckpt \
        --predict_dir results/demo/predict --metrics results/demo/metrics.json
"""

import json
import shutil
from pathlib import Path

from pix2pix.config.flags import add_flags, read_flags
from pix2pix.config.settings import GeneratorSettings, ThreadSettings
from pix2pix.evaluation.facts import Report
from pix2pix.export.card import write_card
from pix2pix.export.files import EXPORTS, check_packages, export_files
from pix2pix.model.description import generator_settings
from pix2pix.model.device import select_device
from pix2pix.system.checksum import sha256_of
from pix2pix.system.cores import use_cores
from pix2pix.system.errors import InputError
from pix2pix.system.files import replacing
from pix2pix.system.json_file import read_json
from pix2pix.system.program import command_line, run

CARD, GRID = "README.md", "grid.png"
MADE = (*EXPORTS, CARD, GRID)


def main() -> None:
    """Parse the flags and export."""
    parser = command_line(__doc__)
    parser.add_argument("output", type=Path, help="the folder to write")
    parser.add_argument("--ckpt", type=Path, required=True, help="the generator's checkpoint")
    parser.add_argument("--predict_dir", type=Path, required=True, help="the folder of its predictions")
    parser.add_argument("--metrics", type=Path, required=True, help="metrics.json of these predictions")
    add_flags(parser, GeneratorSettings)
    add_flags(parser, ThreadSettings)
    arguments = parser.parse_args()
    check_packages()
    report = read_json(arguments.metrics, Report, "delete it and evaluate again")
    if report["checkpoint_sha256"] != sha256_of(arguments.ckpt):
        raise InputError(f"{arguments.metrics}: is about another checkpoint than {arguments.ckpt}: evaluate again")
    given = read_flags(arguments, GeneratorSettings).model_dump(exclude_unset=True)
    settings, description = generator_settings(arguments.ckpt, given)
    use_cores(read_flags(arguments, ThreadSettings).threads)
    select_device("CPU")
    about = description.model_dump_json() if description else json.dumps({"generator": settings.model_dump()})
    with replacing(arguments.output, MADE) as scratch:
        scratch.mkdir()
        compared = export_files(settings, arguments.ckpt, report["val_pic_size"], about, arguments.predict_dir, scratch)
        shutil.copyfile(arguments.predict_dir / GRID, scratch / GRID)
        card = scratch / CARD
        write_card(card, report["run"], report, settings.model_dump(), description, compared)
        for name in compared:
            # some are written readable for their owner only
            shutil.copymode(card, scratch / name)


if __name__ == "__main__":
    run(main)
