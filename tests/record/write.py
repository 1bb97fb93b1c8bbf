"""Write record.npz, the numeric record for tests/model/test_reference.py, and full_size_parameters.json.

python tests/record/write.py     (needs torch; see README.md)
"""

import json
from pathlib import Path

import numpy as np
import torch
from equations import Generator, Training, discriminator
from seeded import CASES, DEFAULTS, STEPS, digest, sample

HERE = Path(__file__).parent
SEEDS_TRIED = 40


def moments_of_steps(training: Training) -> list[torch.Tensor]:
    """Adam's first moments of all parameters after each step."""
    result = []
    for step in range(STEPS):
        training.step(*training.pair(step))
        result += [moment.clone() for adam in training.adams.values() for moment in adam.first]
    return result


def sensitivity(case: dict, seed: int) -> float:
    """The largest relative change of the moments if the initial weights change by a few float32 rounding errors.

    It is large if an input of ReLU, LeakyReLU or |x| near 0 changes sign, or if normalisation divides by a
    small number.
    """
    moments = moments_of_steps(Training(case, seed))
    largest, result = max(moment.norm() for moment in moments), 0.0
    # both directions: one of the two makes an input near 0 change sign
    for distance in (3e-7, -3e-7):
        training, generator = Training(case, seed), torch.Generator().manual_seed(seed)
        for network in training.networks.values():
            for weight in network.parameters():
                weight.data *= 1 + distance * torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
        for one, other in zip(moments, moments_of_steps(training), strict=True):
            if one.norm() > 1e-9 * largest:
                result = max(result, ((one - other).norm() / one.norm()).item())
    return result


def record_of(case: dict, seed: int) -> dict[str, np.ndarray]:
    """All arrays of a case; README.md describes them."""
    training = Training(case, seed)
    started = {kind: network_values(training, kind) for kind in training.networks}
    x = training.pair(0)[0]
    found = {"seed": np.array(seed), "before": sample(training.generate(x))}
    losses, moments, updates = [], {}, {}
    for step in range(STEPS):
        losses.append(training.step(*training.pair(step))[0])
        for kind, adam in training.adams.items():
            names = list(started[kind])
            first = zip(names, adam.first, strict=True)
            moments.setdefault(kind, []).append([digest(name, moment.numpy()) for name, moment in first])
            now = network_values(training, kind)
            updates.setdefault(kind, []).append([digest(name, now[name] - started[kind][name]) for name in names])
    found |= {"losses": np.array(losses), "after": sample(training.generate(x))}
    for kind in training.networks:
        found |= {f"{kind}/names": np.array(list(started[kind]))}
        found |= {f"{kind}/moments": np.array(moments[kind]), f"{kind}/updates": np.array(updates[kind])}
    return {
        key: value.astype(np.float32) if value.ndim and value.dtype == float else value for key, value in found.items()
    }


def network_values(training: Training, kind: str) -> dict[str, np.ndarray]:
    """A copy of the weights of a network."""
    return {name: weight.detach().numpy().copy() for name, weight in training.networks[kind].named_parameters()}


def full_size_shapes() -> dict[str, dict[str, list[int]]]:
    """Names and shapes of all arrays in checkpoints with the default settings, by network."""
    networks = {"generator": Generator(DEFAULTS), "discriminator": discriminator(DEFAULTS)}
    return {
        kind: {name: list(value.shape) for name, value in network.state_dict().items()}
        for kind, network in networks.items()
    }


def main() -> None:
    """Write both files to the folder of this program."""
    torch.set_num_threads(1)
    arrays = {}
    for name, changes in CASES.items():
        case = DEFAULTS | changes
        # differences must be larger than float32 rounding errors
        seed = min(range(SEEDS_TRIED), key=lambda seed, case=case: sensitivity(case, seed))
        print(f"{name}: seed {seed}, sensitivity {sensitivity(case, seed):.1e}", flush=True)
        arrays |= {f"{name}/{key}": value for key, value in record_of(case, seed).items()}
    np.savez_compressed(HERE / "record.npz", **arrays)
    (HERE / "full_size_parameters.json").write_text(json.dumps(full_size_shapes(), indent=1) + "\n")


if __name__ == "__main__":
    main()
