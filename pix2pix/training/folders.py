"""Where a training works, where an earlier one goes that it does not continue, and who may write there.

A training works in the run's own folders, or in folders of its own where those belong to a longer training.
"""

import fcntl
import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pix2pix.config.settings import TrainSettings
from pix2pix.evaluation.facts import FACTS
from pix2pix.system.checksum import copy_checked
from pix2pix.system.errors import InputError
from pix2pix.system.json_file import write_json
from pix2pix.training.history import write_history
from pix2pix.training.state import NEWEST, PREVIOUS, UnusableStateError, further

SECONDS_BETWEEN_LOOKS = 1.0


@dataclass(frozen=True)
class Folders:
    """Where training writes: checkpoints, one image per epoch, loss curves, and what it resumes from."""

    ckpt: Path
    fakeimg: Path
    loss_show: Path
    state: Path

    @property
    def history(self) -> Path:
        """The losses, one row per epoch."""
        return self.loss_show.parent / "history.csv"

    @property
    def snapshots(self) -> Path:
        """The networks as they were after some epochs, and the best generator."""
        return self.state.parent / "snapshots"

    @property
    def epochs(self) -> Path:
        """What was trained apart, to other ends than this training's, a folder each."""
        return self.state.parent / "epochs"

    def apart(self, epochs: int) -> "Folders":
        """Folders for a training to the end of `epochs`, beside one that went further; the checkpoints' is the same."""
        base = self.epochs / str(epochs)
        return Folders(self.ckpt, base / self.fakeimg.name, base / self.loss_show.name, base / self.state.name)

    def flags(self) -> list[str]:
        """The flags of scripts/train.py that name these folders."""
        names = {"ckpt_dir": self.ckpt, "train_fakeimg_dir": self.fakeimg, "loss_show_dir": self.loss_show}
        return [f"--{flag}={path}" for flag, path in (names | {"state_dir": self.state}).items()]


def move_aside(folders: Folders, why: UnusableStateError | None) -> None:
    """Move all that an earlier training left to earlier/1, earlier/2, ..., with the reason in facts.json.

    So that nothing of it is lost, or taken for the next one's. Checkpoints stay where they are: the state holds
    what is in them.
    """
    results = [folders.history, folders.fakeimg, folders.loss_show, folders.snapshots, folders.epochs]
    # the states last: after an interruption they say again why
    left = [path for path in (*results, folders.state / PREVIOUS, folders.state / NEWEST) if path.exists()]
    if not left:
        return
    earlier = folders.state.parent / "earlier"
    number = max((int(path.name) for path in earlier.glob("*") if path.name.isdigit()), default=0) + 1
    target = earlier / str(number)
    because = str(why) if why else "there is no state to resume it from"
    (target / folders.state.name).mkdir(parents=True)
    write_json({"because": because, "differs": why.differs if why else {}}, target / FACTS)
    for path in left:
        shutil.move(path, target / (folders.state.name if path.parent == folders.state else "") / path.name)
    print(f"{folders.state.parent}: the earlier training is kept in {target}: {because}", file=sys.stderr)


class InUseError(InputError):
    """Another process trains in the folder, to the end of `epochs` (0: it does not say)."""

    def __init__(self, folder: Path, owner: str):
        super().__init__(f"{folder}: another process trains here ({owner}); wait for it")
        found = re.search(r"to epoch (\d+)", owner)
        self.epochs = int(found[1]) if found else 0


@contextmanager
def locked(folder: Path, epochs: int) -> Iterator[None]:
    """Keep every other process from training in `folder` while the block trains there to the end of `epochs`.

    Raises:
        InUseError: another process trains there already.
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
def placed(folders: Folders, settings: TrainSettings, mark: Callable[[], dict]) -> Iterator[Folders]:
    """Yield the folders to train in to the end of epoch_num, which no other process then trains in.

    They are `folders`, after a shorter training there has ended, or folders apart where the training goes
    on, or went, beyond epoch_num: nothing of it is touched. `mark` gives the fingerprint.

    Raises:
        InUseError: another process trains there to the same end.
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
                    chosen = folders.apart(settings.epoch_num)
                    continue
                if not waiting:
                    print(f"waiting, to go on from there: {other}", file=sys.stderr, flush=True)
                waiting = True
                time.sleep(SECONDS_BETWEEN_LOOKS)
                continue
            if chosen != folders or not further(folders.state, settings, mark):
                break
            lock.close()
            chosen = folders.apart(settings.epoch_num)
        yield chosen


def serve(folders: Folders, settings: TrainSettings, mark: Callable[[], dict]) -> bool:
    """Copy the checkpoints of epoch_num from the snapshots of a longer training, if it has kept them.

    Its history up to there goes to where it would be of a training apart. Where the best generator is chosen,
    it may be one of later epochs there: nothing is copied.
    """
    names = [f"{network}_{settings.epoch_num}.ckpt" for network in ("Generator", "Discriminator")]
    if settings.eval_epoch_freq or not all((folders.snapshots / name).is_file() for name in names):
        return False
    position = further(folders.state, settings, mark)
    if not position:
        return False
    write_history(position.history[: settings.epoch_num], folders.apart(settings.epoch_num).history)
    for name in names:
        copy_checked(folders.snapshots / name, folders.ckpt / name)
        print(f"{folders.ckpt / name}: kept in {folders.snapshots} and copied", file=sys.stderr)
    return True
