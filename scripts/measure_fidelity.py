r"""Measure FID and KID between predictions and their targets, with torch-fidelity: fidelity.json.

Example:
    python scripts/measure_fidelity.py fidelity.json --predict_dir results/demo/predict \
        --weights inception.pth --sha256 6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2
"""

from pathlib import Path

from pix2pix.config.flags import add_flags, read_flags
from pix2pix.config.settings import ThreadSettings
from pix2pix.evaluation.facts import read_facts
from pix2pix.evaluation.fidelity import EXPLAINED, measure
from pix2pix.system.cores import use_cores
from pix2pix.system.json_file import write_json
from pix2pix.system.program import command_line, run


def main() -> None:
    """Parse the flags and measure."""
    parser = command_line(__doc__)
    parser.add_argument("output", type=Path, help="the file to write, for example results/facades/fidelity.json")
    parser.add_argument("--predict_dir", type=Path, required=True, help="the folder of predictions")
    parser.add_argument("--weights", type=Path, required=True, help="weights of the Inception network")
    parser.add_argument("--sha256", required=True, help="the required checksum of the weights")
    add_flags(parser, ThreadSettings)
    arguments = parser.parse_args()
    use_cores(read_flags(arguments, ThreadSettings).threads)
    scores = measure(arguments.predict_dir, arguments.weights, arguments.sha256)
    facts = read_facts(arguments.predict_dir) | {"inception_sha256": arguments.sha256}
    write_json(facts | scores | {"definitions": EXPLAINED}, arguments.output)


if __name__ == "__main__":
    run(main)
