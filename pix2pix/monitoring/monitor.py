"""The monitor of a training: when to write what.

It bounds its own cost. After each page, each sample within an epoch and each drawing of the loss curves it waits at
least 400 times as long as that took, so that they take at most 0.75 % of the time after the first of them.
"""

import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import mindspore as ms
import numpy as np

from pix2pix import __version__
from pix2pix.config.settings import TrainSettings, WhereSettings
from pix2pix.evaluation.facts import TRAINING_FACTS, read_training_facts
from pix2pix.monitoring.event_files import EventFiles
from pix2pix.monitoring.step_history import LOSSES, StepHistory
from pix2pix.pages.training_page import STEP_HISTORY, TRAINING_PAGE, Now, write_training_page
from pix2pix.system.errors import InputError
from pix2pix.system.json_file import write_json

FIRST_PAGE, BETWEEN_PAGES = 5.0, 10.0  # seconds
FIRST_SAMPLE, BETWEEN_SAMPLES_AT_MOST = 10.0, 3600.0
REST = 400  # times the duration of a page or a sample
SMOOTHED_PACE = 20.0  # seconds that the shown milliseconds per step are averaged over

Sampler = Callable[[Path], None]
Drawing = Callable[[], None]


class Monitor:
    """Shows a training in `folder`: training.html, history_steps.csv, samples, and event files if requested.

    Its own failures, for example a full disk, are reported once and do not end the training.
    """

    def __init__(
        self, folder: Path, samples: Path, where: WhereSettings, settings: TrainSettings, pairs: int, workers: int
    ):
        self.folder, self.samples, self.where = folder, samples, where
        self.now = Now(title=_title(folder.absolute()), epochs=settings.epoch_num, workers=workers)
        self.facts = {
            "started": datetime.now().astimezone().isoformat(timespec="seconds"),
            "host": socket.gethostname(),
            "process": os.getpid(),
            "device": where.device_target,
            "precision": settings.precision,
            "workers": workers,
            "nodes": where.nodes,
            "threads": [],
            "pairs": pairs,
            "version": __version__,
            "mindspore": ms.__version__,
        }
        self.events: EventFiles | None = None
        self.reported = self.closing = False

    def begin(self, epoch: int, step: int, steps: int, threads: list[int]) -> None:
        """Start after `step` of the `steps` steps of `epoch` (from 1); `threads`: numbers of threads used so far."""
        self.now.epoch, self.now.step, self.now.steps = epoch, step, steps
        self.facts["threads"] = threads
        if epoch > self.now.epochs:
            # finished: only the checkpoints are written again
            self.facts |= self._earlier_facts()
        self.started = self.pace_since = time.monotonic()
        self.pace_at = self.now.done
        self.start_clock = True
        self.page_at = self.sample_at = self.curves_at = 0.0
        self.history = StepHistory(self.folder / STEP_HISTORY, self.now.done, steps)
        self.sums = self.history.sums()
        self.trying(self._begin)

    def _begin(self) -> None:
        self.history.rewrite()
        if self.where.tensorboard:
            self.events = EventFiles(self.folder / "tensorboard", self.now.done)
        write_json(self.facts, self.folder / TRAINING_FACTS)
        self.write_page()

    def _earlier_facts(self) -> dict[str, object]:
        """What training.json says, if it can be read."""
        with suppress(InputError):
            if facts := read_training_facts(self.folder / TRAINING_FACTS):
                return facts.model_dump()
        return {}

    def after_step(
        self,
        epoch: int,
        step: int,
        seconds: float,
        lr: float,
        read_sums: Callable[[], np.ndarray],
        sample: Sampler,
    ) -> None:
        """Note that `step` steps of `epoch` are done in `seconds`, and write what is due.

        Args:
            read_sums: returns the sums of the epoch's losses so far, float32 of shape (4,).
            sample: writes an image with samples to a path.
        """
        now = self.now
        now.epoch, now.step, now.lr = epoch, step, lr
        due, clock = step % self.where.log_steps == 0 or step == now.steps, time.monotonic()
        if self.start_clock:
            # from the first step on, which takes long because it compiles the networks
            self.start_clock = False
            self.started = self.pace_since = clock
            self.pace_at = now.done
            self.page_at, self.sample_at = clock + FIRST_PAGE, clock + FIRST_SAMPLE
        if not due and clock < min(self.page_at, self.sample_at):
            return
        if due:
            self.trying(self._add_row, seconds, read_sums())
        if clock >= self.sample_at and step < now.steps:
            self.trying(self.take_sample, self.samples / f"epoch_{now.epoch:04d}_step_{step:07d}.png", sample)
        if clock >= self.page_at:
            self.trying(self.write_page, seconds, read_sums())

    def _add_row(self, seconds: float, sums: np.ndarray) -> None:
        means = self.history.means(self.now.done, sums, self.sums)
        # the epoch's sums start again at 0
        self.sums = np.zeros(len(LOSSES)) if self.now.step == self.now.steps else sums.astype(np.float64)
        self.history.append((self.now.epoch, self.now.done, self.now.lr, *map(float, means), round(seconds, 3)))
        if self.events:
            scalars = dict(zip(LOSSES, map(float, means), strict=True)) | {"lr": self.now.lr}
            self.events.add_scalars(scalars, self.now.done)

    def take_sample(self, path: Path, sample: Sampler) -> None:
        """Write samples to `path`, and plan the next."""
        start = time.monotonic()
        sample(path)
        end = time.monotonic()
        # at growing intervals, since there is less and less to see
        wait = min(max((end - self.started) / 2, FIRST_SAMPLE), BETWEEN_SAMPLES_AT_MOST)
        self.sample_at = end + max(wait, REST * (end - start))
        if self.events:
            self.events.add_image(path, self.now.done)

    def end_epoch(self, sample: Sampler, draw_curves: Drawing) -> None:
        """Write the samples of a finished epoch, and draw the loss curves if it is time."""
        # not within `trying`: as for the history, a full disk ends the training with a message
        self.take_sample(self.samples / f"epoch_{self.now.epoch:04d}.png", sample)
        if (start := time.monotonic()) >= self.curves_at:
            self.trying(draw_curves)
            end = time.monotonic()
            self.curves_at = end + REST * (end - start)

    def close(self, status: str, draw_curves: Drawing) -> None:
        """Draw the curves and write the page for the last time: with "finished", or with why the training ended."""
        self.now.status, self.closing = status, True
        self.trying(draw_curves)
        self.trying(self.write_page)
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        self.facts |= {"ended": self.facts.get("ended") or now, "status": status}
        self.trying(write_json, self.facts, self.folder / TRAINING_FACTS)
        if self.events:
            self.events.close()

    def write_page(self, seconds: float = 0.0, sums: np.ndarray | None = None) -> None:
        """Write training.html; with `sums`, the steps since the last row become its last point."""
        start, now = time.monotonic(), self.now
        rows = list(self.history.rows)
        if sums is not None and now.done > self.history.at and now.step < now.steps:
            means = self.history.means(now.done, sums, self.sums)
            rows.append((now.epoch, now.done, now.lr, *map(float, means), seconds))
        if not self.start_clock and now.done > self.pace_at:
            now.milliseconds = 1000 * (start - self.pace_since) / (now.done - self.pace_at)
            if start - self.pace_since > SMOOTHED_PACE:
                self.pace_since, self.pace_at = start, now.done
        write_training_page(self.folder / TRAINING_PAGE, now, rows, self.samples, self.facts)
        end = time.monotonic()
        self.page_at = end + max(BETWEEN_PAGES, REST * (end - start))

    def trying(self, action: Callable, *arguments: object) -> None:
        """Call `action`; report its failure to write, the first time."""
        try:
            action(*arguments)
        except OSError as error:
            self.page_at = self.sample_at = time.monotonic() + BETWEEN_SAMPLES_AT_MOST
            if not self.reported:
                name = error.filename or self.folder
                then = "" if self.closing else "; training goes on"
                print(f"{name}: cannot be written ({error.strerror or error}){then}", file=sys.stderr)
            self.reported = True


def _title(folder: Path) -> str:
    """The run's name; a separate training lies in results/{run}/epochs/{number}."""
    if folder.parent.name == "epochs":
        return f"{folder.parent.parent.name}, to epoch {folder.name}"
    return folder.name
