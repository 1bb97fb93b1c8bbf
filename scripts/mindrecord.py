"""Write the images of a split, or of one shard of it, as a MindRecord file.

Example:
    python scripts/mindrecord.py data/demo/pairs train.mindrecord --split train
"""

from pathlib import Path

from pix2pix.config.flags import add_flags, read_flags
from pix2pix.config.settings import ThreadSettings
from pix2pix.data.left_out import LEFT_OUT, read_left_out
from pix2pix.data.packing import split_files
from pix2pix.data.records import write_records
from pix2pix.system.cores import use_cores
from pix2pix.system.errors import InputError
from pix2pix.system.program import command_line, run


def main() -> None:
    """Parse the flags and write."""
    parser = command_line(__doc__)
    parser.add_argument("pairs", type=Path, help="the folder with one folder, or zip file, per split")
    parser.add_argument("output", type=Path, help="the .mindrecord file; its index is written next to it")
    parser.add_argument("--split", required=True, help="train, val or test")
    parser.add_argument("--shard", type=int, default=1, help="number of the shard, from 1 (default: 1)")
    parser.add_argument("--shards", type=int, default=1, help="number of shards of the split (default: 1)")
    add_flags(parser, ThreadSettings)
    arguments = parser.parse_args()
    use_cores(read_flags(arguments, ThreadSettings).threads)
    if not 1 <= arguments.shard <= arguments.shards:
        raise InputError(f"--shard: {arguments.shard} is not in 1 to --shards ({arguments.shards})")
    files = split_files(arguments.pairs / arguments.split, arguments.shard, arguments.shards)
    if not files:
        raise InputError(f"{arguments.pairs / arguments.split}: has no pairs for {arguments.output}")
    write_records(files, arguments.output, read_left_out(arguments.pairs.with_name(LEFT_OUT)))


if __name__ == "__main__":
    run(main)
