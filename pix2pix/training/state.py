"""The saved state of a training: everything that its next step depends on, in one file.

The file is in safetensors format. It contains all parameters of both networks and optimizers by name. Its
header contains the format version, the position, the history, a fingerprint of the settings and data, and a
checksum of everything.
"""

import json
import sys
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import mindspore as ms
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from pix2pix.config.settings import TrainSettings
from pix2pix.system.errors import InputError
from pix2pix.system.files import replacing, sync
from pix2pix.training.fingerprint import differences
from pix2pix.training.history import History, is_history
from pix2pix.training.optimizer import learning_rate

NEWEST, PREVIOUS = "state.safetensors", "previous.safetensors"
# files of version 1 have no version field, and their checksum covers only the parameters
VERSION = 2


@dataclass
class Position:
    """Progress of a training: `step` steps of epoch `epoch` (from 1) are done and took `seconds`.

    `threads`: the numbers of threads that it has used so far; each number rounds differently.
    """

    epoch: Annotated[int, Field(ge=1)] = 1
    step: Annotated[int, Field(ge=0)] = 0
    seconds: Annotated[float, Field(ge=0)] = 0.0
    history: History = field(default_factory=list)
    threads: list[Annotated[int, Field(ge=1)]] = field(default_factory=list)

    def is_past(self, epochs: int) -> bool:
        """Whether more than `epochs` epochs were trained, in whole or in part."""
        return (self.epoch, self.step) > (epochs + 1, 0)


class _Header(BaseModel):
    model_config = ConfigDict(strict=True)

    version: int = 1
    position: Position
    fingerprint: dict[str, Any]
    checksum: int


class UnusableStateError(Exception):
    """A saved state cannot be used, for the reason in the message; `differs` lists changed settings and data."""

    def __init__(self, reason: str, differs: dict[str, dict[str, object]] | None = None):
        super().__init__(reason)
        self.differs = differs or {}


def save_state(folder: Path, parameters: dict[str, ms.Parameter], position: Position, fingerprint: dict) -> None:
    """Write the state; the previous one is kept until the new one is completely on disk.

    Raises:
        InputError: a parameter is not finite, or the disk is full; states saved earlier are kept.
    """
    arrays = {name: np.ascontiguousarray(parameter.asnumpy()) for name, parameter in parameters.items()}
    if not_finite := [name for name, array in arrays.items() if not np.isfinite(array).all()]:
        raise InputError(
            f"training: {not_finite[0]} is no longer finite (epoch {position.epoch}, step {position.step}); "
            f"{kept(folder)}lower lr or check the images"
        )
    header = {"version": VERSION, "position": asdict(position), "fingerprint": fingerprint}
    texts = {name: json.dumps(value) for name, value in header.items()}
    try:
        with replacing(folder / NEWEST) as scratch:
            save_file(arrays, scratch, texts | {"checksum": json.dumps(_checksum(arrays, texts))})
            sync(scratch)
            if (folder / NEWEST).exists():
                (folder / NEWEST).replace(folder / PREVIOUS)
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{folder / NEWEST}: cannot be written ({error}); {kept(folder)}make room and start again"
        ) from None


def kept(folder: Path) -> str:
    """A part of a message: that the last state is kept, if there is one."""
    exists = any((folder / name).exists() for name in (NEWEST, PREVIOUS))
    return f"the last good state is kept in {folder}; " if exists else ""


def drop_previous(folder: Path) -> None:
    """Delete all but the newest state, which is that of a finished training."""
    (folder / PREVIOUS).unlink(missing_ok=True)


def resume(
    folder: Path, parameters: dict[str, ms.Parameter], settings: TrainSettings, fingerprint: dict, steps: int
) -> Position | None:
    """Load the newest usable state into `parameters` and return its position; None if there is no state.

    A state that is damaged, or has other settings or data, is logged and skipped. An epoch has `steps` steps.

    Raises:
        UnusableStateError: there are states, but none is usable; the reason is that of the newest.
        InputError: a state cannot be read (permissions or disk errors).
    """
    reasons = []
    for path in _states(folder):
        try:
            position = _load_state(path, parameters, settings, fingerprint, steps)
        except UnusableStateError as reason:
            reasons.append(reason)
            print(f"{path}: not used: {reason}", file=sys.stderr)
        else:
            print(f"{path}: resumed at epoch {position.epoch}, step {position.step}", file=sys.stderr)
            return position
    if reasons:
        raise reasons[0]
    return None


def later_position(folder: Path, settings: TrainSettings, compute_fingerprint: Callable[[], dict]) -> Position | None:
    """The position of the newest intact state in `folder`, if it belongs to this training and is past epoch_num.

    The fingerprint, which takes time to compute, is only computed if needed.

    Raises:
        InputError: a state cannot be read (permissions or disk errors).
    """
    for path in _states(folder):
        try:
            header = _read_header(path)
            if not header.position.is_past(settings.epoch_num):
                return None
            _read(path)
        except UnusableStateError:
            continue
        try:
            _check_training(header, settings, compute_fingerprint())
        except UnusableStateError:
            return None
        return header.position
    return None


