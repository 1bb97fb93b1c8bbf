"""Trainings with other settings or data: moved aside to earlier/1, 2, ..., and brought back when wanted again."""

import os
import re
import shutil
import sys
from pathlib import Path

import mindspore as ms

from pix2pix.config.settings import TrainSettings
from pix2pix.evaluation.facts import FACTS, TRAINING_FACTS
from pix2pix.pages.training_page import STEP_HISTORY, TRAINING_PAGE
from pix2pix.system.files import remove, remove_scratch, replacing
from pix2pix.system.json_file import write_json
from pix2pix.training.folders import Folders
from pix2pix.training.state import NEWEST, PREVIOUS, Position, UnusableStateError, resumable, resume

MOVING = "moving"  # a file in earlier/N while a training is moved there ("aside") or from there ("back")
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
    _finish_moves(folders)
    try:
        if position := resume(folders.state, *wanted):
            return position
    except UnusableStateError as error:
        unusable = error
    _move_aside(folders, unusable)
    return resume(folders.state, *wanted) if _bring_back(folders, *wanted) else None


def _move_aside(folders: Folders, reason: UnusableStateError | None) -> None:
    """Move everything that an earlier training left to earlier/1, earlier/2, ..., with the reason in facts.json.

    Thus nothing is lost or mixed up with the next training. Checkpoints are not moved: the state contains
    the same weights.
    """
    shown = [folders.history.parent / name for name in SHOWN]
    if not any(os.path.lexists(here) and here not in shown for here, _ in _moves(folders, folders.earlier)):
        return
    place = folders.earlier / str(max(map(int, _places(folders)), default=0) + 1)
    because = str(reason) if reason else "there is no state to resume it from"
    with replacing(place) as scratch:
        (scratch / folders.state.name).mkdir(parents=True)
        write_json({"because": because, "differs": reason.differs if reason else {}}, scratch / FACTS)
        (scratch / MOVING).write_text("aside")
    _finish_moves(folders)
    print(f"{folders.state.parent}: the earlier training is kept in {place}: {because}", file=sys.stderr)


def _bring_back(
    folders: Folders, parameters: dict[str, ms.Parameter], settings: TrainSettings, fingerprint: dict, steps: int
) -> bool:
    """Move the most advanced earlier training with these settings and data back; return whether there is one."""
    found = {}
    for name, place in _places(folders).items():
        if position := resumable(place / folders.state.name, parameters, settings, fingerprint, steps):
            found[position.epoch, position.step, int(name)] = place
    if not found:
        return False
    place = found[max(found)]
    with replacing(place / MOVING) as scratch:
        scratch.write_text("back")
    _finish_moves(folders)
    print(f"{place}: was trained with these settings and data, and is continued", file=sys.stderr)
    return True


def _places(folders: Folders) -> dict[str, Path]:
    """The folders earlier/1, earlier/2, ... by their numbers; what else is in earlier/ is the user's."""
    return {
        path.name: path for path in folders.earlier.glob("*") if re.fullmatch("[0-9]+", path.name) and path.is_dir()
    }


def _moves(folders: Folders, place: Path) -> list[tuple[Path, Path]]:
    """Where everything that a training writes, besides its checkpoints, is in use, and where in `place`."""
    base = folders.history.parent
    results = [folders.history, folders.fakeimg, folders.loss_show, folders.snapshots, folders.epochs]
    moves = [(path, place / path.name) for path in (*results, *(base / name for name in SHOWN))]
    return moves + [(folders.state / name, place / folders.state.name / name) for name in (PREVIOUS, NEWEST)]


def _finish_moves(folders: Folders) -> None:
    """Do what the files MOVING say: also of a process that was killed, so that a training stays together."""
    for place in _places(folders).values():
        if not (place / MOVING).exists():
            continue
        back = (place / MOVING).read_text() == "back"
        for here, there in _moves(folders, place):
            if back and os.path.lexists(there) and here.name in SHOWN:
                # of a training that was killed in its first epoch
                remove(here)
            source, target = (there, here) if back else (here, there)
            if os.path.lexists(source) and not os.path.lexists(target):
                # of a killed process
                remove_scratch(source)
                _move(source, target)
        if back and not [path for path in place.rglob("*") if not path.is_dir() and path.name not in (FACTS, MOVING)]:
            shutil.rmtree(place)
        else:
            (place / MOVING).unlink()


def _move(source: Path, target: Path) -> None:
    """Move a file or a folder; a symbolic link keeps its target."""
    if source.is_symlink():
        target.symlink_to(source.parent.absolute() / source.readlink())
        source.unlink()
    else:
        shutil.move(source, target)
