"""The losses of both networks (Isola et al. 2017, section 3.1, equations 1 to 4)."""

import mindspore as ms
from mindspore import nn, ops

from pix2pix.config.settings import TrainSettings


def adversarial_loss(logits: ms.Tensor, real: float) -> ms.Tensor:
    """Mean binary cross-entropy, in nats, of the patch logits (float32, any shape) for the label `real` (1 or 0)."""
    return (ops.relu(logits) - logits * real + ops.log1p(ops.exp(-ops.abs(logits)))).mean()


class Losses:
    """The losses of one step; a conditional discriminator also receives the input."""

    def __init__(self, discriminator: nn.Cell, settings: TrainSettings):
        self.discriminator = discriminator
        self.settings = settings

    def classify(self, x: ms.Tensor, image: ms.Tensor) -> ms.Tensor:
        """Patch logits of `image`, (N, 3, S, S), given the input x of the same shape."""
        seen = ops.concat((x, image), 1) if self.settings.conditional else image
        return self.discriminator(seen)

    def of_discriminator(self, x: ms.Tensor, y: ms.Tensor, fake: ms.Tensor) -> ms.Tensor:
        """lambda_dis x (loss on the generated image + loss on the target), a scalar."""
        generated = adversarial_loss(self.classify(x, fake), 0.0)
        real = adversarial_loss(self.classify(x, y), 1.0)
        return self.settings.lambda_dis * (generated + real)

    def of_generator(self, x: ms.Tensor, y: ms.Tensor, fake: ms.Tensor) -> tuple[ms.Tensor, ms.Tensor, ms.Tensor]:
        """The total loss and its unweighted parts, adversarial and L1 (mean absolute error), as scalars."""
        gan = adversarial_loss(self.classify(x, fake), 1.0)
        l1 = ops.abs(fake - y).mean()
        return self.settings.lambda_gan * gan + self.settings.lambda_l1 * l1, gan, l1
