r"""Write a page that runs a generator in a browser, with its weights and a runtime inside.

Example:
    python scripts/try_page.py try.html --run demo --export_dir results/demo/export \
        --predict_dir results/demo/predict
"""

import importlib
import importlib.util
from pathlib import Path

from pix2pix.browser.page import read_runtime, write_page
from pix2pix.system.errors import InputError
from pix2pix.system.program import command_line, run

RUNTIME = Path(__file__).resolve().parents[1] / "workflow" / "try" / "runtime"


def main() -> None:
    """Parse the flags and write the page."""
    parser = command_line(__doc__)
    parser.add_argument("output", type=Path, help="the page to write")
    parser.add_argument("--run", required=True, help="the run's name, for the title")
    parser.add_argument("--export_dir", type=Path, required=True, help="the folder of the exported generator")
    parser.add_argument("--predict_dir", type=Path, required=True, help="the folder of its predictions")
    arguments = parser.parse_args()
    runtime = read_runtime(RUNTIME)
    if importlib.util.find_spec("onnx") is None:
        raise InputError("try.html needs onnx, an extra that is not installed: pip install --editable '.[export]'")
    # imported here, since it needs the optional package
    half = importlib.import_module("pix2pix.browser.half")
    model, generator = half.half_precision(arguments.export_dir / "Generator.onnx")
    write_page(arguments.run, generator, model, runtime, arguments.predict_dir, arguments.output)


if __name__ == "__main__":
    run(main)
