"""Kill all processes with NAME=VALUE in their environment, once standard input ends.

    python -m pix2pix.distributed.watchdog NAME VALUE

A launcher that is killed cannot end its workers, and a worker cannot see to it itself: where
workers wait for one another MindSpore keeps Python's lock, and no thread of theirs runs.
"""

import signal
import sys

import psutil


def main() -> None:
    """Wait for the other end of the pipe to close, however that comes about."""
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
