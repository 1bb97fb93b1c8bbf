"""Compile training steps and the generator for a GPU, and print why each one ended: with stand-ins, none can run."""

import mindspore as ms
import numpy as np
from mindspore import ops

from pix2pix.config.settings import TrainSettings
from pix2pix.model.device import check_device
from pix2pix.training.step import Trainer

SMALL = {"g_ngf": 2, "d_ndf": 2, "d_layers": 1, "g_layers": 3, "train_pic_size": 64, "load_size": 70}
CASES = (
    {},
    {"norm": "instance", "pad_mode": "REFLECT", "dropout": True, "g_layers": 6, "batch_size": 2},
    {"update_order": "alternating", "d_layers": 0, "skip_connections": False, "conditional": False},
)


def main() -> None:
    """Compile each case, then a primitive for which there is no kernel."""
    check_device("GPU")
    layers = set()
    for case in CASES:
        settings = TrainSettings(**SMALL | case)
        trainer = Trainer(settings)
        for network in (trainer.generator, trainer.discriminator):
            layers |= {type(cell) for _, cell in network.cells_and_names()}
        pairs = np.zeros((2, settings.batch_size, 3, 64, 64), np.float32)
        attempt(f"step {case}", lambda pairs=pairs, run=trainer: run.advance(*pairs, ms.Tensor(1e-4), 1.0, False))
    attempt("generator", lambda: trainer.generate(ms.Tensor(pairs[0])))
    own = (layer.__name__ for layer in layers if layer.__module__ == "pix2pix.model.layers")
    print("layers:", *sorted(own), flush=True)
    attempt("unknown", lambda: unknown(ms.Tensor(np.zeros((4, 4), np.float32))))


def attempt(name: str, compute) -> None:
    """Print the first line of the error with which `compute` ends."""
    try:
        compute()
    except RuntimeError as error:
        lines = [line for line in str(error).splitlines() if line.strip("- ") and not line.startswith("- ")]
        print(f"{name}: {lines[0]}", flush=True)
    else:
        print(f"{name}: no error", flush=True)


@ms.jit
def unknown(x):
    return ops.auto_generate.RmsNorm()(x, x[0])[0]


if __name__ == "__main__":
    main()
