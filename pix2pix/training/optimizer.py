"""Adam, with its entire state in named parameters, so that it can be saved and restored, and its learning rate."""

import mindspore as ms
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from pix2pix.config.settings import TrainSettings


def learning_rate(epoch: int, settings: TrainSettings) -> float:
    """The learning rate of `epoch` (from 1): lr for n_epochs, then a linear decay to 0 over n_epochs_decay.

    The last epoch of the decay has the rate lr / (n_epochs_decay + 1); the next one would have 0.
    """
    past = max(0, epoch - settings.n_epochs)
    return settings.lr * (1 - past / (settings.n_epochs_decay + 1))


class Adam(nn.Cell):
    """Adam (Kingma and Ba 2015, algorithm 1 in the efficient form of section 2) with MindSpore's fused kernel.

    Args:
        parameters: the parameters to train.
        prefix: prefix of the names of the moments, different for each optimizer.
        beta1, beta2: decay rates of the first and second moments, in [0, 1).
    """

    def __init__(self, parameters: list[Parameter], prefix: str, beta1: float, beta2: float):
        super().__init__()
        self.trained = ParameterTuple(parameters)
        self.first = self.trained.clone(prefix=f"{prefix}.m", init="zeros")
        self.second = self.trained.clone(prefix=f"{prefix}.v", init="zeros")
        self.power1 = Parameter(Tensor(1.0, ms.float32), name=f"{prefix}.beta1_power")
        self.power2 = Parameter(Tensor(1.0, ms.float32), name=f"{prefix}.beta2_power")
        self.beta1 = Tensor(beta1, ms.float32)
        self.beta2 = Tensor(beta2, ms.float32)
        self.epsilon = Tensor(1e-8, ms.float32)
        self.update = ops.Adam()

    def construct(self, gradients, lr):
        power1 = self.power1 * self.beta1
        power2 = self.power2 * self.beta2
        self.power1 = power1
        self.power2 = power2
        updated = lr
        for i in range(len(self.trained)):
            updated = self.update(
                self.trained[i],
                self.first[i],
                self.second[i],
                power1,
                power2,
                lr,
                self.beta1,
                self.beta2,
                self.epsilon,
                gradients[i],
            )
        # available once the last update is done
        return updated
