"""The training loop of one run, from the first step or from the point of interruption.

Read `Training.run` (epochs) first, then `train_epoch` (steps). The step itself is in pix2pix/training/step.py.
"""

import math
import signal
import sys
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import mindspore as ms
import numpy as np

from pix2pix.config.settings import TrainSettings, WhereSettings
from pix2pix.data.loader import batches, sample_epoch, squashing_note
from pix2pix.data.records import count
from pix2pix.distributed.workers import Workers, broadcast, broadcast_parameters, part_of_step, steps_of_epoch
from pix2pix.evaluation.facts import listed
from pix2pix.model.checkpoint import save_network
from pix2pix.model.description import describe
from pix2pix.monitoring.monitor import Monitor
from pix2pix.monitoring.samples import statistics_kept, write_samples
from pix2pix.pages.curves import write_loss_curves
from pix2pix.system.cores import cores_in_use
from pix2pix.system.errors import InputError
from pix2pix.system.progress import Progress
from pix2pix.system.stopping import StopRequest
from pix2pix.training.earlier import continued
from pix2pix.training.fingerprint import fingerprint_of
from pix2pix.training.folders import Folders, locked
from pix2pix.training.history import write_history
from pix2pix.training.optimizer import learning_rate
from pix2pix.training.selection import is_best, is_due, measure_held_out
from pix2pix.training.state import NEWEST, Position, drop_previous, kept, save_state
from pix2pix.training.step import Trainer, load_initial_weights

SECONDS_BETWEEN_LOSSES = 1.0
BAR = "{desc} | {percentage:3.0f}% |{bar:12}| {elapsed}, {remaining} left{postfix}"


def train(
    settings: TrainSettings,
    where: WhereSettings,
    files: list[Path],
    folders: Folders,
    held_out: list[Path],
    workers: Workers | None = None,
) -> int:
    """Train to the end of epoch_num and write both networks' checkpoints to `folders.ckpt`.

    With eval_epoch_freq, the generator is evaluated on the pairs of `held_out` at regular intervals, and
    the best one is kept in snapshots/. Only the first worker evaluates and writes files.

    The same settings, data and numbers of workers and threads give bit-identical results, however often
    training is interrupted and resumed.

    Returns:
        0, or the number of the signal that stopped the training (its state is then saved).

    Raises:
        InputError: records are damaged, another process is training in the folder, or a loss is not finite.
    """
    stop = StopRequest()  # before anything shows that training has started
    workers = workers or Workers()
    # the launcher holds the lock of the folder itself, but workers may briefly outlive a killed launcher
    with locked(folders.state / "workers", settings.epoch_num) if workers.first else nullcontext():
        return Training(Trainer(settings, workers), where, files, folders, held_out, stop).run()


