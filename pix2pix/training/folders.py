"""The folders of a training: which ones it uses, and locks on them.

A training uses the run's own folders, or separate ones if those belong to a longer training.
"""

import fcntl
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from pix2pix.config.settings import TrainSettings
from pix2pix.system.checksum import copy_checked
from pix2pix.system.disk import check_folder
from pix2pix.system.errors import InputError
from pix2pix.training.history import write_history
from pix2pix.training.state import later_position

POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Folders:
    """Where training writes: checkpoints, one sample image per epoch, loss curves, and the saved state."""

    ckpt: Path
    fakeimg: Path
    loss_show: Path
    state: Path

    @property
    def history(self) -> Path:
        """The file of the losses, one row per epoch."""
        return self.loss_show.parent / "history.csv"

    @property
    def snapshots(self) -> Path:
        """The folder of the networks saved after some epochs, and of the best generator."""
        return self.state.parent / "snapshots"

    @property
    def epochs(self) -> Path:
        """The folder of separate trainings to other final epochs, with one subfolder each."""
        return self.state.parent / "epochs"

    @property
    def earlier(self) -> Path:
        """The folder of trainings with other settings or data, which are moved to subfolders 1, 2, ..."""
        return self.state.parent / "earlier"

    def check(self) -> None:
        """Check, before a long training, that each folder can be written to; it need not exist yet.

        Raises:
            InputError: something else is in the place of a folder, it cannot be written to, or it is in another one.
        """
        used = (self.ckpt, self.fakeimg, self.loss_show, self.state, self.snapshots, self.epochs, self.earlier)
        for folder in used:
            check_folder(folder)
        for one, other in permutations(used, 2):
            if one.resolve().is_relative_to(other.resolve()):
                raise InputError(f"{one}: must not be the same folder as {other}, or in it: choose another folder")
        if self.history.is_dir():
            raise InputError(f"{self.history}: must be a file, and a folder is in the way: move it elsewhere")

    def separate(self, epochs: int) -> "Folders":
        """Separate folders for a training of `epochs` epochs beside a longer one; both share the checkpoint folder."""
        base = self.epochs / str(epochs)
        return Folders(self.ckpt, base / self.fakeimg.name, base / self.loss_show.name, base / self.state.name)

    def flags(self) -> list[str]:
        """The flags of scripts/train.py that name these folders."""
        names = {"ckpt_dir": self.ckpt, "train_fakeimg_dir": self.fakeimg, "loss_show_dir": self.loss_show}
        return [f"--{flag}={path}" for flag, path in (names | {"state_dir": self.state}).items()]


class InUseError(InputError):
    """Another process is training in the folder, to the end of epoch `epochs` (0: unknown)."""

    def __init__(self, folder: Path, owner: str):
        super().__init__(f"{folder}: another process is training here ({owner}); wait until it ends")
        found = re.search(r"to epoch (\d+)", owner)
        self.epochs = int(found[1]) if found else 0


@contextmanager
def locked(folder: Path, epochs: int) -> Iterator[None]:
    """Lock `folder` against other processes while the block trains there to the end of epoch `epochs`.

    Raises:
        InUseError: another process is already training there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise InUseError(folder, lock.read().strip()) from None
        lock.seek(0)
        lock.truncate()
        print(f"process {os.getpid()} on {socket.gethostname()}, to epoch {epochs}", file=lock, flush=True)
        yield


@contextmanager
def chosen_folders(
    folders: Folders, settings: TrainSettings, compute_fingerprint: Callable[[], dict]
) -> Iterator[Folders]:
    """Lock and yield the folders for a training to the end of epoch_num.

    These are `folders`, after waiting for any shorter training there to end. If the training there continues,
    or has continued, beyond epoch_num, they are separate folders, and that training is left untouched.

    Raises:
        InUseError: another process is training there to the same epoch.
        InputError: a state cannot be read.
    """
    chosen, waiting = folders, False
    with ExitStack() as stack:
        while True:
            try:
                lock = stack.enter_context(ExitStack())
                lock.enter_context(locked(chosen.state, settings.epoch_num))
            except InUseError as other:
                if chosen != folders or other.epochs in (0, settings.epoch_num):
                    raise
                if other.epochs > settings.epoch_num:
                    chosen = folders.separate(settings.epoch_num)
                    continue
                if not waiting:
                    print(f"waiting, to continue from there: {other}", file=sys.stderr, flush=True)
                waiting = True
                time.sleep(POLL_SECONDS)
                continue
            if chosen != folders or not later_position(folders.state, settings, compute_fingerprint):
                break
            lock.close()
            chosen = folders.separate(settings.epoch_num)
        yield chosen


def copy_snapshots(folders: Folders, settings: TrainSettings, compute_fingerprint: Callable[[], dict]) -> bool:
    """Copy the checkpoints of epoch_num from the snapshots of a longer training; return whether they exist.

    Its history up to that epoch is written where a separate training would write it. With eval_epoch_freq,
    nothing is copied, because the best generator there may be from a later epoch.
    """
    names = [f"{network}_{settings.epoch_num}.ckpt" for network in ("Generator", "Discriminator")]
    if settings.eval_epoch_freq or not all((folders.snapshots / name).is_file() for name in names):
        return False
    position = later_position(folders.state, settings, compute_fingerprint)
    if not position:
        return False
    write_history(position.history[: settings.epoch_num], folders.separate(settings.epoch_num).history)
    for name in names:
        copy_checked(folders.snapshots / name, folders.ckpt / name)
        print(f"{folders.ckpt / name}: kept in {folders.snapshots} and copied", file=sys.stderr)
    return True


def drop_snapshots(folders: Folders) -> None:
    """Delete the networks saved after some epochs, but not the best generator; the final ones are in `folders.ckpt`."""
    for path in folders.snapshots.glob("*_*.ckpt*"):
        if not path.name.startswith("Generator_best."):
            path.unlink()
