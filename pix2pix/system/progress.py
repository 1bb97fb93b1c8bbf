"""Progress display: a bar on a terminal, an occasional line in a log file."""

import sys

from tqdm import tqdm

SECONDS_BETWEEN_LOG_LINES = 10.0


class Progress(tqdm):
    """A tqdm bar that writes an occasional whole line if the output is not a terminal.

    Takes the arguments of tqdm: an iterable or `total`, `desc`, `unit`, `unit_scale`.
    """

    disable: bool

    def __init__(self, *args, **kwargs):
        self.is_log = not sys.stderr.isatty()
        if self.is_log:
            kwargs.update(mininterval=SECONDS_BETWEEN_LOG_LINES, maxinterval=float("inf"), miniters=1)
            kwargs.update(ncols=100, ascii=True, leave=True)
        super().__init__(*args, file=sys.stderr, **kwargs)

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Show the current state of the bar; in a log file, as a separate line."""
        if not self.is_log:
            return super().display(msg, pos)
        if self.n:
            print(str(self) if msg is None else msg, file=self.fp, flush=True)
        return True

    def close(self) -> None:
        """Close the bar; write its final state to a log file once."""
        if self.is_log and not self.disable:
            self.disable = True
            self._decr_instances(self)
            self.disable = False
            self.display()
            self.disable = True
            return
        super().close()
