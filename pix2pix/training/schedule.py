"""The learning rate by epoch."""

from pix2pix.config.settings import TrainSettings


def learning_rate(epoch: int, settings: TrainSettings) -> float:
    """The learning rate of `epoch` (from 1): lr for n_epochs, then a linear decay to 0 over n_epochs_decay.

    The last epoch of the decay has the rate lr / (n_epochs_decay + 1); the next one would have 0.
    """
    past = max(0, epoch - settings.n_epochs)
    return settings.lr * (1 - past / (settings.n_epochs_decay + 1))
