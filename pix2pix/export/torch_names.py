"""The generator's weights under the names of the same network in PyTorch (timings/torch_pix2pix.py)."""

from collections.abc import Mapping

import numpy as np

ENDINGS = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}


def torch_weights(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rename the parameters, so that `load_state_dict` of `generator(g_ngf, g_layers)` there accepts them all."""
    renamed: dict[str, np.ndarray] = {}
    for name, array in weights.items():
        layer, ending = name.removeprefix("model.").rsplit(".", 1)
        renamed[f"{layer}.{ENDINGS.get(ending, ending)}"] = np.ascontiguousarray(array)
        if ending == "moving_mean":
            renamed[f"{layer}.num_batches_tracked"] = np.array(0, np.int64)
    return renamed
