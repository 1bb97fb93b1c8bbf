"""Compare networks and training step with a numeric record written by an independent float64 implementation.

tests/record/README.md describes how it was made and what it covers.
"""

import json
from functools import cache

import mindspore as ms
import numpy as np
import pytest
from conftest import ROOT
from record.seeded import CASES, DEFAULTS, STEPS, digest, images, mask, sample, starting_value

from pix2pix.config.settings import TrainSettings
from pix2pix.model.checkpoint import stored_parameters
from pix2pix.model.networks import Discriminator, Generator
from pix2pix.training.step import Trainer

RECORD = ROOT / "tests" / "record"
NETWORKS = ("generator", "discriminator")
# relative distances of a parameter's first moments and of its update, after 1, 2 and 3 steps. In float32, an
# update of 2e-4 to a gamma of 1 has a precision of 3e-4, and Adam makes full steps even with tiny gradients
TOLERANCES = {"moments": (1e-4, 2e-4, 5e-4), "updates": (5e-3, 5e-3, 5e-3)}
NOTHING = 1e-9  # fraction of the norm of a network's gradient: rounding errors of 0 in float64
Digests = dict[str, np.ndarray]  # by "network/parameter"


@cache
def recorded(case: str) -> dict[str, np.ndarray]:
    """The arrays of a case, by their names without that of the case."""
    with np.load(RECORD / "record.npz") as arrays:
        return {key.removeprefix(f"{case}/"): arrays[key] for key in arrays if key.startswith(f"{case}/")}


def recorded_digests(case: str, kind: str, step: int) -> Digests:
    """Digests of the moments or updates (`kind`) of all parameters after a step."""
    wanted = recorded(case)
    return {
        f"{network}/{name}": row.astype(np.float64)
        for network in NETWORKS
        for name, row in zip(wanted[f"{network}/names"], wanted[f"{network}/{kind}"][step], strict=True)
    }


def own_arrays(trainer: Trainer) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Weights, and Adam's first moments, by "network/parameter"."""
    weights, moments = {}, {}
    for adam in (trainer.generator_adam, trainer.discriminator_adam):
        for weight, moment in zip(adam.trained, adam.first, strict=True):
            key = weight.name.replace(".", "/", 1)
            weights[key], moments[key] = weight.asnumpy().astype(np.float64), moment.asnumpy()
    return weights, moments


def started(case: str, **changes) -> Trainer:
    """A trainer with the initial weights (and dropout masks) of the record."""
    seed, trainer = int(recorded(case)["seed"]), Trainer(TrainSettings(**CASES[case] | changes))
    for network in (trainer.generator, trainer.discriminator):
        for parameter in network.get_parameters():
            kind, _, name = parameter.name.partition(".")
            if parameter.requires_grad:
                parameter.set_data(ms.Tensor(starting_value(seed, kind, name, parameter.shape)))
            elif name.endswith(".kept"):
                parameter.set_data(ms.Tensor(mask(seed, name, parameter.shape)))
    return trainer


@cache
def measured(case: str, **changes) -> dict:
    """The same values as in the record of a case, computed by compiled steps with its settings and `changes`."""
    settings, seed, trainer = DEFAULTS | CASES[case], int(recorded(case)["seed"]), started(case, **changes)
    channels = {"x": settings["g_in_planes"], "y": settings["g_out_planes"]}
    pairs = [[ms.Tensor(images(seed, step, *item, settings)) for item in channels.items()] for step in range(STEPS)]
    start, rate = own_arrays(trainer)[0], ms.Tensor(settings["lr"], ms.float32)
    found = {"before": sample(trainer.generate(pairs[0][0]).asnumpy()), "losses": [], "moments": [], "updates": []}
    for x, y in pairs:
        found["losses"].append(trainer.step(x, y, rate).asnumpy())
        weights, moments = own_arrays(trainer)
        found["moments"].append(digests(moments))
        found["updates"].append(digests({key: weights[key] - start[key] for key in weights}))
    return found | {"after": sample(trainer.generate(pairs[0][0]).asnumpy())}


def digests(arrays: dict[str, np.ndarray]) -> Digests:
    return {key: digest(key.partition("/")[2], array) for key, array in arrays.items()}


def norms(wanted: Digests) -> dict[str, float]:
    """The total norm of all parameters, by network."""
    return {
        network: sum(row[0] ** 2 for key, row in wanted.items() if key.startswith(network)) ** 0.5
        for network in NETWORKS
    }


def vanishing(case: str) -> set[str]:
    """The parameters without effect, whose gradient is 0 except for rounding errors."""
    wanted = recorded_digests(case, "moments", 0)
    whole = norms(wanted)
    return {key for key in wanted if wanted[key][0] < NOTHING * whole[key.partition("/")[0]]}


def distances(found: Digests, wanted: Digests) -> dict[str, float]:
    """Each parameter's relative distance in the Euclidean norm, estimated from digests.

    Gradients that should be 0 are compared with the norm of their network.
    """
    assert found.keys() == wanted.keys()
    whole = norms(wanted)
    result = {}
    for key, row in wanted.items():
        network = whole[key.partition("/")[0]]
        off = found[key] - row
        scale = row[0] if row[0] >= NOTHING * network else network
        result[key] = max(abs(off[0]), (off[1:] ** 2).mean() ** 0.5) / scale
    return result


def differences(found: dict, case: str) -> list[str]:
    """The names of values in `found` that differ from the record."""
    wanted, result = recorded(case), []
    for name, tolerance in (("before", 1e-5), ("losses", 1e-5), ("after", 1e-4)):
        if not np.allclose(found[name], wanted[name], rtol=tolerance, atol=tolerance):
            result.append(name)
    for kind, tolerances in TOLERANCES.items():
        ignored = vanishing(case) if kind == "updates" else ()
        for step, tolerance in enumerate(tolerances):
            far = distances(found[kind][step], recorded_digests(case, kind, step))
            # not ">": NaN is a difference, too
            result += [f"{kind}/{step}/{key}" for key in far if key not in ignored and not far[key] <= tolerance]
    return result


@pytest.mark.parametrize("case", CASES)
def test_losses_gradients_updates_and_outputs_of_three_steps_match_the_record(case):
    assert differences(measured(case), case) == []


@pytest.mark.parametrize("case", CASES)
def test_a_gradient_error_of_a_thousandth_in_any_layer_is_detected(case):
    found = measured(case)
    for key in found["moments"][0].keys() - vanishing(case):
        wrong = found["moments"][0] | {key: found["moments"][0][key] * 1.001}
        assert f"moments/0/{key}" in differences(found | {"moments": [wrong, *found["moments"][1:]]}, case)


@pytest.mark.parametrize("case", CASES)
def test_only_biases_before_instance_norm_have_no_gradient(case):
    ignored = vanishing(case)
    assert bool(ignored) == (CASES[case].get("norm") == "instance")
    assert all(key.endswith("bias") for key in ignored)


def test_the_other_update_order_is_detected():
    case = "batch of 2, alternating"
    found = differences(measured(case, update_order="simultaneous"), case)
    assert {"losses", "moments/0/generator/model.model.0.weight"} <= set(found)
    assert not any(name.startswith("moments/0/discriminator") for name in found)


def test_names_and_shapes_at_full_size_match_published_checkpoints():
    wanted = json.loads((RECORD / "full_size_parameters.json").read_text())
    networks = {"generator": Generator(TrainSettings(), 256), "discriminator": Discriminator(TrainSettings())}
    for name, network in networks.items():
        assert {p.name: list(p.shape) for p in stored_parameters(network)} == wanted[name]
