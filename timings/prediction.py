"""Compare full-size prediction with the same generator in plain PyTorch, alternating in one run.

    pip install torch==2.13.0; python timings/prediction.py data/facades/val.mindrecord [--rounds 5]

Prints milliseconds per image (median): of the generator alone; of a whole prediction, which decodes a pair before it
and writes three PNGs after it; and of writing the PNGs alone. In the whole prediction, PyTorch's generator runs between
the same threads that decode and write, so that only the generators differ. Each side runs in its own process and waits
while the other works. Ratios are to the faster memory layout of PyTorch; below 1, ours is faster.
"""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

SIDES = ("ours", "torch", "torch channels_last")
WORKS = ("generator", "prediction", "PNGs")


def run_side(connection, side: str, records: Path, images: int) -> None:
    """Do the work named in every message and reply with its seconds per image (in a separate process)."""
    if side != "ours":
        # the limit that pix2pix sets for MindSpore would hold for torch too
        os.environ["ONEDNN_MAX_CPU_ISA"] = "ALL"
    from pix2pix.evaluation.facts import KINDS  # noqa: PLC0415 (only in the processes of the sides)
    from pix2pix.evaluation.prediction import generate, save_all  # noqa: PLC0415

    translate = ours() if side == "ours" else Torch(side != "torch")
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            Path(folder, kind).mkdir()
        rows = list(islice(generate(translate, [records]), images))
        inputs = [x for _, x, _, _ in rows]
        groups = [inputs[start : start + translate.images] for start in range(0, images, translate.images)]
        works: dict[str, Callable] = {
            "generator": lambda: [translate(group) for group in groups],
            "prediction": lambda: list(save_all(islice(generate(translate, [records]), images), Path(folder))),
            "PNGs": lambda: list(save_all(rows, Path(folder))),
        }
        while name := connection.recv():
            start = time.perf_counter()
            works[name]()
            connection.send((time.perf_counter() - start) / images)


def ours():
    """The generator that scripts/predict.py uses, with random weights."""
    from pix2pix.config.settings import PredictSettings, TrainSettings  # noqa: PLC0415
    from pix2pix.evaluation.prediction import Translator  # noqa: PLC0415
    from pix2pix.model.checkpoint import save_network  # noqa: PLC0415
    from pix2pix.training.step import Trainer  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        save_network(Trainer(TrainSettings()).generator, "generator.", Path(folder, "random.ckpt"))
        return Translator(PredictSettings(), Path(folder, "random.ckpt"))


class Torch:
    """The same generator in PyTorch, one image at a time: its normalisation has no statistics of single images."""

    images = 1

    def __init__(self, channels_last: bool):
        from torch_pix2pix import Trainer  # noqa: PLC0415

        from pix2pix.config.settings import PredictSettings  # noqa: PLC0415

        self.settings = PredictSettings()
        self.trainer = Trainer(channels_last)

    def __call__(self, inputs: Sequence[np.ndarray], _first: int = 0) -> list[np.ndarray]:
        """Translate one image, (S, S, 3) uint8."""
        import torch  # noqa: PLC0415
        from PIL import Image  # noqa: PLC0415

        from pix2pix.data.loader import to_array, to_pixels  # noqa: PLC0415

        batch = torch.from_numpy(to_array(Image.fromarray(inputs[0]), 3)[np.newaxis])
        with torch.inference_mode():
            fake = self.trainer.generator(batch.contiguous(memory_format=self.trainer.layout))
            return [to_pixels(fake[0].contiguous().numpy())]


def main() -> None:
    """Alternate between the sides and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path, help="MindRecord file with at least as many pairs as --images")
    parser.add_argument("--images", type=int, default=16, help="images per round, a multiple of 4 (default: 16)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default: 5)")
    arguments = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    sides = {}
    for side in SIDES:
        sides[side], there = spawn.Pipe()
        spawn.Process(target=run_side, args=(there, side, arguments.records, arguments.images), daemon=True).start()
        there.close()  # so that a side that fails ends this program
    seconds: dict[tuple[str, str], list[float]] = {(work, side): [] for work in WORKS for side in SIDES}
    for _ in range(arguments.rounds + 1):
        for (work, side), taken in seconds.items():
            sides[side].send(work)
            taken.append(sides[side].recv())
    for connection in sides.values():
        connection.send("")
    # the first round warms up
    medians = {key: statistics.median(taken[1:]) for key, taken in seconds.items()}
    print(f"{arguments.images} images a round, {arguments.rounds} rounds, load {os.getloadavg()[0]:.1f}")
    for work in WORKS:
        print(f"{work}:")
        for side in SIDES:
            own = medians[work, side]
            print(f"  {side:20} {1000 * own:6.1f} ms per image (best {1000 * min(seconds[work, side]):.1f})", end="")
            print(f" {1 / own:6.1f} images/s")
        if work != "PNGs":
            best = min(medians[work, side] for side in SIDES[1:])
            print(f"  ratio ours / better of PyTorch: {medians[work, 'ours'] / best:.2f}", flush=True)


if __name__ == "__main__":
    main()
