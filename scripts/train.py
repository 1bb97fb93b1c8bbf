r"""Train the generator and the discriminator of a run, or resume an interrupted training.

With --device_num above 1 this program starts that many copies of itself as parallel workers.

Example:
    python scripts/train.py data/demo/train.mindrecord --ckpt_dir mine/ckpt --train_fakeimg_dir mine/fake_img \
        --loss_show_dir mine/loss_show --state_dir mine/state --epoch_num 20
"""

import sys
from functools import cache, partial
from pathlib import Path

from pix2pix.config.flags import add_flags, read_flags
from pix2pix.config.settings import TrainSettings, WhereSettings
from pix2pix.devices.check import prepare
from pix2pix.distributed.nodes import launch, own_part
from pix2pix.distributed.workers import is_worker, join_workers, leave, use_share_of_cores
from pix2pix.model.device import check_device, select_device
from pix2pix.model.memory import check_memory, training_memory
from pix2pix.monitoring.event_files import check_writer
from pix2pix.planning.sizes import training_bytes
from pix2pix.system.cores import use_cores
from pix2pix.system.disk import check_room
from pix2pix.system.errors import InputError
from pix2pix.system.program import command_line, run
from pix2pix.training.fingerprint import fingerprint_of
from pix2pix.training.folders import Folders, chosen_folders, copy_snapshots, drop_snapshots
from pix2pix.training.loop import train
from pix2pix.training.state import NEWEST


def main() -> None:
    """Parse the flags and train."""
    parser = command_line(__doc__)
    parser.add_argument("records", nargs="+", type=Path, help="MindRecord files of the training pairs")
    parser.add_argument("--ckpt_dir", type=Path, required=True, help="folder for Generator_{epoch_num}.ckpt")
    parser.add_argument("--train_fakeimg_dir", type=Path, required=True, help="folder for one image per epoch")
    parser.add_argument("--loss_show_dir", type=Path, required=True, help="folder for the loss curves")
    parser.add_argument("--state_dir", type=Path, required=True, help="folder for the state to resume training from")
    parser.add_argument("--held_out", nargs="*", default=[], type=Path, help="MindRecord files for --eval_epoch_freq")
    parser.add_argument("--drop_snapshots", action="store_true", help="at the end, keep only the best of snapshots/")
    add_flags(parser, TrainSettings)
    add_flags(parser, WhereSettings)
    arguments = parser.parse_args()
    settings = read_flags(arguments, TrainSettings)
    where = read_flags(arguments, WhereSettings)
    check_memory(training_memory(settings, where.device_target == "CPU"), where.device_num // where.nodes)
    prepare(where.device_target, settings.precision)
    folders = Folders(arguments.ckpt_dir, arguments.train_fakeimg_dir, arguments.loss_show_dir, arguments.state_dir)
    if where.tensorboard:
        check_writer()
    if settings.eval_epoch_freq and not arguments.held_out:
        raise InputError("--eval_epoch_freq: needs --held_out, the records to evaluate on")
    work = partial(start, settings, where, arguments.records, arguments.held_out, drop=arguments.drop_snapshots)
    folders.check()
    if is_worker() or own_part(where):
        sys.exit(work(folders))
    own_fingerprint = cache(partial(fingerprint_of, settings, arguments.records, arguments.held_out, where.device_num))
    with chosen_folders(folders, settings, own_fingerprint) as chosen:
        if chosen == folders or not copy_snapshots(folders, settings, own_fingerprint):
            sys.exit(work(chosen))


def start(
    settings: TrainSettings,
    where: WhereSettings,
    records: list[Path],
    held_out: list[Path],
    folders: Folders,
    drop: bool = False,
) -> int:
    """Train in `folders`, in this process or in workers that it starts; return the exit status.

    `drop`: whether snapshots/ is dropped when training has ended.
    """
    logs = folders.state / "workers"
    if not is_worker() and not (folders.state / NEWEST).exists():
        check_room(folders.state.parent, training_bytes(settings, where.save_epoch_freq), "the training does not fit")
    if where.device_num > 1 and not is_worker():
        check_device(where.device_target)
        return launch([*sys.argv, *folders.flags()], where, logs)
    if is_worker():
        use_share_of_cores()
    else:
        use_cores(where.train_threads)
    select_device(where.device_target)
    workers = join_workers()
    stopped_by = train(settings, where, records, folders, held_out, workers)
    status = 128 + stopped_by if stopped_by else 0
    if drop and workers.first and not status:
        drop_snapshots(folders)
    leave(logs, status, workers)
    return status


if __name__ == "__main__":
    run(main)