def _states(folder: Path) -> list[Path]:
    """The existing states, newest first, after checking that each can be opened."""
    found = []
    for path in (folder / NEWEST, folder / PREVIOUS):
        try:
            with open(path, "rb"):
                found.append(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise InputError(
                f"{path}: cannot be read ({error.strerror}): make it readable, or move it away to start from scratch"
            ) from None
    return found


def resumable(
    folder: Path, parameters: dict[str, ms.Parameter], settings: TrainSettings, fingerprint: dict, steps: int
) -> Position | None:
    """The position that `resume` would return for the states in `folder`; nothing is loaded, damage is logged.

    Raises:
        InputError: a state cannot be read (permissions or disk errors).
    """
    for path in _states(folder):
        try:
            return _usable_state(path, parameters, settings, fingerprint, steps)[0]
        except UnusableStateError as reason:
            if str(reason).startswith("damaged"):
                print(f"{path}: not used: {reason}", file=sys.stderr)
    return None


def _load_state(
    path: Path, parameters: dict[str, ms.Parameter], settings: TrainSettings, fingerprint: dict, steps: int
) -> Position:
    position, arrays = _usable_state(path, parameters, settings, fingerprint, steps)
    for name, parameter in parameters.items():
        # a scalar is saved as an array of one element
        parameter.set_data(ms.Tensor(arrays[name].reshape(parameter.shape)))
    return position


def _usable_state(
    path: Path, parameters: dict[str, ms.Parameter], settings: TrainSettings, fingerprint: dict, steps: int
) -> tuple[Position, dict[str, np.ndarray]]:
    """The position and the parameters of a state that is intact and of this training."""
    _check_training(_read_header(path), settings, fingerprint)
    header, arrays = _read(path)
    position = header.position
    if position.is_past(settings.epoch_num):
        raise UnusableStateError(f"it is already past epoch_num {settings.epoch_num} (epoch {position.epoch})")
    if position.step > steps:
        raise UnusableStateError(f"damaged (step {position.step} of {steps})")
    present = {name: parameter.asnumpy() for name, parameter in parameters.items()}
    kinds = [{name: (array.size, array.dtype) for name, array in some.items()} for some in (arrays, present)]
    if kinds[0] != kinds[1]:
        raise UnusableStateError("damaged (its parameters do not match the networks)")
    return position, arrays


def _read(path: Path) -> tuple[_Header, dict[str, np.ndarray]]:
    """A state whose checksum matches."""
    header = _read_header(path)
    try:
        with safe_open(path, "numpy") as state:
            arrays = {name: state.get_tensor(name) for name in state.keys()}  # noqa: SIM118 (no mapping)
            texts = {name: value for name, value in state.metadata().items() if name != "checksum"}
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise UnusableStateError(f"damaged ({error})") from None
    if _checksum(arrays, texts if header.version > 1 else {}) != header.checksum:
        raise UnusableStateError("damaged (its checksum does not match)")
    return header, arrays


def _read_header(path: Path) -> _Header:
    try:
        with safe_open(path, "numpy") as state:
            values = {name: json.loads(value) for name, value in (state.metadata() or {}).items()}
        # as JSON: only there does a strict model accept a dictionary as a Position
        header = _Header.model_validate_json(json.dumps(values))
    except ValidationError as error:
        first = error.errors()[0]
        raise UnusableStateError(f"damaged ({'.'.join(map(str, first['loc']))}: {first['msg']})") from None
    except (SafetensorError, ValueError) as error:
        raise UnusableStateError(f"damaged ({error})") from None
    if header.version > VERSION:
        raise UnusableStateError(f"written by a newer version of the program (format {header.version})")
    if not is_history(header.position.history, header.position.epoch - 1):
        raise UnusableStateError("damaged (its history does not match its epoch)")
    return header


def _check_training(header: _Header, settings: TrainSettings, fingerprint: dict) -> None:
    """Check that a state belongs to the training with these settings and data, up to epoch_num."""
    differs = differences(header.fingerprint, fingerprint)
    if differs:
        changes = ", ".join(f"{name} was {value['was']}, is {value['is']}" for name, value in differs.items())
        raise UnusableStateError(f"of another training ({changes})", differs)
    for row in header.position.history[: settings.epoch_num]:
        if row["lr"] != (rate := learning_rate(int(row["epoch"]), settings)):
            raise UnusableStateError(
                f"n_epochs and n_epochs_decay now give epoch {row['epoch']} another learning rate",
                {"lr": {"was": row["lr"], "is": rate, "epoch": row["epoch"]}},
            )


def _checksum(arrays: dict[str, np.ndarray], texts: dict[str, str]) -> int:
    """The CRC-32 of all parameters, their names, and the header's texts."""
    checksum = 0
    for name in sorted(arrays):
        checksum = zlib.crc32(arrays[name].reshape(-1).view(np.uint8).data, zlib.crc32(name.encode(), checksum))
    for name in sorted(texts):
        checksum = zlib.crc32(f"{name}={texts[name]}".encode(), checksum)
    return checksum
