"""The training of one run, from the first step or from wherever it was left."""

import math
import signal
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import mindspore as ms
import numpy as np

from pix2pix.checkpoint import save_network
from pix2pix.choice import is_best, is_due, measure_held_out
from pix2pix.curves import write_loss_curves
from pix2pix.errors import InputError
from pix2pix.folders import Folders, move_aside
from pix2pix.grid import write_grid
from pix2pix.history import write_history
from pix2pix.loader import batches, plan_epoch, to_pixels
from pix2pix.parallel import Workers, broadcast, broadcast_parameters, share_of_step, steps_of_epoch
from pix2pix.place import locked
from pix2pix.progress import Progress
from pix2pix.records import count
from pix2pix.schedule import learning_rate
from pix2pix.settings import TrainSettings, WhereSettings
from pix2pix.state import Position, UnusableStateError, fingerprint, resume, save_state
from pix2pix.step import Trainer
from pix2pix.stopping import StopRequest

PAIRS_SHOWN = 4
SECONDS_BETWEEN_LOSSES = 1.0


def train(
    settings: TrainSettings,
    where: WhereSettings,
    files: list[Path],
    folders: Folders,
    held_out: list[Path],
    workers: Workers | None = None,
) -> int:
    """Train to the end of epoch_num and write both networks' checkpoints to `folders.ckpt`.

    With eval_epoch_freq the generator is measured on the pairs of `held_out` from time to time, and
    the best one kept in snapshots/. Of several workers, the first one alone measures and writes.

    The same settings, data and numbers of workers and threads give the same bytes, however often the
    training was killed and begun again.

    Returns:
        0, or the number of the signal that stopped it (its state is then saved).

    Raises:
        InputError: damaged records, another process at work in the folder, a loss that is not finite.
    """
    stop = StopRequest()
    workers = workers or Workers()
    # not the lock of the folder, which whoever chose it holds: workers may outlive a killed launcher by a moment
    with locked(folders.state / "workers", settings.epoch_num) if workers.first else nullcontext():
        pairs = count(files)
        trainer = Trainer(settings, workers)
        mark = fingerprint(settings, files, held_out, workers.number) if workers.first else {}
        steps = steps_of_epoch(pairs, settings.batch_size, workers)
        position = begin(trainer, folders, mark, steps)
        done = (position.epoch - 1) * steps + position.step
        with Progress(
            total=settings.epoch_num * steps,
            initial=done,
            bar_format="{desc} | {percentage:3.0f}% |{bar:12}| {elapsed}, {remaining} left{postfix}",
            disable=not workers.first,
        ) as bar:
            while position.epoch <= settings.epoch_num:
                run = Epoch(trainer, settings, where, files, held_out, folders, position, mark, pairs, steps)
                if not train_epoch(run, bar, stop):
                    number = stop.signal or signal.SIGTERM
                    if workers.first:
                        save(run)
                        print(f"stopped by signal {number}: state saved, the same command resumes", file=sys.stderr)
                    return number
                finish_epoch(run)
        if workers.first:
            save_networks(trainer, folders.ckpt, settings.epoch_num)
    return 0


def begin(trainer: Trainer, folders: Folders, mark: dict, steps: int) -> Position:
    """Resume the first worker from its saved state, or start afresh; every worker then holds what it holds."""
    workers, position, unusable = trainer.workers, None, None
    if workers.first:
        try:
            position = resume(folders.state, trainer.parameters(), trainer.settings, mark, steps)
        except UnusableStateError as why:
            unusable = why
        if position is None:
            move_aside(folders, unusable)
    position = position or Position()
    broadcast_parameters(trainer.parameters().values(), workers)
    epoch, step = broadcast(np.array([position.epoch, position.step], np.float32), workers)
    position.epoch, position.step = int(epoch), int(step)
    return position


@dataclass(frozen=True)
class Epoch:
    """What the steps of an epoch need; `position` moves with them."""

    trainer: Trainer
    settings: TrainSettings
    where: WhereSettings
    files: list[Path]
    held_out: list[Path]
    folders: Folders
    position: Position
    mark: dict
    pairs: int
    steps: int


