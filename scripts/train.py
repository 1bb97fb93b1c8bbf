"""Train the generator and the discriminator of one run, or go on where it was left."""

import argparse
import sys
from pathlib import Path

from pix2pix.device import select_device
from pix2pix.errors import InputError
from pix2pix.program import add_flags, read_flags, run
from pix2pix.settings import TrainSettings, WhereSettings
from pix2pix.training import Folders, train


def main() -> None:
    """Parse the flags and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", nargs="+", type=Path, help="MindRecord files of the training pairs")
    parser.add_argument("--ckpt_dir", type=Path, required=True, help="where Generator_{epoch_num}.ckpt goes")
    parser.add_argument("--train_fakeimg_dir", type=Path, required=True, help="where a picture an epoch goes")
    parser.add_argument("--loss_show_dir", type=Path, required=True, help="where the loss curves go")
    parser.add_argument("--state_dir", type=Path, required=True, help="what an interrupted training resumes from")
    parser.add_argument("--held_out", nargs="*", default=[], type=Path, help="MindRecord files for --eval_epoch_freq")
    add_flags(parser, TrainSettings)
    add_flags(parser, WhereSettings)
    arguments = parser.parse_args()
    settings = read_flags(arguments, TrainSettings)
    where = read_flags(arguments, WhereSettings)
    select_device(where.device_target)
    folders = Folders(arguments.ckpt_dir, arguments.train_fakeimg_dir, arguments.loss_show_dir, arguments.state_dir)
    if settings.eval_epoch_freq and not arguments.held_out:
        raise InputError("--eval_epoch_freq: needs --held_out, the records to measure on")
    stopped_by = train(settings, where, arguments.records, folders, arguments.held_out)
    if stopped_by:
        sys.exit(128 + stopped_by)


if __name__ == "__main__":
    run(main)
