"""The fingerprint of a training: what must match for its saved state to be resumed."""

import hashlib
from pathlib import Path

from pix2pix.config.settings import TrainSettings
from pix2pix.system.checksum import remembered_sha256, sha256_of

# the schedule may be extended if past learning rates stay the same: the rates are compared instead
NOT_IN_FINGERPRINT = {"epoch_num", "n_epochs", "n_epochs_decay"}
INITIAL_WEIGHTS = ("init_ckpt", "init_d_ckpt")
# what versions without these settings did, where it is not the default
FORMERLY: dict[str, object] = {"keep_aspect": False}


def fingerprint_of(settings: TrainSettings, files: list[Path], held_out: list[Path], workers: int) -> dict[str, object]:
    """What must match for a state to be resumed: settings that affect a step, data, and number of workers."""
    data: dict[str, object] = {"data": _digest(files), "held_out": _digest(held_out), "device_num": workers}
    # the content of initial weights, wherever they are
    data |= {key: sha256_of(Path(path)) for key in INITIAL_WEIGHTS if (path := getattr(settings, key)) is not None}
    return settings.model_dump(mode="json", exclude=NOT_IN_FINGERPRINT) | data


def _digest(files: list[Path]) -> str:
    data = hashlib.sha256()
    for file in files:
        data.update(bytes.fromhex(remembered_sha256(file)))
    return data.hexdigest()


def differences(saved: dict[str, object], current: dict[str, object]) -> dict[str, dict[str, object]]:
    """What differs between a saved fingerprint and the current one: {name: {"was": ..., "is": ...}}.

    Settings that the version which saved the state did not have are assumed to have had their defaults, or
    what that version did.
    """
    defaults = {name: field.default for name, field in TrainSettings.model_fields.items()} | FORMERLY
    found = {name: defaults.get(name, value) for name, value in current.items()} | saved
    return {
        name: {"was": found[name], "is": current.get(name)}
        for name in sorted(found)
        if found[name] != current.get(name)
    }
