"""Work that threads do in advance, in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(function: Callable[[Item], Result], items: Iterable[Item], threads: int, ahead: int) -> Iterator[Result]:
    """Yield function(item) for every item, in order; `threads` threads compute up to `ahead` results in advance.

    `items` is iterated in the caller's thread, at most `ahead` + 1 items beyond the result that was yielded last.
    An error of `function` is raised in the place of its result. What has not been started is dropped if the
    caller stops early.
    """
    pending: deque = deque()
    pool = ThreadPoolExecutor(threads, "ahead")
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
