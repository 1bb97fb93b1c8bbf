"""Checkpoints of one network: written with its own parameter names, read with any prefix.

A checkpoint may come from an untrusted source. It is therefore parsed here and not by MindSpore, whose
reader copies as many bytes as the file claims without checking how many there are.
"""

import binascii
import math
from dataclasses import dataclass
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
LARGEST = 2**31 - 1  # bytes; the limit of protobuf
CRC_MARK, CRC_BYTES = b"crc_num", 10  # appended by save_checkpoint(crc_check=True)
ABOUT = "pix2pix"  # the name of the description, which is stored like a text in append_dict of save_checkpoint
TEXT = "utf-32-le"  # numpy's encoding of a text, which MindSpore writes


@dataclass(frozen=True)
class Stored:
    """The content of a checkpoint file: float32 arrays by name, and the text of its description, if it has one."""

    arrays: dict[str, np.ndarray]
    about: str | None


def save_network(network: nn.Cell, prefix: str, path: Path, about: str | None = None) -> None:
    """Write the parameters of `network`, with `prefix` removed from their names, as a MindSpore checkpoint.

    `about` is a description of the network (pix2pix/model/description.py), written after the parameters. The
    SHA-256 of the file is written to a file beside it and verified on loading. The bytes are the same as those of
    save_checkpoint, which is not used because it prints its own messages when the disk is full.

    Raises:
        InputError: a parameter is not finite; nothing is written.
        OSError: the disk is full or the folder is not writable.
    """
    with replacing_checked(path) as scratch, open(scratch, "wb") as file:
        for parameter in stored_parameters(network):
            checkpoint = Checkpoint()
            value = checkpoint.value.add(tag=parameter.name.removeprefix(prefix))
            value.tensor.dims.extend(parameter.shape)
            value.tensor.tensor_type = "Float32"
            array = parameter.asnumpy()
            if not np.isfinite(array).all():
                raise InputError(
                    f"{path}: not written: {parameter.name} is no longer finite; lower lr or check the images"
                )
            value.tensor.tensor_content = array.tobytes()
            file.write(checkpoint.SerializeToString())
        if about is not None:
            checkpoint = Checkpoint()
            value = checkpoint.value.add(tag=ABOUT)
            value.tensor.dims.append(0)
            value.tensor.tensor_type, value.tensor.tensor_content = "str", about.encode(TEXT)
            file.write(checkpoint.SerializeToString())


def stored_parameters(network: nn.Cell) -> list[ms.Parameter]:
    """The parameters that belong in a checkpoint: weights and moving statistics, but not dropout masks."""
    return [parameter for parameter in network.get_parameters() if not parameter.name.endswith(".kept")]


def load_network(network: nn.Cell, path: Path, prefix: str = "") -> None:
    """Load a checkpoint, whose names may have any prefix (net_generator., ...), into `network`.

    Moving statistics may be missing because they are never used. `prefix` is the prefix of the network's own names.

    Raises:
        InputError: the checkpoint is missing or damaged, or its parameters are missing, have the wrong shape
            or type, or are not finite.
    """
    found = read_checkpoint(path).arrays
    expected = {parameter.name.removeprefix(prefix): parameter for parameter in stored_parameters(network)}
    prefix = _prefix(found, expected)
    missing = [name for name, own in expected.items() if prefix + name not in found and own.requires_grad]
    if missing:
        raise InputError(f"{path}: no float32 {_some(missing)}; was it trained with the same g_layers and norm?")
    present = {name: found[prefix + name] for name in expected if prefix + name in found}
    shapes = {name: (values.shape, expected[name].shape) for name, values in present.items()}
    misshapen = [f"{name} is {_by(its)}, not {_by(own)}" for name, (its, own) in shapes.items() if its != own]
    if misshapen:
        raise InputError(f"{path}: {_some(misshapen)}; set g_ngf (and g_layers) to the values it was trained with")
    if not_finite := [name for name, values in present.items() if not np.isfinite(values).all()]:
        raise InputError(f"{path}: NaN or infinite values in {_some(not_finite)}: its training diverged, use another")
    for name, values in present.items():
        expected[name].set_data(ms.Tensor(values))


def read_checkpoint(path: Path) -> Stored:
    """Read a checkpoint file.

    Raises:
        InputError: it is missing, damaged, of another kind, or has no float32 parameters.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint")
    if path.stat().st_size > LARGEST:
        raise InputError(f"{path}: is larger than 2 GiB, so it is not a checkpoint of a pix2pix network")
    verify(path, None)
    checkpoint = _parse(path)
    arrays: dict[str, np.ndarray] = {}
    about = None
    # a large tensor is stored as several pieces with the same name
    for name, pieces in groupby(checkpoint.value, key=lambda value: value.tag):
        tensors = [piece.tensor for piece in pieces if piece.HasField("tensor")]
        if name in arrays:
            raise InputError(f"{path}: contains {name} twice: the file is damaged or was assembled incorrectly")
        if name == ABOUT and tensors and tensors[0].tensor_type == "str":
            about = b"".join(tensor.tensor_content for tensor in tensors).decode(TEXT, "replace")
        elif tensors and tensors[0].tensor_type == "Float32":
            arrays[name] = _array(tensors, f"{path}: {name}")
    if not arrays:
        raise InputError(f"{path}: contains no float32 parameters: it is not a MindSpore checkpoint of a generator")
    return Stored(arrays, about)


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
            f"{path}: not a valid MindSpore checkpoint (truncated, damaged, or another kind of file)"
        ) from None
    return checkpoint


def _array(tensors: list, where: str) -> np.ndarray:
    """Join the pieces of one parameter into an array, after checking the number of bytes against its shape."""
    dims = list(tensors[0].dims)
    data = b"".join(tensor.tensor_content for tensor in tensors)
    needed = 4 * math.prod(dims)
    if not dims or min(dims) < 0 or needed != len(data):
        raise InputError(f"{where} has {len(data):,} bytes of data for the shape {dims}: the file is damaged")
    return np.frombuffer(data, "<f4").reshape(dims)


def _prefix(found: dict[str, np.ndarray], expected: dict[str, ms.Parameter]) -> str:
    """The prefix with which most of the expected names are found; the shortest in case of a tie."""
    first = next(iter(expected))
    prefixes = {name.removesuffix(first) for name in found if name == first or name.endswith(f".{first}")}
    score = {prefix: sum(prefix + name in found for name in expected) for prefix in prefixes | {""}}
    return max(score, key=lambda prefix: (score[prefix], -len(prefix)))


def _some(items: list[str]) -> str:
    more = f" and {len(items) - SHOWN_AT_MOST} more" if len(items) > SHOWN_AT_MOST else ""
    return ", ".join(items[:SHOWN_AT_MOST]) + more


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
