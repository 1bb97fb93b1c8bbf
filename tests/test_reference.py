"""Networks and training step against the numeric record of the reference implementation."""

import json

import mindspore as ms
import numpy as np
import pytest

from pix2pix.checkpoint import load_network, stored_parameters
from pix2pix.networks import Discriminator, Generator, compile_forward
from pix2pix.settings import TrainSettings
from pix2pix.step import Trainer


@pytest.fixture(scope="module")
def record(shared):
    return shared / "reference"


def starting_trainer(record, **changes) -> Trainer:
    trainer = Trainer(TrainSettings(g_ngf=8, d_ndf=8, **changes))
    load_network(trainer.generator, record / "generator_before.ckpt", "generator.")
    load_network(trainer.discriminator, record / "discriminator_before.ckpt", "discriminator.")
    return trainer


def own_names(cell) -> dict[str, np.ndarray]:
    """Trained parameters without the prefix of their network."""
    return {p.name.partition(".")[2]: p.asnumpy() for p in cell.trainable_params()}


def distance(found: dict, wanted: dict) -> float:
    """Relative distance of two sets of arrays in the Euclidean norm."""
    difference = sum(float(((found[name] - wanted[name]) ** 2).sum()) for name in wanted)
    return (difference / sum(float((wanted[name] ** 2).sum()) for name in wanted)) ** 0.5


def do_steps(trainer, record, number) -> np.ndarray:
    steps, rate = np.load(record / "steps.npz"), ms.Tensor(0.0002, ms.float32)
    losses = [trainer.step(ms.Tensor(steps["x"][i]), ms.Tensor(steps["y"][i]), rate).asnumpy() for i in range(number)]
    return np.array(losses)[:, :2]


def test_names_and_shapes_at_full_size_are_those_of_published_checkpoints(record):
    wanted = json.loads((record / "full_size_parameters.json").read_text())
    networks = {"generator": Generator(TrainSettings(), 256), "discriminator": Discriminator(TrainSettings())}
    for name, network in networks.items():
        assert {p.name: list(p.shape) for p in stored_parameters(network)} == {
            k: list(v) for k, v in wanted[name].items()
        }


def test_the_untrained_generator_gives_the_recorded_output(record):
    generator = Generator(TrainSettings(g_ngf=8), 256)
    load_network(generator, record / "generator_before.ckpt")
    steps = np.load(record / "steps.npz")
    output = compile_forward(generator)(ms.Tensor(steps["x"][0])).asnumpy()
    assert np.abs(output - steps["generator_output_before"]).max() <= 1e-5


@pytest.mark.parametrize("order", ["simultaneous", "alternating"])
def test_losses_and_gradients_of_the_first_step(record, order):
    trainer = starting_trainer(record, update_order=order)
    losses = do_steps(trainer, record, 1)[0]
    wanted = np.load(record / "first_step_gradients.npz")
    assert losses == pytest.approx(wanted[f"losses_{order}_d_g"], rel=1e-4)
    # after one step Adam's first moment is (1 - beta1) times the gradient
    for adam, network, key in (
        (trainer.generator_adam, trainer.generator, f"generator_{order}"),
        (trainer.discriminator_adam, trainer.discriminator, "discriminator"),
    ):
        names = list(own_names(network))
        gradients = {name: moment.asnumpy() / 0.5 for name, moment in zip(names, adam.first, strict=True)}
        assert distance(gradients, {name: wanted[f"{key}/{name}"] for name in names}) <= 1e-4


def test_three_steps_change_the_weights_as_recorded(record):
    trainer = starting_trainer(record)
    losses = do_steps(trainer, record, 3)
    assert losses == pytest.approx(np.load(record / "steps.npz")["losses_d_g"], rel=1e-3)
    for network, name, tolerance in (
        (trainer.generator, "generator", 0.15),
        (trainer.discriminator, "discriminator", 0.035),
    ):
        ends = {}
        for moment in ("before", "after"):
            # the names after training carry the prefixes of published checkpoints
            other = starting_trainer(record)
            fresh = {"generator": other.generator, "discriminator": other.discriminator}[name]
            load_network(fresh, record / f"{name}_{moment}.ckpt", f"{name}.")
            ends[moment] = own_names(fresh)
        update = {key: ends["after"][key] - ends["before"][key] for key in ends["after"]}
        found = {key: value - ends["before"][key] for key, value in own_names(network).items()}
        assert distance(found, update) <= tolerance
