"""Progress display: a line that renews itself on a terminal, and an occasional line in a log file."""

import os
import sys
import time
from typing import TextIO

from tqdm import tqdm

SECONDS_BETWEEN_LOG_LINES = 30.0
# set by a job whose output is copied to a log: the descriptors of the terminal and of the log
DESCRIPTORS = "PIX2PIX_PROGRESS"
# processes that this one starts do not inherit the descriptors
GIVEN = os.environ.pop(DESCRIPTORS, "")


def _streams() -> tuple[TextIO | None, TextIO | None]:
    """The terminal to renew a line on, and the file that gets a line now and then; None: not there."""
    given = GIVEN.split(",")
    if len(given) == 2 and os.isatty(int(given[0])):
        terminal, log = (os.fdopen(int(number), "w", closefd=False) for number in given)
        return terminal, log
    return (sys.stderr, None) if sys.stderr.isatty() else (None, sys.stderr)


TERMINAL, LOG = _streams()


class Progress(tqdm):
    """A tqdm bar that renews itself on a terminal and adds a whole line to a log file every half minute.

    In a Snakemake job, the standard error goes through tee to a log; the bar still reaches the terminal.
    Takes the arguments of tqdm: an iterable or `total`, `desc`, `unit`, `unit_scale`.
    """

    disable: bool

    def __init__(self, *args, **kwargs):
        self.logged = time.monotonic()
        if not TERMINAL:
            kwargs.update(mininterval=SECONDS_BETWEEN_LOG_LINES, maxinterval=float("inf"), miniters=1)
            kwargs.update(ncols=100, ascii=True)
        super().__init__(*args, file=TERMINAL or LOG, **kwargs)

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Show the current state of the bar: renew the line on the terminal, or add a line to the log."""
        text = str(self) if msg is None else msg
        if TERMINAL:
            # the cursor goes back to the start, so that the next message overwrites the bar
            TERMINAL.write(f"\x1b[K{text}\r")
            TERMINAL.flush()
        if LOG and self.n and (not TERMINAL or time.monotonic() - self.logged > SECONDS_BETWEEN_LOG_LINES):
            self.log(text)
        return True

    def log(self, text: str) -> None:
        """Add a line to the log."""
        print(text, file=LOG, flush=True)
        self.logged = time.monotonic()

    def close(self) -> None:
        """Close the bar; its final state stays on the terminal and in the log as a line."""
        if self.disable:
            return
        self.disable = True
        self._decr_instances(self)
        if TERMINAL:
            print(f"\x1b[K{self}", file=TERMINAL, flush=True)
        if LOG and self.n:
            self.log(str(self))
