"""Cores of programs that run at the same time: which they take, and how workers share them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pix2pix.system.cores import physical_cores, preference, share

# logical cores 0 to 15 of 8 physical ones, numbered as Linux does: 0 and 8 are the two of the first
SIXTEEN = {core: core % 8 for core in range(16)}
# the same machine numbered in pairs: 0 and 1 are the two of the first
PAIRS = {core: core // 2 * 2 for core in range(16)}
HOLD = """
import io, json, os, sys
from pix2pix.system import cores
os.sched_setaffinity(0, map(int, sys.argv[3].split(",")))
cores.NAME, cores.SECONDS_TO_WAIT = sys.argv[1], float(sys.argv[4])
sys.stderr = io.StringIO()
cores.use_cores(int(sys.argv[2]))
print(json.dumps([sorted(os.sched_getaffinity(0)), sys.stderr.getvalue()]), flush=True)
sys.stdin.read()
"""


def test_sixteen_threads_use_all_sixteen_cores():
    assert set(preference(set(SIXTEEN), SIXTEEN)) == set(range(16))


@pytest.mark.parametrize(
    ("allowed", "physical", "expected"),
    [
        (range(16), SIXTEEN, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
        (range(16), PAIRS, [0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15]),
        # a cluster's binding to cores 1, 2, 9 and 12, of which 1 and 9 are one physical core
        ((1, 2, 9, 12), SIXTEEN, [1, 2, 12, 9]),
    ],
)
def test_every_physical_core_is_taken_once_before_one_is_taken_twice(allowed, physical, expected):
    assert preference(set(allowed), physical) == expected


@pytest.mark.parametrize(
    ("cores", "physical", "workers", "expected"),
    [
        (range(16), SIXTEEN, 2, [[0, 8, 1, 9, 2, 10, 3, 11], [4, 12, 5, 13, 6, 14, 7, 15]]),
        (range(16), PAIRS, 4, [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]),
        (range(8), SIXTEEN, 2, [[0, 1, 2, 3], [4, 5, 6, 7]]),
        (range(5), SIXTEEN, 2, [[0, 1], [2, 3, 4]]),
        ((3, 5), SIXTEEN, 3, [[3], [5], [3]]),
    ],
)
def test_workers_share_the_cores_equally(cores, physical, workers, expected):
    assert [share(set(cores), physical, rank, workers) for rank in range(workers)] == expected


def test_the_topology_of_this_machine_names_a_core_for_each():
    allowed = os.sched_getaffinity(0)
    assert physical_cores(allowed).keys() == allowed


class Jobs:
    """Programs that reserve cores from a pool of their own."""

    def __init__(self, name: str):
        self.name, self.running = name, []

    def start(self, threads: int, allowed: str, wait: float = 0) -> tuple[set[int], str]:
        """Start a program that may use the cores `allowed`; return those that it uses, and its messages."""
        command = [sys.executable, "-c", HOLD, self.name, str(threads), allowed, str(wait)]
        job = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.running.append(job)
        cores, message = json.loads(job.stdout.readline())
        return set(cores), message

    def kill(self, number: int) -> None:
        self.running[number].kill()
        self.running[number].wait()


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    found = Jobs(f"test{tmp_path}")
    yield found
    for number in range(len(found.running)):
        found.kill(number)


two_cores = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")


@two_cores
def test_jobs_at_the_same_time_use_different_cores_and_a_killed_one_releases_its_core(jobs):
    assert jobs.start(1, "0,1") == ({0}, "")
    assert jobs.start(1, "0,1") == ({1}, "")
    jobs.kill(0)
    assert jobs.start(1, "0,1") == ({0}, "")


@two_cores
def test_if_fewer_cores_are_free_than_requested_the_job_uses_these_and_says_so(jobs):
    jobs.start(1, "0,1")
    cores, message = jobs.start(2, "0,1")
    assert cores == {1}
    assert message == "threads: 2 requested; 1 not in use by other jobs\n"


@two_cores
def test_if_no_core_is_free_jobs_share_them_evenly(jobs):
    jobs.start(2, "0,1")
    cores, message = jobs.start(1, "0,1")
    assert cores == {0}
    assert "all are in use by other jobs, and are shared with them" in message
    assert jobs.start(1, "0,1")[0] == {1}
    assert jobs.start(1, "0,1")[0] == {0}


def test_a_job_does_not_leave_the_cores_that_it_may_use(jobs):
    allowed = str(max(os.sched_getaffinity(0)))
    cores, message = jobs.start(16, allowed)
    assert cores == {int(allowed)}
    assert message == "threads: 16 requested; this process may use 1\n"


def test_a_job_waits_for_the_cores_of_one_that_is_ending(jobs):
    allowed = str(max(os.sched_getaffinity(0)))
    jobs.start(1, allowed)
    jobs.running[0].stdin.close()
    assert jobs.start(1, allowed, wait=30)[1] == ""
