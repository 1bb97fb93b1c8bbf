"""One training step as one compiled graph: one forward pass of the generator, both updates."""

from collections.abc import Callable

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from pix2pix.adam import Adam
from pix2pix.losses import Losses
from pix2pix.networks import Discriminator, Generator, compile_forward, initialise
from pix2pix.settings import TrainSettings


class Trainer:
    """Both networks, both optimizers and the sums of the losses: all that a step changes."""

    def __init__(self, settings: TrainSettings):
        ms.set_seed(settings.seed)
        self.settings = settings
        self.generator = Generator(settings, settings.train_pic_size, settings.batch_size)
        self.discriminator = Discriminator(settings)
        for prefix, network in (("generator", self.generator), ("discriminator", self.discriminator)):
            initialise(network, settings)
            for parameter in network.get_parameters():
                parameter.name = f"{prefix}.{parameter.name}"
        betas = settings.beta1, settings.beta2
        self.generator_adam = Adam(self.generator.trainable_params(), "adam_g", *betas)
        self.discriminator_adam = Adam(self.discriminator.trainable_params(), "adam_d", *betas)
        self.loss_sums = Parameter(Tensor([0.0] * 4, ms.float32), name="loss_sums", requires_grad=False)
        self.step = compile_step(self)
        self.generate = compile_forward(self.generator)

    def parameters(self) -> dict[str, Parameter]:
        """Everything that a saved state must hold, by name."""
        cells: list[nn.Cell] = [self.generator, self.discriminator, self.generator_adam, self.discriminator_adam]
        named = {parameter.name: parameter for cell in cells for parameter in cell.get_parameters()}
        return named | {self.loss_sums.name: self.loss_sums}

    def take_loss_means(self, steps: int) -> dict[str, float]:
        """Means since the last `reset_losses`: d_loss, g_loss, g_gan, g_l1 (unweighted parts), floats."""
        means = self.loss_sums.asnumpy() / steps
        return dict(zip(("d_loss", "g_loss", "g_gan", "g_l1"), map(float, means), strict=True))

    def reset_losses(self) -> None:
        """Begin the sums of an epoch."""
        ops.assign(self.loss_sums, Tensor([0.0] * 4, ms.float32))


def compile_step(trainer: Trainer) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The step x, y, lr -> losses: x, y (N, 3, S, S) float32 in [-1, 1], lr a float32 scalar.

    Returns d_loss, g_loss, g_gan, g_l1 of the step as one tensor of 4 and adds them to
    `trainer.loss_sums`. Both gradients are taken at the same weights and both networks then
    stepped (simultaneous), or the discriminator is stepped before the generator's loss is taken
    (alternating: Isola et al. 2017, section 3.3).
    """
    generator, losses = trainer.generator, Losses(trainer.discriminator, trainer.settings)
    generator_weights = generator.trainable_params()
    discriminator_weights = trainer.discriminator.trainable_params()
    discriminator_gradient = ms.value_and_grad(losses.of_discriminator, None, discriminator_weights)
    # by the generated picture alone: its gradient enters the generator through vjp, so the
    # generator runs forward once for both losses
    picture_gradient = ms.value_and_grad(losses.of_generator, 2, None, has_aux=True)
    alternating = trainer.settings.update_order == "alternating"

    @ms.jit
    def step(x, y, lr):
        fake, pull_back = ms.vjp(generator, x, weights=generator_weights)
        d_loss, d_gradients = discriminator_gradient(x, y, ops.stop_gradient(fake))
        if alternating:
            fake = ops.depend(fake, trainer.discriminator_adam(d_gradients, lr))
        (g_loss, g_gan, g_l1), picture = picture_gradient(x, y, fake)
        g_gradients = pull_back(picture)[1]
        if not alternating:
            trainer.discriminator_adam(d_gradients, lr)
        trainer.generator_adam(g_gradients, lr)
        values = ops.stack((d_loss, g_loss, g_gan, g_l1))
        ops.assign_add(trainer.loss_sums, values)
        return values

    return step
