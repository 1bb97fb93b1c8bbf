"""What the launcher and its workers agree on: names in the environment, and a file for the status at the end."""

from pathlib import Path

# in the environment of the workers: the process that answers for them, and its part of the machines
LAUNCHER, NODE = "PIX2PIX_LAUNCHER", "PIX2PIX_NODE"
# by which workers that are all on one machine find the memory that they share (pix2pix.distributed.shared_sum)
SECRET = "PIX2PIX_SECRET"


def finished_file(folder: Path, worker: str) -> Path:
    """Where a worker writes the status with which it ends, once it needs no other worker any more."""
    return folder / f"{worker}.finished"
