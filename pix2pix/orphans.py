"""python -m pix2pix.orphans NAME VALUE: when its standard input ends, kill what has NAME=VALUE in its environment.

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
