"""Conventions shared by the launcher and its workers: environment variables and files for the exit status."""

from pathlib import Path

# set for the workers: the process ID of their launcher, the index of its machine, and the number of workers there
LAUNCHER, NODE, HERE = "PIX2PIX_LAUNCHER", "PIX2PIX_NODE", "PIX2PIX_WORKERS_HERE"
# with it, workers on a single machine find their shared memory (pix2pix.distributed.shared_sum)
SECRET = "PIX2PIX_SECRET"


def finished_file(folder: Path, worker: str) -> Path:
    """File to which a worker writes its exit status once it no longer needs the other workers."""
    return folder / f"{worker}.finished"
