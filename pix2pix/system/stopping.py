"""A wish to stop, taken in where an abrupt end would lose work."""

import signal


class StopRequest:
    """Takes SIGTERM and SIGINT in, so that training can save its state before it ends.

    `signal` is the number of the signal that came last, 0 before there was one.
    """

    def __init__(self):
        self.signal = 0
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._take)

    def _take(self, number: int, _frame: object) -> None:
        self.signal = number
