"""pix2pix on MindSpore: paired images in, a trained generator and its predictions out."""

import importlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pix2pix.translation.generator import LoadedGenerator

__version__ = "0.1.0"

# Set before mindspore is imported: on processors with AVX-512 the oneDNN inside MindSpore 2.10 has no
# fast convolution for plain-layout weights and uses a loop that is about 70 times slower. The second
# variable shows the programs that Snakemake starts that the user did not choose the value.
if "ONEDNN_MAX_CPU_ISA" not in os.environ:
    os.environ |= {"ONEDNN_MAX_CPU_ISA": "AVX2", "PIX2PIX_CHOSE_ONEDNN_ISA": "1"}


def load_generator(path_or_run: "str | Path", device_target: str = "CPU") -> "LoadedGenerator":
    """Load a trained generator, as a function from images to images of the same size.

        translate = pix2pix.load_generator("facades")              # the run in results/facades
        translate(Image.open("labels.png")).save("photo.png")

    Args:
        path_or_run: a checkpoint, the folder of a run or of checkpoints (the one with the most epochs), or the name
            of a run in results/.
        device_target: CPU, GPU or Ascend.

    Returns:
        a function that maps a PIL image, an array (H, W, C) uint8, an array (N, H, W, C), or a list of images to the
        same; see pix2pix.translation.generator.LoadedGenerator.

    Raises:
        pix2pix.system.errors.InputError: the checkpoint is missing, damaged or not of a generator, or the device is
            not available.
    """
    # only here, because importing mindspore takes seconds, and it looks for a GPU while it is imported
    importlib.import_module("pix2pix.devices.check").load(device_target)
    loaded: LoadedGenerator = importlib.import_module("pix2pix.translation.generator").LoadedGenerator(
        path_or_run, device_target
    )
    return loaded
