"""The processor cores that a program runs on; programs that run at the same time get different ones.

MindSpore ignores OMP_NUM_THREADS and starts as many threads as its process may use cores, so the number of threads is
set by the cores. A program reserves each core by binding an abstract socket with the core's number in its name: the
kernel lets one process of the machine, of whatever user, bind a name, and releases it when that process ends,
even if it is killed.
"""

import errno
import os
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

# cores of a job that has just ended become free within this time
SECONDS_TO_WAIT = 5.0
POLL_SECONDS = 0.25
NAME = "pix2pix/core"

_reserved: list[socket.socket] = []  # open as long as this process runs


def cores_in_use() -> int:
    """The number of cores that this process may run on, which is the number of its computing threads."""
    return len(os.sched_getaffinity(0))


def use_cores(threads: int | None) -> int:
    """Reserve `threads` cores and run this process, and those that it starts, only there.

    Only cores are used that the process may use already (a cluster's binding, taskset, a container). If fewer of
    them are free, it uses these; if none is free, it shares the cores that the fewest jobs use. Both are
    reported. Call this before the first computation, because MindSpore creates its threads then. None changes
    nothing.

    Returns:
        the number of cores in use.
    """
    if threads is None:
        return cores_in_use()
    allowed = os.sched_getaffinity(0)
    wanted = min(threads, len(allowed))
    cores, level = _reserve(preference(allowed, physical_cores(allowed)), wanted)
    limit = "" if wanted == threads else f"; this process may use {wanted}"
    shortage = "" if len(cores) == wanted else f"; {len(cores)} not in use by other jobs"
    if level:
        shortage = "; all are in use by other jobs, and are shared with them"
    if limit or shortage:
        print(f"threads: {threads} requested{limit}{shortage}", file=sys.stderr, flush=True)
    bind(cores)
    return cores_in_use()


def bind(cores: list[int]) -> None:
    """Run all threads of this process on `cores`; where the system does not permit that, nothing changes."""
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            os.sched_setaffinity(int(thread.name), cores)


def physical_cores(cores: set[int]) -> dict[int, int]:
    """The physical core of each logical one, named by its first logical core; itself if that is unknown."""
    found = {}
    for core in cores:
        topology = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
        try:
            found[core] = int(topology.read_text().replace("-", ",").partition(",")[0])
        except (OSError, ValueError):
            found[core] = core
    return found


def preference(allowed: set[int], physical: Mapping[int, int]) -> list[int]:
    """The allowed cores, in the order in which they are taken: one of every physical core, then the others."""
    seen: dict[int, int] = {}
    turns = {}
    for core in sorted(allowed):
        turns[core] = seen[physical[core]] = seen.get(physical[core], -1) + 1
    return sorted(allowed, key=lambda core: (turns[core], core))


def share(cores: set[int], physical: Mapping[int, int], rank: int, workers: int) -> list[int]:
    """The cores of worker `rank` (from 0) of `workers`: an equal part, of whole physical cores where possible.

    With fewer cores than workers, each has one core, and some have the same.
    """
    together = sorted(cores, key=lambda core: (physical[core], core))
    if len(together) < workers:
        return [together[rank % len(together)]]
    first, last = (len(together) * part // workers for part in (rank, rank + 1))
    return together[first:last]


def _reserve(order: list[int], wanted: int) -> tuple[list[int], int]:
    """Reserve up to `wanted` cores; return them, and the number of jobs that already use each of them."""
    cores = _take(order, wanted, 0)
    until = time.monotonic() + SECONDS_TO_WAIT
    while len(cores) < wanted and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
        cores += _take(order, wanted - len(cores), 0)
    level = 0
    while not cores:
        level += 1
        cores = _take(order, wanted, level)
    return cores, level


def _take(order: list[int], wanted: int, level: int) -> list[int]:
    """Reserve the first free cores of `order`, at most `wanted`."""
    cores: list[int] = []
    for core in order:
        if len(cores) < wanted and _reserved_now(core, level):
            cores.append(core)
    return cores


def _reserved_now(core: int, level: int) -> bool:
    """Reserve a core for this process; False if a process, this one or another, has reserved it at this level."""
    name = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        name.bind(f"\0{NAME}/{core}/{level}")
    except OSError as error:
        name.close()
        # where the system has no such sockets, every core counts as free
        return error.errno != errno.EADDRINUSE
    _reserved.append(name)
    return True
