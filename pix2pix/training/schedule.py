"""The learning rate by epoch."""

from pix2pix.config.settings import TrainSettings


def learning_rate(epoch: int, settings: TrainSettings) -> float:
    """Rate of `epoch` (from 1): lr for n_epochs, then falling linearly to 0 over n_epochs_decay.

    The last epoch of the decay still learns, at lr / (n_epochs_decay + 1); the one after it would have rate 0.
    """
    past = max(0, epoch - settings.n_epochs)
    return settings.lr * (1 - past / (settings.n_epochs_decay + 1))
