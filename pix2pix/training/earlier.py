"""Trainings with other settings or data: moved aside to earlier/1, 2, ..., and brought back when wanted again."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import mindspore as ms

from pix2pix.config.settings import TrainSettings
from pix2pix.evaluation.facts import FACTS, TRAINING_FACTS
from pix2pix.pages.training_page import STEP_HISTORY, TRAINING_PAGE
from pix2pix.system.files import natural_order, remove_scratch
from pix2pix.system.json_file import write_json
from pix2pix.training.folders import Folders
from pix2pix.training.state import NEWEST, PREVIOUS, Position, UnusableStateError, is_resumable, resume

SHOWN = (TRAINING_PAGE, TRAINING_FACTS, STEP_HISTORY, "tensorboard")


def continued(
    folders: Folders, parameters: dict[str, ms.Parameter], settings: TrainSettings, fingerprint: dict, steps: int
) -> Position | None:
    """Load the state of this training into `parameters` and return its position; None: it starts from scratch.

    A training with other settings or data in `folders` is moved aside. An earlier one with these is brought back.

    Raises:
        InputError: a state cannot be read (permissions or disk errors).
    """
    wanted = (parameters, settings, fingerprint, steps)
    unusable = None
    try:
        if position := resume(folders.state, *wanted):
            return position
    except UnusableStateError as error:
        unusable = error
    move_aside(folders, unusable)
    return resume(folders.state, *wanted) if bring_back(folders, lambda state: is_resumable(state, *wanted)) else None


def results_of(folders: Folders) -> list[Path]:
    """What a training writes besides its checkpoints and its state."""
    return [folders.history, folders.fakeimg, folders.loss_show, folders.snapshots, folders.epochs]


def move_aside(folders: Folders, reason: UnusableStateError | None) -> None:
    """Move everything that an earlier training left to earlier/1, earlier/2, ..., with the reason in facts.json.

    Thus nothing is lost or mixed up with the next training. Checkpoints are not moved: the state contains
    the same weights.
    """
    # states last: after an interruption, they still give the reason
    states = [folders.state / PREVIOUS, folders.state / NEWEST]
    left = [path for path in (*results_of(folders), *states) if path.exists()]
    if not left:
        return
    # what only shows the training is moved with its results
    base = folders.history.parent
    left += [path for name in SHOWN if (path := base / name).exists()]
    number = max((int(path.name) for path in folders.earlier.glob("*") if path.name.isdigit()), default=0) + 1
    target = folders.earlier / str(number)
    because = str(reason) if reason else "there is no state to resume it from"
    (target / folders.state.name).mkdir(parents=True)
    write_json({"because": because, "differs": reason.differs if reason else {}}, target / FACTS)
    for path in left:
        # of a killed process
        remove_scratch(path)
        shutil.move(path, target / (folders.state.name if path.parent == folders.state else "") / path.name)
    print(f"{folders.state.parent}: the earlier training is kept in {target}: {because}", file=sys.stderr)


def bring_back(folders: Folders, is_wanted: Callable[[Path], bool]) -> bool:
    """Move the newest earlier training whose state folder `is_wanted` back; return whether there is one.

    Nothing of another training may be left in `folders`.
    """
    for place in sorted(folders.earlier.glob("*"), key=lambda path: natural_order(path.name), reverse=True):
        if not is_wanted(place / folders.state.name):
            continue
        results = [*results_of(folders), *(folders.history.parent / name for name in SHOWN)]
        # states last: after an interruption, the next start finds them here
        for target in (*results, folders.state / PREVIOUS, folders.state / NEWEST):
            moved = place / (folders.state.name if target.parent == folders.state else "") / target.name
            if moved.exists() and not target.exists():
                shutil.move(moved, target)
        left = [path for path in place.rglob("*") if not path.is_dir() and path != place / FACTS]
        if not left:
            shutil.rmtree(place)
        print(f"{place}: was trained with these settings and data, and is continued", file=sys.stderr)
        return True
    return False
