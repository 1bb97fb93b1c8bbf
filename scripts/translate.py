"""Translate images, without targets, with a generator checkpoint: one PNG per image, of the same size and name.

Example:
    python scripts/translate.py --ckpt results/facades photo.jpg drawings/ --out translated
"""

import argparse
import sys
from pathlib import Path

from pix2pix.config.flags import add_flags, read_flags
from pix2pix.config.settings import GeneratorSettings, PredictSettings, ThreadSettings
from pix2pix.devices.check import prepare
from pix2pix.model.device import describe_device
from pix2pix.pages.gallery import write_gallery
from pix2pix.system.cores import cores_in_use, use_cores
from pix2pix.system.errors import InputError
from pix2pix.system.program import command_line, run
from pix2pix.translation.files import check_output, find_images, output_names, translate_files
from pix2pix.translation.generator import LoadedGenerator


def main() -> None:
    """Parse the flags and translate."""
    parser = command_line(__doc__)
    parser.add_argument("images", nargs="+", type=Path, help="images, and folders of images")
    parser.add_argument("--ckpt", type=Path, required=True, help="the generator's checkpoint, or the folder of a run")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    parser.add_argument(
        "--size", type=int, default=0, help="pixels along the longer side of outputs (default: input's)"
    )
    tile = PredictSettings.model_fields["tile_size"].default
    parser.add_argument(
        "--tile_size", type=int, default=tile, help="larger images are translated in tiles (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed of dropout, if used (default: 0)")
    parser.add_argument("--gallery", action="store_true", help="write prediction/, input/ and a page of both")
    parser.add_argument("--device_target", default="CPU", help="CPU, GPU or Ascend (default: CPU)")
    add_flags(parser, GeneratorSettings)
    add_flags(parser, ThreadSettings)
    arguments = parser.parse_args()
    if arguments.size < 0 or arguments.seed < 0:
        raise InputError(f"--{'size' if arguments.size < 0 else 'seed'}: must not be negative")
    images = find_images(arguments.images)
    written = translate(arguments, images)
    if failed := len(images) - written:
        raise InputError(f"{failed} of {len(images)} images could not be translated; they are listed above")


def translate(arguments: argparse.Namespace, images: list[Path]) -> int:
    """Translate the images and write the gallery; return how many were translated."""
    names = output_names(images)
    prepare(arguments.device_target)
    use_cores(read_flags(arguments, ThreadSettings).threads)
    given = read_flags(arguments, GeneratorSettings).model_dump(exclude_unset=True)
    generator = LoadedGenerator(arguments.ckpt, arguments.device_target, given, arguments.tile_size)
    print(f"{generator.path}; {describe_device(arguments.device_target)}", file=sys.stderr)
    out = arguments.out / "prediction" if arguments.gallery else arguments.out
    inputs = arguments.out / "input" if arguments.gallery else None
    check_output([out, *([inputs] if inputs else [])], images)
    how = {"size": arguments.size, "seed": arguments.seed, "threads": cores_in_use()}
    written = translate_files(generator, images, names, out, inputs, **how)
    if arguments.gallery and written:
        facts = {"checkpoint": generator.path.name} | {name: str(value) for name, value in generator.settings}
        page, kinds = arguments.out / "index.html", ("input", "prediction")
        write_gallery(page, arguments.out, arguments.out.name, facts, written, kinds=kinds)
    print(f"{len(written)} translations in {out}", file=sys.stderr)
    return len(written)


if __name__ == "__main__":
    run(main)
