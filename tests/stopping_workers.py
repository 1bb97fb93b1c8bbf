"""Two workers that tell their launcher to stop, and take their time: stopping_workers.py ALLOWED NEEDED FOLDER."""

import os
import signal
import sys
import time
from pathlib import Path

from pix2pix.distributed.environment import LAUNCHER, finished_file
from pix2pix.distributed.launcher import Node, free_port, run_workers


def main() -> None:
    """Start the workers; or, as one of them, wait for the signal, save for so long, and be through."""
    allowed, needed, folder = float(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
    if "MS_ROLE" not in os.environ:
        sys.exit(run_workers(sys.argv, 2, Node(0, 1, "127.0.0.1", free_port()), folder, allowed))
    if os.environ["MS_ROLE"] == "MS_SCHED":
        time.sleep(600)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    rank = os.environ["RANK_ID"]
    (folder / f"ready_{rank}").touch()
    while rank == "0" and not (folder / "ready_1").exists():
        time.sleep(0.1)
    if rank == "0":
        os.kill(int(os.environ[LAUNCHER]), signal.SIGTERM)
    signal.sigwait([signal.SIGTERM])
    time.sleep(needed)
    finished_file(folder, f"worker_{rank}").write_text(str(128 + signal.SIGTERM))


if __name__ == "__main__":
    main()
