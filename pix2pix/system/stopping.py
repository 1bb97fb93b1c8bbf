"""Signal handling for a graceful stop."""

import signal


class StopRequest:
    """Records SIGTERM and SIGINT, so that training can save its state before it ends.

    `signal` is the number of the last signal received, or 0.
    """

    def __init__(self):
        self.signal = 0
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._record)

    def _record(self, number: int, _frame: object) -> None:
        self.signal = number