def train_epoch(run: Epoch, bar: Progress, stop: StopRequest) -> bool:
    """Do the steps that are left of the epoch; False if a signal asked to stop before its end."""
    settings, position, trainer = run.settings, run.position, run.trainer
    plan = plan_epoch(run.pairs, position.epoch, settings)
    workers = trainer.workers
    left = [share_of_step(step, run.pairs, settings.batch_size, workers) for step in range(position.step, run.steps)]
    positions = [share for share, _ in left]
    own = () if workers.first else (workers.rank,)
    lr = ms.Tensor(learning_rate(position.epoch, settings), ms.float32)
    started = saved = shown = time.monotonic()
    before, shown_at = position.seconds, position.step
    for (x, y), (_, weight) in zip(batches(run.files, plan, positions, settings), left, strict=True):
        trainer.generator.draw_dropout(settings.seed, position.epoch, position.step, *own)
        stopping = trainer.advance(x, y, lr, weight, bool(stop.signal))
        position.step += 1
        now = time.monotonic()
        position.seconds = before + now - started
        bar.update(1)
        if now - shown >= SECONDS_BETWEEN_LOSSES or position.step == run.steps:
            means = check_finite(trainer.take_loss_means(position.step), run)
            pace = 1000 * (now - shown) / (position.step - shown_at)
            where = f"epoch {position.epoch}/{settings.epoch_num} step {position.step}/{run.steps}"
            bar.set_description_str(where, refresh=False)
            bar.set_postfix_str(f"{pace:.0f} ms/step, D {means['d_loss']:.3f}, G {means['g_loss']:.3f}", refresh=False)
            shown, shown_at = now, position.step
        if stopping:
            return False
        if workers.first and now - saved >= 60 * run.where.save_minutes:
            save(run)
            saved = time.monotonic()
    return True


def save(run: Epoch) -> None:
    """Save the state within an epoch, or at its end before the losses are told.

    Raises:
        InputError: a loss or a parameter is not finite, or the disk is full; the state saved last stays as it is.
    """
    check_finite(run.trainer.take_loss_means(run.position.step), run)
    save_state(run.folders.state, run.trainer.parameters(), run.position, run.mark)


def check_finite(means: dict[str, float], run: Epoch) -> dict[str, float]:
    """The means as they are.

    Raises:
        InputError: one is infinite or no number; the state saved last stays as it is.
    """
    if not all(map(math.isfinite, means.values())):
        raise InputError(
            f"training: the loss is no longer finite (epoch {run.position.epoch}, step {run.position.step}: {means}); "
            f"the last good state is kept in {run.folders.state}; lower lr or check the pictures"
        )
    return means


def finish_epoch(run: Epoch) -> None:
    """Move on to the next epoch; the first worker tells of this one and saves the state."""
    position, trainer, finished = run.position, run.trainer, run.position.epoch
    if trainer.workers.first:
        tell_epoch(run)
        # before the state, which a resumed training would not go back behind
        if finished % run.where.save_epoch_freq == 0 and finished < run.settings.epoch_num:
            save_networks(trainer, run.folders.snapshots, finished)
    trainer.reset_losses()
    position.epoch, position.step, position.seconds = finished + 1, 0, 0.0
    if trainer.workers.first:
        save_state(run.folders.state, trainer.parameters(), position, run.mark)


def save_networks(trainer: Trainer, folder: Path, epoch: int) -> None:
    """Write both networks' checkpoints to `folder`: Generator_{epoch}.ckpt and Discriminator_{epoch}.ckpt."""
    for name, network in (("Generator", trainer.generator), ("Discriminator", trainer.discriminator)):
        save_network(network, f"{name.lower()}.", folder / f"{name}_{epoch}.ckpt")


def tell_epoch(run: Epoch) -> None:
    """Write the epoch's row, curves and picture, and measure the generator where that is due."""
    position, trainer, folders = run.position, run.trainer, run.folders
    row = {
        "epoch": position.epoch,
        "step": position.epoch * run.steps,
        "lr": learning_rate(position.epoch, run.settings),
    }
    row |= trainer.take_loss_means(run.steps)
    row |= {"seconds": round(position.seconds, 3), "workers": trainer.workers.number}
    due = is_due(position.epoch, run.settings)
    if due:
        # measuring may take longer than is left after a signal
        save(run)
    position.history.append(row | (measure_held_out(trainer, run.held_out, position.epoch) if due else {}))
    write_history(position.history, folders.history)
    if due and is_best(position.history, run.settings):
        save_network(trainer.generator, "generator.", folders.snapshots / "Generator_best.ckpt")
    write_loss_curves(folders.history, folders.loss_show / "loss.png")
    show_generated(run)


def show_generated(run: Epoch) -> None:
    """A grid of the first training pairs as the generator now sees them: fake_img/epoch_0001.png."""
    chosen = run.settings.model_copy(update={"jitter": False, "flip": False})
    plan = plan_epoch(run.pairs, 1, chosen)
    plan.order.sort()
    shown = [[position] for position in range(min(PAIRS_SHOWN, run.pairs))]
    rows = []
    for [position], (x, y) in zip(shown, batches(run.files, plan, shown, chosen), strict=True):
        fake = run.trainer.generate(ms.Tensor(x)).asnumpy()
        rows.append((f"pair {position + 1}", to_pixels(x[0]), to_pixels(fake[0]), to_pixels(y[0])))
    write_grid(rows, run.folders.fakeimg / f"epoch_{run.position.epoch:04d}.png", ("input", "generated", "target"))
