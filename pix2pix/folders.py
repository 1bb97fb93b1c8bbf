"""Where a training writes, and where an earlier one goes that it does not continue."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from pix2pix.facts import FACTS, write_json
from pix2pix.state import NEWEST, PREVIOUS, UnusableStateError


@dataclass(frozen=True)
class Folders:
    """Where training writes: checkpoints, a picture an epoch, loss curves, and what it resumes from."""

    ckpt: Path
    fakeimg: Path
    loss_show: Path
    state: Path

    @property
    def history(self) -> Path:
        """The losses, a row an epoch."""
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
