"""Compare equations.py with values recorded from the reference implementation of pix2pix on MindSpore.

    python tests/record/check.py FOLDER      (needs torch)

FOLDER contains, for g_ngf = d_ndf = 8: {generator,discriminator}_{before,after}.ckpt, the weights before and
after three simultaneous steps; steps.npz (x, y, generator_output_before, losses_d_g); and
first_step_gradients.npz (losses_{order}_d_g, generator_{order}/{parameter}, discriminator/{parameter}).
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from equations import Training
from seeded import DEFAULTS, STEPS

CASE = DEFAULTS | {"g_ngf": 8, "d_ndf": 8}


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field of a protobuf message with only integers and byte strings."""
    position = 0

    def integer() -> int:
        nonlocal position
        value = shift = 0
        while True:
            byte, position = message[position], position + 1
            value, shift = value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    while position < len(message):
        key = integer()
        value = integer()
        if key & 7 == 2:
            value, position = message[position : position + value], position + value
        yield key >> 3, value


def checkpoint(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a MindSpore checkpoint: Checkpoint{value: {tag, tensor: {dims, type, content}}}."""
    arrays = {}
    for _, value in fields(path.read_bytes()):
        entry = dict(fields(value))
        tensor = list(fields(entry[2]))
        dims = [size for number, size in tensor if number == 1]
        if dict(tensor)[2] == b"Float32":
            arrays[entry[1].decode()] = np.frombuffer(dict(tensor)[3], "<f4").reshape(dims).astype(np.float64)
    return arrays


def weights_at(folder: Path, kind: str, moment: str, names: list[str]) -> dict[str, np.ndarray]:
    """Weights by the network's own names; those in the file may have a prefix."""
    found = checkpoint(folder / f"{kind}_{moment}.ckpt")
    prefix = min((name.removesuffix(names[0]) for name in found if name.endswith(names[0])), key=len)
    return {name: found[prefix + name] for name in names}


def started(folder: Path, order: str) -> Training:
    """Training from the recorded weights."""
    training = Training(CASE | {"update_order": order})
    for kind, network in training.networks.items():
        before = weights_at(folder, kind, "before", [name for name, _ in network.named_parameters()])
        for name, weight in network.named_parameters():
            weight.data = torch.tensor(before[name])
    return training


def distance(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> float:
    """Relative distance between two sets of arrays in the Euclidean norm."""
    off = sum(float(((found[name] - wanted[name]) ** 2).sum()) for name in wanted)
    return (off / sum(float((wanted[name].astype(float) ** 2).sum()) for name in wanted)) ** 0.5


def check_gradients(folder: Path, order: str, x: torch.Tensor, y: torch.Tensor) -> None:
    """Print the differences of the first step's losses and gradients."""
    recorded, training = np.load(folder / "first_step_gradients.npz"), started(folder, order)
    losses, gradients = training.step(x, y)
    off = np.abs(np.array(losses[:2]) / recorded[f"losses_{order}_d_g"] - 1).max()
    print(f"first step, {order}: losses {off:.1e}")
    for kind, key in (("generator", f"generator_{order}"), ("discriminator", "discriminator")):
        names = [name for name, _ in training.networks[kind].named_parameters()]
        found = {name: gradient.numpy() for name, gradient in zip(names, gradients[kind], strict=True)}
        print(f"  gradients of the {kind}: {distance(found, {name: recorded[f'{key}/{name}'] for name in names}):.1e}")


def check_steps(folder: Path, pairs: list[list[torch.Tensor]]) -> None:
    """Print the differences of the output, losses and updates of three steps."""
    recorded, training = np.load(folder / "steps.npz"), started(folder, "simultaneous")
    off = np.abs(training.generate(pairs[0][0]) - recorded["generator_output_before"]).max()
    print(f"output before training: {off:.1e} at most, of 2")
    losses = np.array([training.step(*pair)[0][:2] for pair in pairs])
    print("losses of the steps:", *(f"{value:.1e}" for value in np.abs(losses / recorded["losses_d_g"] - 1).max(1)))
    for kind, network in training.networks.items():
        now = {name: weight.detach().numpy() for name, weight in network.named_parameters()}
        before, after = (weights_at(folder, kind, moment, list(now)) for moment in ("before", "after"))
        found, wanted = ({name: end[name] - before[name] for name in now} for end in (now, after))
        print(f"update of the {kind} by all steps: {distance(found, wanted):.3f}")


def main() -> None:
    """Check everything in the folder."""
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    steps = np.load(folder / "steps.npz")
    pairs = [[torch.tensor(steps[name][step]).double() for name in "xy"] for step in range(STEPS)]
    for order in ("simultaneous", "alternating"):
        check_gradients(folder, order, *pairs[0])
    check_steps(folder, pairs)


if __name__ == "__main__":
    main()
