"""Samples of the generator: always the same training pairs, so that images of different times can be compared."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import mindspore as ms
from mindspore import nn, ops

from pix2pix.config.settings import TrainSettings
from pix2pix.data.loader import batches, sample_epoch, to_pixels
from pix2pix.data.records import count
from pix2pix.pages.grid import write_grid

PAIRS = 4


def write_samples(
    generate: Callable[[ms.Tensor], ms.Tensor], files: list[Path], settings: TrainSettings, path: Path
) -> None:
    """Write a grid of the first training pairs, whole and not flipped, with what `generate` makes of them.

    Raises:
        OSError: the image cannot be written.
    """
    settings = settings.model_copy(update={"jitter": False, "flip": False})
    pairs = count(files)
    plan = sample_epoch(pairs, 1, settings)
    plan.order.sort()
    shown = [[position] for position in range(min(PAIRS, pairs))]
    rows = []
    for [position], (x, y) in zip(shown, batches(files, plan, shown, settings), strict=True):
        fake = generate(ms.Tensor(x)).asnumpy()
        rows.append((f"pair {position + 1}", to_pixels(x[0]), to_pixels(fake[0]), to_pixels(y[0])))
    write_grid(rows, path, ("input", "generated", "target"))


@contextmanager
def statistics_kept(network: nn.Cell) -> Iterator[None]:
    """Restore the network's moving statistics, which every forward pass updates and checkpoints contain.

    Samples within an epoch are taken at times that differ from one training to the next, and must not change its bytes.
    """
    kept = [(each, each.asnumpy().copy()) for each in network.get_parameters() if not each.requires_grad]
    try:
        yield
    finally:
        for parameter, value in kept:
            # set_data would allocate new memory, which a compiled graph would not read
            ops.assign(parameter, ms.Tensor(value))