class Training:
    """One worker's share of a training: networks, data, and the position in epochs and steps."""

    def __init__(
        self,
        trainer: Trainer,
        where: WhereSettings,
        files: list[Path],
        folders: Folders,
        held_out: list[Path],
        stop: StopRequest,
    ):
        self.trainer, self.settings, self.workers = trainer, trainer.settings, trainer.workers
        self.where, self.files, self.folders, self.held_out, self.stop = where, files, folders, held_out, stop
        self.pairs = count(files)
        self.steps = steps_of_epoch(self.pairs, self.settings.batch_size, self.workers)
        first, number = self.workers.first, self.workers.number
        self.fingerprint = fingerprint_of(self.settings, files, held_out, number) if first else {}
        self.position = self.begin()
        self.take_samples = partial(write_samples, self.trainer.generate, files, self.settings)
        self.monitor = None
        if first:
            base = folders.history.parent
            self.monitor = Monitor(base, folders.fakeimg, where, self.settings, self.pairs, number)
            self.monitor.begin(self.position.epoch, self.position.step, self.steps, self.position.threads)
        if first and (note := squashing_note(files, self.settings)):
            print(note, file=sys.stderr)
        self.saved = time.monotonic()

    def begin(self) -> Position:
        """Resume the first worker from its saved state, or start from scratch, and copy its state to the others."""
        position = None
        if self.workers.first:
            parameters = self.trainer.parameters()
            position = continued(self.folders, parameters, self.settings, self.fingerprint, self.steps)
            if position is None:
                load_initial_weights(self.trainer)
        position = position or Position()
        broadcast_parameters(self.trainer.parameters().values(), self.workers)
        epoch, step = broadcast(np.array([position.epoch, position.step], np.float32), self.workers)
        position.epoch, position.step = int(epoch), int(step)
        if position.epoch <= self.settings.epoch_num:
            self.note_threads(position.threads)
        return position

    def note_threads(self, used: list[int]) -> None:
        """Add this process's number of threads to those that the training has used, and log that it has changed."""
        threads = cores_in_use()
        others = [number for number in used if number != threads]
        if others and self.where.device_target == "CPU":
            print(
                f"threads: {threads}; this training has also used {listed(others)}: results differ in rounding",
                file=sys.stderr,
            )
        if threads not in used:
            used.append(threads)

    def run(self) -> int:
        """Train to the end of epoch_num; return 0, or the number of the signal that stopped training."""
        status = "ended by an error"
        try:
            number = self.run_epochs()
            status = f"stopped by signal {number}: the same command resumes" if number else "finished"
            return number
        except (InputError, OSError) as error:
            status = f"stopped: {error}"
            raise
        finally:
            if self.monitor:
                self.monitor.close(status, self.draw_curves)

    def run_epochs(self) -> int:
        """Train to the end of epoch_num; the result is that of `run`."""
        total, done = self.settings.epoch_num * self.steps, (self.position.epoch - 1) * self.steps + self.position.step
        hidden = not self.workers.first or done == total
        with Progress(total=total, initial=done, bar_format=BAR, disable=hidden) as bar:
            while self.position.epoch <= self.settings.epoch_num:
                if not self.train_epoch(bar):
                    number = self.stop.signal or signal.SIGTERM
                    if self.workers.first:
                        self.save()
                        print(f"stopped by signal {number}: state saved, the same command resumes", file=sys.stderr)
                    return number
                self.finish_epoch()
        if self.workers.first:
            self.save_networks(self.folders.ckpt, self.settings.epoch_num)
            drop_previous(self.folders.state)
        return 0

    def train_epoch(self, bar: Progress) -> bool:
        """Do the remaining steps of the epoch; return False if a signal interrupted it."""
        settings, position, trainer, workers = self.settings, self.position, self.trainer, self.workers
        plan = sample_epoch(self.pairs, position.epoch, settings)
        remaining = range(position.step, self.steps)
        shares = [part_of_step(step, self.pairs, settings.batch_size, workers) for step in remaining]
        loaded = batches(self.files, plan, [positions for positions, _ in shares], settings)
        lr = ms.Tensor(learning_rate(position.epoch, settings), ms.float32)
        own_seed = () if workers.first else (workers.rank,)
        started = shown = time.monotonic()
        seconds_before, shown_at = position.seconds, position.step
        for (x, y), (_, weight) in zip(loaded, shares, strict=True):
            trainer.generator.sample_dropout(settings.seed, position.epoch, position.step, *own_seed)
            stopping = trainer.advance(x, y, lr, weight, bool(self.stop.signal))
            position.step += 1
            now = time.monotonic()
            position.seconds = seconds_before + now - started
            bar.update(1)
            if self.monitor:
                rate, sums = float(learning_rate(position.epoch, settings)), trainer.loss_sums.asnumpy
                self.monitor.after_step(position.epoch, position.step, position.seconds, rate, sums, self.sample)
            if now - shown >= SECONDS_BETWEEN_LOSSES or position.step == self.steps:
                self.show_losses(bar, 1000 * (now - shown) / (position.step - shown_at))
                shown, shown_at = now, position.step
            if stopping:
                return False
            if workers.first and self.save_is_due():
                self.save()
        return True

    def show_losses(self, bar: Progress, pace: float) -> None:
        """Show the epoch's mean losses so far in the progress bar; `pace` is in milliseconds per step."""
        means, position = self.finite_losses(), self.position
        bar.set_description_str(
            f"epoch {position.epoch}/{self.settings.epoch_num} step {position.step}/{self.steps}", refresh=False
        )
        bar.set_postfix_str(f"{pace:.0f} ms/step, D {means['d_loss']:.3f}, G {means['g_loss']:.3f}", refresh=False)

    def finite_losses(self) -> dict[str, float]:
        """The mean losses of the epoch so far.

        Raises:
            InputError: a loss is infinite or NaN; the last saved state is kept.
        """
        means = self.trainer.take_loss_means(self.position.step)
        if not all(map(math.isfinite, means.values())):
            raise InputError(
                f"training: the loss is no longer finite (epoch {self.position.epoch}, step {self.position.step}: "
                f"{means}); {kept(self.folders.state)}lower lr or check the images"
            )
        return means

    def save_is_due(self) -> bool:
        """Whether save_minutes have passed since the last saved state, or since the start."""
        return time.monotonic() - self.saved >= 60 * self.where.save_minutes

    def save(self) -> None:
        """Save the state.

        Raises:
            InputError: a loss or a parameter is not finite, or the disk is full; the last saved state is kept.
        """
        if self.position.step:
            self.finite_losses()
        save_state(self.folders.state, self.trainer.parameters(), self.position, self.fingerprint)
        self.saved = time.monotonic()

    def finish_epoch(self) -> None:
        """Advance to the next epoch; the first worker reports this one, and saves the state if it is time.

        It is time after the last epoch, when save_minutes have passed, when there is no state yet, and when a new
        best generator was kept: a training resumed before that epoch could end before it, and would have no best one.
        """
        position, finished = self.position, self.position.epoch
        best = self.workers.first and self.report_epoch()
        last = finished == self.settings.epoch_num
        if self.workers.first and finished % self.where.save_epoch_freq == 0 and not last:
            # before the state: a resumed training would not repeat this epoch
            self.save_networks(self.folders.snapshots, finished)
        self.trainer.reset_losses()
        position.epoch, position.step, position.seconds = finished + 1, 0, 0.0
        none_yet = not (self.folders.state / NEWEST).exists()
        if self.workers.first and (last or best or none_yet or self.stop.signal or self.save_is_due()):
            self.save()

    def report_epoch(self) -> bool:
        """Write the epoch's history row, loss curves and samples; return whether its generator is the new best one."""
        settings, position, folders = self.settings, self.position, self.folders
        row: dict[str, int | float] = {"epoch": position.epoch, "step": position.epoch * self.steps}
        row |= {"lr": learning_rate(position.epoch, settings)} | self.trainer.take_loss_means(self.steps)
        row |= {"seconds": round(position.seconds, 3), "workers": self.workers.number}
        due = is_due(position.epoch, settings)
        if due:
            row |= self.evaluate()
        position.history.append(row)
        write_history(position.history, folders.history)
        best = due and is_best(position.history, settings)
        if best:
            about = describe(settings, self.files, position.epoch)
            save_network(self.trainer.generator, "generator.", folders.snapshots / "Generator_best.ckpt", about)
        if self.monitor:
            self.monitor.end_epoch(self.take_samples, self.draw_curves)
        return best

    def draw_curves(self) -> None:
        """Draw the losses of the finished epochs, if there are any."""
        if self.position.history:
            # again: a finished training, whose checkpoints are written once more, restores a damaged or missing file
            write_history(self.position.history, self.folders.history)
            write_loss_curves(self.folders.history, self.folders.loss_show / "loss.png")

    def evaluate(self) -> dict[str, float]:
        """Scores of the generator on the held-out pairs; if they cannot be read, the state is saved first."""
        if self.save_is_due():
            self.save()  # evaluation may take longer than the time left after a signal
        try:
            return measure_held_out(self.trainer, self.held_out, self.position.epoch)
        except InputError:
            self.save()
            raise

    def sample(self, path: Path) -> None:
        """Write samples within an epoch; the networks stay as they are."""
        with statistics_kept(self.trainer.generator):
            self.take_samples(path)

    def save_networks(self, folder: Path, epoch: int) -> None:
        """Write both networks' checkpoints to `folder`: Generator_{epoch}.ckpt and Discriminator_{epoch}.ckpt."""
        about = describe(self.settings, self.files, epoch)
        for name, network in (("Generator", self.trainer.generator), ("Discriminator", self.trainer.discriminator)):
            save_network(network, f"{name.lower()}.", folder / f"{name}_{epoch}.ckpt", about)
