"""The saved state of a training: everything that its next step depends on, in one file.

The file is in the safetensors format: all parameters of both networks and optimizers by name, and
in the header the position, the history, a fingerprint of settings and data, and a checksum.
"""

import fcntl
import hashlib
import json
import os
import socket
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import mindspore as ms
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from pix2pix.errors import InputError
from pix2pix.files import remove
from pix2pix.schedule import learning_rate
from pix2pix.settings import TrainSettings

NEWEST, PREVIOUS = "state.safetensors", "previous.safetensors"
# the schedule may be stretched where no past epoch's rate changes: it is compared by its rates
NOT_IN_FINGERPRINT = {"epoch_num", "n_epochs", "n_epochs_decay"}


@dataclass
class Position:
    """Where training stands: `step` steps of epoch `epoch` (from 1) are done, `seconds` were spent on them."""

    epoch: int = 1
    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


class UnusableStateError(Exception):
    """A saved state that cannot be used; its text says why."""


def fingerprint(settings: TrainSettings, files: list[Path], workers: int) -> dict[str, object]:
    """What a state must agree with to be resumed: the settings that shape a step, the data, the workers."""
    data = hashlib.sha256()
    for file in files:
        with open(file, "rb") as records:
            data.update(hashlib.file_digest(records, "sha256").digest())
    return settings.model_dump(exclude=NOT_IN_FINGERPRINT) | {"data": data.hexdigest(), "device_num": workers}


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep every other process from training in `folder` while the block runs.

    Raises:
        InputError: another process trains there already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise InputError(f"{folder}: another process trains here ({lock.read().strip()}); wait for it") from None
        lock.seek(0)
        lock.truncate()
        print(f"process {os.getpid()} on {socket.gethostname()}", file=lock, flush=True)
        yield


def save_state(folder: Path, parameters: dict[str, ms.Parameter], position: Position, mark: dict) -> None:
    """Write the state; the one before it is kept until the new one is whole on the disk."""
    arrays = {name: np.ascontiguousarray(parameter.asnumpy()) for name, parameter in parameters.items()}
    header = {"position": asdict(position), "fingerprint": mark, "checksum": _checksum(arrays)}
    part = folder / f".{NEWEST}.part"
    save_file(arrays, part, {name: json.dumps(value) for name, value in header.items()})
    with open(part, "rb") as written:
        os.fsync(written.fileno())
    if (folder / NEWEST).exists():
        (folder / NEWEST).replace(folder / PREVIOUS)
    part.replace(folder / NEWEST)


def resume(folder: Path, parameters: dict[str, ms.Parameter], settings: TrainSettings, mark: dict) -> Position | None:
    """Fill `parameters` from the newest usable state and return its position; None where there is none.

    A damaged state, or one of other settings or data, is said on the log and not used.
    """
    for name in (NEWEST, PREVIOUS):
        if (folder / name).exists():
            try:
                position = _load_state(folder / name, parameters, settings, mark)
            except UnusableStateError as why:
                print(f"{folder / name}: not used: {why}", file=sys.stderr)
            else:
                print(f"{folder / name}: resumed at epoch {position.epoch}, step {position.step}", file=sys.stderr)
                return position
    return None


def _load_state(path: Path, parameters: dict[str, ms.Parameter], settings: TrainSettings, mark: dict) -> Position:
    try:
        with safe_open(path, "numpy") as state:
            header = {name: json.loads(value) for name, value in (state.metadata() or {}).items()}
            position = Position(**header["position"])
            _check_fit(header["fingerprint"], position, settings, mark)
            arrays = {name: state.get_tensor(name) for name in state.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise UnusableStateError(f"damaged ({error})") from None
    if _checksum(arrays) != header["checksum"] or arrays.keys() != parameters.keys():
        raise UnusableStateError("damaged (its checksum does not match)")
    for name, parameter in parameters.items():
        parameter.set_data(ms.Tensor(arrays[name]))
    return position


def _check_fit(found: dict, position: Position, settings: TrainSettings, mark: dict) -> None:
    differ = sorted(key for key in found.keys() | mark.keys() if found.get(key) != mark.get(key))
    if differ:
        changes = ", ".join(f"{key} was {found.get(key)}, is {mark.get(key)}" for key in differ)
        raise UnusableStateError(f"of another training ({changes})")
    if position.epoch - 1 > settings.epoch_num or (position.epoch > settings.epoch_num and position.step):
        raise UnusableStateError(f"it is past epoch_num {settings.epoch_num} already (epoch {position.epoch})")
    for epoch in range(1, position.epoch + (position.step > 0)):
        was = position.history[epoch - 1]["lr"] if epoch < position.epoch else None
        if was is not None and was != learning_rate(epoch, settings):
            raise UnusableStateError(f"n_epochs and n_epochs_decay now give epoch {epoch} another learning rate")


def _checksum(arrays: dict[str, np.ndarray]) -> int:
    checksum = 0
    for name in sorted(arrays):
        checksum = zlib.crc32(arrays[name].reshape(-1).view(np.uint8), zlib.crc32(name.encode(), checksum))
    return checksum


def forget(folder: Path) -> None:
    """Delete the states in `folder`: what follows starts from nothing."""
    for name in (NEWEST, PREVIOUS):
        remove(folder / name)
