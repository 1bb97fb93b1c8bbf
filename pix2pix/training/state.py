"""The saved state of a training: everything that its next step depends on, in one file.

The file is in the safetensors format: all parameters of both networks and optimizers by name, and
in the header the format's version, the position, the history, a fingerprint of settings and data, and a
checksum over all of this.
"""

import hashlib
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
from pix2pix.training.history import History, is_history
from pix2pix.training.schedule import learning_rate

NEWEST, PREVIOUS = "state.safetensors", "previous.safetensors"
# 1, which does not say so, has the parameters alone under its checksum
VERSION = 2
# the schedule may be stretched where no past epoch's rate changes: it is compared by its rates
NOT_IN_FINGERPRINT = {"epoch_num", "n_epochs", "n_epochs_decay"}


@dataclass
class Position:
    """Where training stands: `step` steps of epoch `epoch` (from 1) are done, `seconds` were spent on them."""

    epoch: Annotated[int, Field(ge=1)] = 1
    step: Annotated[int, Field(ge=0)] = 0
    seconds: Annotated[float, Field(ge=0)] = 0.0
    history: History = field(default_factory=list)

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
    """A saved state that cannot be used; its text says why, `differs` what is not as it was."""

    def __init__(self, why: str, differs: dict[str, dict[str, object]] | None = None):
        super().__init__(why)
        self.differs = differs or {}


def fingerprint(settings: TrainSettings, files: list[Path], held_out: list[Path], workers: int) -> dict[str, object]:
    """What a state must agree with to be resumed: the settings that shape a step, the data, the workers."""
    data = {"data": _digest(files), "held_out": _digest(held_out), "device_num": workers}
    return settings.model_dump(exclude=NOT_IN_FINGERPRINT) | data


def _digest(files: list[Path]) -> str:
    data = hashlib.sha256()
    for file in files:
        with open(file, "rb") as records:
            data.update(hashlib.file_digest(records, "sha256").digest())
    return data.hexdigest()


def save_state(folder: Path, parameters: dict[str, ms.Parameter], position: Position, mark: dict) -> None:
    """Write the state; the one before it is kept until the new one is whole on the disk.

    Raises:
        InputError: a parameter is not finite, or the disk is full; the states saved before stay as they are.
    """
    arrays = {name: np.ascontiguousarray(parameter.asnumpy()) for name, parameter in parameters.items()}
    if spoilt := [name for name, array in arrays.items() if not np.isfinite(array).all()]:
        raise InputError(
            f"training: {spoilt[0]} is no longer finite (epoch {position.epoch}, step {position.step}); "
            f"the last good state is kept in {folder}; lower lr or check the images"
        )
    header = {"version": VERSION, "position": asdict(position), "fingerprint": mark}
    told = {name: json.dumps(value) for name, value in header.items()}
    try:
        with replacing(folder / NEWEST) as scratch:
            save_file(arrays, scratch, told | {"checksum": json.dumps(_checksum(arrays, told))})
            sync(scratch)
            if (folder / NEWEST).exists():
                (folder / NEWEST).replace(folder / PREVIOUS)
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{folder / NEWEST}: cannot be written ({error}); the state before it is kept: make room and start again"
        ) from None


def resume(
    folder: Path, parameters: dict[str, ms.Parameter], settings: TrainSettings, mark: dict, steps: int
) -> Position | None:
    """Fill `parameters` from the newest usable state and return its position; None where there is no state.

    A damaged state, or one of other settings or data, is logged and not used. An epoch has `steps` steps.

    Raises:
        UnusableStateError: there are states, and none can be used; why the newest cannot.
        InputError: a state cannot be read, for want of permission or because of the disk.
    """
    reasons = []
    for path in _states(folder):
        try:
            position = _load_state(path, parameters, settings, mark, steps)
        except UnusableStateError as why:
            reasons.append(why)
            print(f"{path}: not used: {why}", file=sys.stderr)
        else:
            print(f"{path}: resumed at epoch {position.epoch}, step {position.step}", file=sys.stderr)
            return position
    if reasons:
        raise reasons[0]
    return None


