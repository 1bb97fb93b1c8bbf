"""Checkpoints of one network: written under its own parameter names, read under any prefix.

A checkpoint may come from anywhere, so it is parsed here and not by MindSpore, whose reader copies
what the file says without a look at how many bytes there are.
"""

import binascii
import math
from itertools import groupby
from pathlib import Path

import mindspore as ms
import numpy as np
from google.protobuf.message import DecodeError
from mindspore import nn
from mindspore.train.checkpoint_pb2 import Checkpoint

from pix2pix.system.checksum import replacing_checked, verify
from pix2pix.system.errors import InputError

SHOWN_AT_MOST = 5
LARGEST = 2**31 - 1  # bytes; protobuf reads no more
CRC_MARK, CRC_BYTES = b"crc_num", 10  # what save_checkpoint(crc_check=True) puts at the end


def save_network(network: nn.Cell, prefix: str, path: Path) -> None:
    """Write the parameters of `network`, without `prefix` before their names, as a MindSpore checkpoint.

    Its SHA-256 is written beside it, and checked when it is loaded. The bytes are those of save_checkpoint, whose
    own words about a full disk would stand above ours.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    with replacing_checked(path) as scratch, open(scratch, "wb") as file:
        for parameter in stored_parameters(network):
            checkpoint = Checkpoint()
            value = checkpoint.value.add(tag=parameter.name.removeprefix(prefix))
            value.tensor.dims.extend(parameter.shape)
            value.tensor.tensor_type = "Float32"
            value.tensor.tensor_content = parameter.asnumpy().tobytes()
            file.write(checkpoint.SerializeToString())


def stored_parameters(network: nn.Cell) -> list[ms.Parameter]:
    """The parameters that belong in a checkpoint: weights and moving statistics, no dropout masks."""
    return [parameter for parameter in network.get_parameters() if not parameter.name.endswith(".kept")]


def load_network(network: nn.Cell, path: Path, prefix: str = "") -> None:
    """Fill `network` from a checkpoint whose names may carry any prefix (net_generator., ...).

    Moving statistics may be missing: they are never used. `prefix` is what the network's own names carry.

    Raises:
        InputError: no checkpoint, a damaged one, or one whose parameters are missing, of another shape or
            type, or not finite.
    """
    found = _read(path)
    expected = {parameter.name.removeprefix(prefix): parameter for parameter in stored_parameters(network)}
    prefix = _prefix(found, expected)
    missing = [name for name, own in expected.items() if prefix + name not in found and own.requires_grad]
    if missing:
        raise InputError(f"{path}: no float32 {_some(missing)}; were g_layers and norm the same when it was trained?")
    present = {name: found[prefix + name] for name in expected if prefix + name in found}
    shapes = {name: (values.shape, expected[name].shape) for name, values in present.items()}
    misshapen = [f"{name} is {_by(its)}, not {_by(own)}" for name, (its, own) in shapes.items() if its != own]
    if misshapen:
        raise InputError(f"{path}: {_some(misshapen)}; set g_ngf (and g_layers) as it was trained")
    if not_finite := [name for name, values in present.items() if not np.isfinite(values).all()]:
        raise InputError(f"{path}: NaN or infinite values in {_some(not_finite)}: its training diverged; use another")
    for name, values in present.items():
        expected[name].set_data(ms.Tensor(values))


def _read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a checkpoint file by name, float32."""
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint")
    if path.stat().st_size > LARGEST:
        raise InputError(f"{path}: is larger than 2 GiB, so not the checkpoint of a pix2pix network")
    verify(path, None)
    checkpoint = _parse(path)
    arrays: dict[str, np.ndarray] = {}
    # a large tensor comes in several pieces of one name
    for name, pieces in groupby(checkpoint.value, key=lambda value: value.tag):
        tensors = [piece.tensor for piece in pieces if piece.HasField("tensor")]
        if name in arrays:
            raise InputError(f"{path}: {name} is there twice: the file is damaged or was put together wrongly")
        if tensors and tensors[0].tensor_type == "Float32":
            arrays[name] = _array(tensors, f"{path}: {name}")
    if not arrays:
        raise InputError(f"{path}: no float32 parameters in it: it is not a MindSpore checkpoint of a generator")
    return arrays


def _parse(path: Path) -> Checkpoint:
    content = path.read_bytes()
    mark = len(content) - CRC_BYTES - len(CRC_MARK)
    checked = content[mark:-CRC_BYTES] == CRC_MARK
    body = content[:mark] if checked else content
    checkpoint = Checkpoint()
    try:
        if checked and binascii.crc32(body) != int.from_bytes(content[-CRC_BYTES:]):
            raise DecodeError
        checkpoint.ParseFromString(body)
    except DecodeError:
        raise InputError(
            f"{path}: not a sound MindSpore checkpoint (truncated, damaged, or another kind of file)"
        ) from None
    return checkpoint


def _array(tensors: list, where: str) -> np.ndarray:
    """The pieces of one parameter as an array, once there are as many bytes as its shape needs."""
    dims = list(tensors[0].dims)
    data = b"".join(tensor.tensor_content for tensor in tensors)
    needed = 4 * math.prod(dims)
    if not dims or min(dims) < 0 or needed != len(data):
        raise InputError(f"{where} has {len(data):,} bytes of data for the shape {dims}: the file is damaged")
    return np.frombuffer(data, "<f4").reshape(dims)


def _prefix(found: dict[str, np.ndarray], expected: dict[str, ms.Parameter]) -> str:
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
