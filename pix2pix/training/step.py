"""The training step as one compiled graph: one forward pass of the generator and both updates."""

import sys
from collections.abc import Callable
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from pix2pix.config.settings import GeneratorSettings, TrainSettings
from pix2pix.distributed.workers import Sum, Workers
from pix2pix.model.bfloat16 import use_bfloat16
from pix2pix.model.checkpoint import load_network, read_checkpoint
from pix2pix.model.description import check_agreement, generator_settings, read_description
from pix2pix.model.losses import Losses
from pix2pix.model.networks import Discriminator, Generator, compile_forward, initialise
from pix2pix.training.optimizer import Adam


class Trainer:
    """Both networks, both optimizers and the loss sums: everything that a step changes."""

    def __init__(self, settings: TrainSettings, workers: Workers | None = None):
        ms.set_seed(settings.seed)
        self.settings = settings
        self.workers = workers or Workers()
        self.generator = Generator(settings, settings.train_pic_size, settings.batch_size)
        self.discriminator = Discriminator(settings)
        for prefix, network in (("generator", self.generator), ("discriminator", self.discriminator)):
            initialise(network, settings)
            if settings.precision == "bf16":
                use_bfloat16(network)
            for parameter in network.get_parameters():
                parameter.name = f"{prefix}.{parameter.name}"
        betas = settings.beta1, settings.beta2
        self.generator_adam = Adam(self.generator.trainable_params(), "adam_g", *betas)
        self.discriminator_adam = Adam(self.discriminator.trainable_params(), "adam_d", *betas)
        self.loss_sums = Parameter(Tensor([0.0] * 4, ms.float32), name="loss_sums", requires_grad=False)
        self.step = compile_step(self)
        self.generate = compile_forward(self.generator)

    def parameters(self) -> dict[str, Parameter]:
        """All parameters of a saved state, by name."""
        cells: list[nn.Cell] = [self.generator, self.discriminator, self.generator_adam, self.discriminator_adam]
        named = {parameter.name: parameter for cell in cells for parameter in cell.get_parameters()}
        return named | {self.loss_sums.name: self.loss_sums}

    def advance(self, x: np.ndarray, y: np.ndarray, lr: Tensor, weight: float, stop: bool) -> bool:
        """Do one step with this worker's pairs x and y; return whether any worker has requested a stop (`stop`).

        `weight` is this worker's share of the global batch (pix2pix.distributed.workers).
        """
        if self.workers.number == 1:
            self.step(Tensor(x), Tensor(y), lr)
            return stop
        requested = Tensor([stop], ms.float32)
        return self.step(Tensor(x), Tensor(y), lr, Tensor([weight], ms.float32), requested)[4].asnumpy() > 0

    def take_loss_means(self, steps: int) -> dict[str, float]:
        """Mean d_loss, g_loss, g_gan and g_l1 (the last two unweighted) since the last `reset_losses`."""
        means = self.loss_sums.asnumpy() / steps
        return dict(zip(("d_loss", "g_loss", "g_gan", "g_l1"), map(float, means), strict=True))

    def reset_losses(self) -> None:
        """Reset the loss sums at the end of an epoch."""
        ops.assign(self.loss_sums, Tensor([0.0] * 4, ms.float32))


def compile_step(trainer: Trainer) -> Callable[..., Tensor]:
    """Compile the step (x, y, lr) -> losses: x, y (N, 3, S, S) float32 in [-1, 1], lr a float32 scalar.

    The step returns d_loss, g_loss, g_gan, g_l1 as one tensor of 4 and adds them to `trainer.loss_sums`.
    Either both gradients are computed with the same weights before both networks are updated
    (simultaneous), or the discriminator is updated first (alternating: Isola et al. 2017, section 3.3).

    With several workers, the step is (x, y, lr, weight, stop), the last two of shape (1,): gradients
    and losses are multiplied by `weight` and summed over the workers, and the sum of `stop` is the
    fifth value returned. Normalisation uses the statistics of each worker's own pairs.
    """
    generator, losses = trainer.generator, Losses(trainer.discriminator, trainer.settings)
    generator_weights = generator.trainable_params()
    discriminator_weights = trainer.discriminator.trainable_params()
    discriminator_gradient = ms.value_and_grad(losses.of_discriminator, None, discriminator_weights)
    # with respect to the generated image only: vjp passes this gradient on to the generator, so that
    # the generator needs only one forward pass for both losses
    image_gradient = ms.value_and_grad(losses.of_generator, 2, None, has_aux=True)
    alternating = trainer.settings.update_order == "alternating"
    together = trainer.workers.number > 1
    if together:
        total_of_discriminator = Sum([weight.shape for weight in discriminator_weights], trainer.workers)
        total_of_generator = Sum([(5,), *(weight.shape for weight in generator_weights)], trainer.workers)

    @ms.jit
    def step(x, y, lr, weight=None, stop=None):
        fake, pull_back = ms.vjp(generator, x, weights=generator_weights)
        d_loss, d_gradients = discriminator_gradient(x, y, fake)
        if together:
            d_gradients = total_of_discriminator([gradient * weight for gradient in d_gradients])
        if alternating:
            fake = ops.depend(fake, trainer.discriminator_adam(d_gradients, lr))
        (g_loss, g_gan, g_l1), image = image_gradient(x, y, fake)
        g_gradients = pull_back(image * weight if together else image)[1]
        values = (d_loss, g_loss, g_gan, g_l1)
        if together:
            # after the discriminator's sums, so that the order is the same on every worker
            own = ops.depend(ops.concat((ops.stack(values) * weight, stop)), d_gradients)
            totals = total_of_generator([own, *g_gradients])
            values, g_gradients = ops.unstack(totals[0]), totals[1:]
        updated = trainer.generator_adam(g_gradients, lr)
        if not alternating:
            updated = ops.depend(updated, trainer.discriminator_adam(d_gradients, lr))
        # computed last: the caller sleeps until then, but would busy-wait for anything computed later
        values = ops.stack((ops.depend(values[0], updated), *values[1:]))
        ops.assign_add(trainer.loss_sums, values[:4])
        return values

    return step


def load_initial_weights(trainer: Trainer) -> None:
    """For fine-tuning: load init_ckpt into the generator and init_d_ckpt into the discriminator, if they are given.

    Optimizers start as they do without them.

    Raises:
        InputError: a checkpoint is missing, damaged, or of networks with other settings; the message names both values.
    """
    settings = trainer.settings
    if settings.init_ckpt is not None:
        path = Path(settings.init_ckpt)
        generator_settings(path, settings.model_dump(include=set(GeneratorSettings.model_fields)))
        load_network(trainer.generator, path, "generator.")
        print(f"init_ckpt: the generator starts from {path}", file=sys.stderr)
    if settings.init_d_ckpt is not None:
        path = Path(settings.init_d_ckpt)
        if description := read_description(path, read_checkpoint(path)):
            check_agreement(path, description.discriminator, settings.model_dump())
        load_network(trainer.discriminator, path, "discriminator.")
        print(f"init_d_ckpt: the discriminator starts from {path}", file=sys.stderr)
