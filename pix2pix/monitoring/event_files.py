"""Event files for TensorBoard, written by tensorboardX (an optional extra)."""

import importlib.util
from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix.system.errors import InputError


def check_writer() -> None:
    """Check that the extra is installed.

    Raises:
        InputError: it is not.
    """
    if importlib.util.find_spec("tensorboardX") is None:
        raise InputError(
            "tensorboard: true needs an extra that is not installed: pip install --editable '.[tensorboard]', "
            "or set tensorboard: false"
        )


class EventFiles:
    """Writes scalars and samples to a folder; after a resumption, TensorBoard drops what came after `step`."""

    def __init__(self, folder: Path, step: int):
        # an optional extra
        from tensorboardX import SummaryWriter  # noqa: PLC0415

        self.writer = SummaryWriter(str(folder), purge_step=step + 1 if step else None, flush_secs=30)

    def add_scalars(self, values: dict[str, float], step: int) -> None:
        """Add one value of each curve."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def add_image(self, path: Path, step: int) -> None:
        """Add the image at `path`."""
        with Image.open(path) as image:
            self.writer.add_image("samples", np.asarray(image.convert("RGB")), step, dataformats="HWC")

    def close(self) -> None:
        """Write what is buffered."""
        self.writer.close()