def further(folder: Path, settings: TrainSettings, mark: Callable[[], dict]) -> Position | None:
    """The position of the newest sound state in `folder`, if it is of this training, but past its last epoch.

    `mark` gives the fingerprint, which takes its time.

    Raises:
        InputError: a state cannot be read, for want of permission or because of the disk.
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
            _check_training(header, settings, mark())
        except UnusableStateError:
            return None
        return header.position
    return None


def _states(folder: Path) -> list[Path]:
    """The states that are there, newest first, all of which can be opened."""
    found = []
    for path in (folder / NEWEST, folder / PREVIOUS):
        try:
            with open(path, "rb"):
                found.append(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise InputError(
                f"{path}: cannot be read ({error.strerror}): make it readable, or move it away to start from nothing"
            ) from None
    return found


def _load_state(
    path: Path, parameters: dict[str, ms.Parameter], settings: TrainSettings, mark: dict, steps: int
) -> Position:
    header, arrays = _read(path)
    position = header.position
    _check_training(header, settings, mark)
    if position.is_past(settings.epoch_num):
        raise UnusableStateError(f"it is past epoch_num {settings.epoch_num} already (epoch {position.epoch})")
    if position.step > steps:
        raise UnusableStateError(f"damaged (step {position.step} of {steps})")
    present = {name: parameter.asnumpy() for name, parameter in parameters.items()}
    kinds = [{name: (array.size, array.dtype) for name, array in some.items()} for some in (arrays, present)]
    if kinds[0] != kinds[1]:
        raise UnusableStateError("damaged (its parameters are not those of the networks)")
    for name, parameter in parameters.items():
        # a number is saved as an array of one
        parameter.set_data(ms.Tensor(arrays[name].reshape(parameter.shape)))
    return position


def _read(path: Path) -> tuple[_Header, dict[str, np.ndarray]]:
    """A state whose checksum matches."""
    header = _read_header(path)
    try:
        with safe_open(path, "numpy") as state:
            arrays = {name: state.get_tensor(name) for name in state.keys()}  # noqa: SIM118 (no mapping)
            told = {name: value for name, value in state.metadata().items() if name != "checksum"}
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise UnusableStateError(f"damaged ({error})") from None
    if _checksum(arrays, told if header.version > 1 else {}) != header.checksum:
        raise UnusableStateError("damaged (its checksum does not match)")
    return header, arrays


def _read_header(path: Path) -> _Header:
    try:
        with safe_open(path, "numpy") as state:
            told = {name: json.loads(value) for name, value in (state.metadata() or {}).items()}
        # as JSON: elsewhere a strict model takes no dictionary for a Position
        header = _Header.model_validate_json(json.dumps(told))
    except ValidationError as error:
        first = error.errors()[0]
        raise UnusableStateError(f"damaged ({'.'.join(map(str, first['loc']))}: {first['msg']})") from None
    except (SafetensorError, ValueError) as error:
        raise UnusableStateError(f"damaged ({error})") from None
    if header.version > VERSION:
        raise UnusableStateError(f"written by a newer version of the program (format {header.version})")
    if not is_history(header.position.history, header.position.epoch - 1):
        raise UnusableStateError("damaged (its history does not lead to its epoch)")
    return header


def _check_training(header: _Header, settings: TrainSettings, mark: dict) -> None:
    """Whether a state is of the training with these settings and this data, up to its last epoch."""
    # what an older version did not write was then as it is by default
    assumed = {name: field.default for name, field in TrainSettings.model_fields.items()}
    found = {name: assumed.get(name, value) for name, value in mark.items()} | header.fingerprint
    differs = {
        name: {"was": found[name], "is": mark.get(name)} for name in sorted(found) if found[name] != mark.get(name)
    }
    if differs:
        changes = ", ".join(f"{name} was {value['was']}, is {value['is']}" for name, value in differs.items())
        raise UnusableStateError(f"of another training ({changes})", differs)
    for row in header.position.history[: settings.epoch_num]:
        if row["lr"] != (rate := learning_rate(int(row["epoch"]), settings)):
            raise UnusableStateError(
                f"n_epochs and n_epochs_decay now give epoch {row['epoch']} another learning rate",
                {"lr": {"was": row["lr"], "is": rate, "epoch": row["epoch"]}},
            )


def _checksum(arrays: dict[str, np.ndarray], told: dict[str, str]) -> int:
    """Of all parameters, their names, and the header's texts."""
    checksum = 0
    for name in sorted(arrays):
        checksum = zlib.crc32(arrays[name].reshape(-1).view(np.uint8).data, zlib.crc32(name.encode(), checksum))
    for name in sorted(told):
        checksum = zlib.crc32(f"{name}={told[name]}".encode(), checksum)
    return checksum
