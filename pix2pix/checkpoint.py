"""Checkpoints of one network: written under its own parameter names, read under any prefix."""

from pathlib import Path

import mindspore as ms
from mindspore import nn

from pix2pix.errors import InputError
from pix2pix.files import replacing

SHOWN_AT_MOST = 5


def save_network(network: nn.Cell, prefix: str, path: Path) -> None:
    """Write the parameters of `network`, without `prefix` before their names, as a MindSpore checkpoint."""
    parameters = [
        {"name": parameter.name.removeprefix(prefix), "data": parameter} for parameter in stored_parameters(network)
    ]
    with replacing(path) as scratch:
        # save_checkpoint adds the ending where it is missing
        written = scratch.with_name(f"{scratch.name}.ckpt")
        ms.save_checkpoint(parameters, str(written))
        written.replace(scratch)


def stored_parameters(network: nn.Cell) -> list[ms.Parameter]:
    """The parameters that belong in a checkpoint: weights and moving statistics, no dropout masks."""
    return [parameter for parameter in network.get_parameters() if not parameter.name.endswith(".kept")]


def load_network(network: nn.Cell, path: Path, prefix: str = "") -> None:
    """Fill `network` from a checkpoint whose names may carry any prefix (net_generator., ...).

    Moving statistics may be missing: they are never used. `prefix` is what the network's own names carry.

    Raises:
        InputError: no checkpoint, a truncated one, or one whose parameters are missing or differ in shape.
    """
    found = _read(path)
    expected = {parameter.name.removeprefix(prefix): parameter for parameter in stored_parameters(network)}
    prefix = _prefix(found, expected)
    missing, misshapen = [], []
    for name, parameter in expected.items():
        if prefix + name not in found:
            if parameter.requires_grad:
                missing.append(name)
        elif found[prefix + name].shape != parameter.shape:
            misshapen.append(f"{name} is {_by(found[prefix + name].shape)}, not {_by(parameter.shape)}")
        else:
            parameter.set_data(found[prefix + name])
    if missing:
        raise InputError(f"{path}: lacks {_some(missing)}; were g_layers and norm the same when it was trained?")
    if misshapen:
        raise InputError(f"{path}: {_some(misshapen)}; set g_ngf (and g_layers) as it was trained")


def _read(path: Path) -> dict[str, ms.Parameter]:
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint")
    try:
        return ms.load_checkpoint(str(path))
    except (ValueError, RuntimeError, TypeError) as error:
        raise InputError(f"{path}: no sound MindSpore checkpoint (truncated, or another kind of file)") from error


def _prefix(found: dict[str, ms.Parameter], expected: dict[str, ms.Parameter]) -> str:
    """The prefix under which most of the expected names stand; of several, the shortest."""
    first = next(iter(expected))
    prefixes = {name.removesuffix(first) for name in found if name == first or name.endswith(f".{first}")}
    score = {prefix: sum(prefix + name in found for name in expected) for prefix in prefixes | {""}}
    return max(score, key=lambda prefix: (score[prefix], -len(prefix)))


def _some(items: list[str]) -> str:
    more = f" and {len(items) - SHOWN_AT_MOST} more" if len(items) > SHOWN_AT_MOST else ""
    return ", ".join(items[:SHOWN_AT_MOST]) + more


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
