"""Kill all processes with NAME=VALUE in their environment when standard input closes.

    python -m pix2pix.distributed.watchdog NAME VALUE

A killed launcher cannot end its workers, and the workers cannot end themselves: while they wait for
one another, MindSpore holds Python's global interpreter lock (GIL), so none of their threads run.
"""

import signal
import sys

import psutil


def main() -> None:
    """Wait until the other end of the pipe closes, then kill the processes."""
    name, value = sys.argv[1:]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    for process in psutil.process_iter():
        try:
            if process.environ().get(name) == value:
                process.kill()
        except psutil.Error:
            continue


if __name__ == "__main__":
    main()
