"""Start the workers of a data-parallel training with MindSpore's msrun, and monitor them.

On its own, msrun leaves its workers running when it is killed, does not let them save when it is
interrupted, and waits half a minute for its scheduler after a worker has died. Therefore it runs in
its own session, monitored from here: signals are forwarded to the workers, which agree on the step
to stop at; the first failure stops all workers; and no process is left behind in any case.
"""

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from pix2pix.distributed.environment import HERE, LAUNCHER, NODE, SECRET, finished_file
from pix2pix.system.errors import InputError
from pix2pix.system.stopping import StopRequest

SECONDS_TO_EXIT = 3
POLL_SECONDS = 0.2
LAST_LINES = 15
KILLED = "was killed by"
# MindSpore's cluster warnings do not help users; timeouts are long because a collective operation waits for
# the slowest worker, which may be writing a checkpoint, and because dead workers are detected here
ENVIRONMENT = {"GLOG_v": "3", "MS_CPU_COMM_OP_TIMEOUT": "3600", "MS_NODE_TIMEOUT": "600"}


@dataclass(frozen=True)
class Node:
    """One machine of a training: its index, the number of machines, and the scheduler's address and port."""

    rank: int
    nodes: int
    master: str
    port: int


def free_port() -> int:
    """An unused TCP port of this machine."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def run_workers(command: list[str], number: int, node: Node, folder: Path, stop_seconds: float) -> int:
    """Run `command` (a Python program and its arguments) as this node's share of `number` workers.

    The workers log to `folder`, which must be empty; the log of worker 0 is also printed as it grows. After a
    signal, the workers have `stop_seconds` to save and exit.

    Returns:
        0; or 128 + the signal number if a signal stopped the workers; or 1 if a worker failed or died, in
        which case the last lines of its log are printed.

    Raises:
        InputError: msrun is not installed next to this Python.
    """
    stop = StopRequest()
    folder.mkdir(parents=True, exist_ok=True)
    here = number // node.nodes
    workers = [f"worker_{rank}" for rank in range(node.rank * here, (node.rank + 1) * here)]
    # kills the workers when its standard input closes, that is, even if this process is killed
    watchdog = subprocess.Popen(
        [sys.executable, "-m", "pix2pix.distributed.watchdog", LAUNCHER, str(os.getpid())],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    msrun = _start_msrun(command, number, here, node, folder)
    found: dict[str, psutil.Process] = {}
    try:
        _watch(msrun, node, found, workers, folder, stop, stop_seconds)
        return _conclude(found, workers, folder, stop)
    finally:
        found |= _children(msrun.pid, node)
        for process in found.values():
            _kill_group(process.pid)
        _kill_group(msrun.pid)
        msrun.wait()
        watchdog.communicate()


def _start_msrun(command: list[str], number: int, here: int, node: Node, folder: Path) -> subprocess.Popen:
    programs = Path(sys.executable).parent
    if not (programs / "msrun").exists():
        raise InputError(f"{programs / 'msrun'}: not found; device_num above 1 needs MindSpore's launcher")
    environment = ENVIRONMENT | dict(os.environ)
    environment |= {LAUNCHER: str(os.getpid()), NODE: str(node.rank), HERE: str(here)}
    if node.nodes == 1 and hasattr(os, "memfd_create"):
        environment[SECRET] = secrets.token_hex()
    # msrun runs `python` from PATH
    environment["PATH"] = f"{programs}:{environment.get('PATH', os.defpath)}"
    options = {
        "worker_num": number,
        "local_worker_num": here,
        "node_rank": node.rank,
        "master_addr": node.master,
        "master_port": node.port,
        "log_dir": folder,
        "join": True,
        # not a worker: msrun would cut off the last lines of its log
        "tail_worker_log": number,
    }
    line = [str(programs / "msrun"), *(f"--{name}={value}" for name, value in options.items()), *command]
    with open(folder / f"msrun_{node.rank}.log", "w") as log:
        return subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
        )


def _watch(
    msrun: subprocess.Popen,
    node: Node,
    found: dict[str, psutil.Process],
    workers: list[str],
    folder: Path,
    stop: StopRequest,
    stop_seconds: float,
) -> None:
    """Return when all workers have finished, one has failed, or they have taken too long to stop."""
    signalled: set[str] = set()
    log, shown, deadline = folder / "worker_0.log", 0, float("inf")
    while True:
        found |= _children(msrun.pid, node)
        shown = _show(log, shown) if workers[0] == log.stem else 0
        finished = {worker for worker in workers if finished_file(folder, worker).exists()}
        dead = {name for name, process in found.items() if not _alive(process)}
        # a batch system that signals every process also ends msrun's scheduler, while the workers are still saving
        failed = dead - finished - ({"scheduler"} if stop.signal else set())
        over = msrun.poll() is not None and found.keys() == dead
        if over or failed or len(finished) == len(workers) or time.monotonic() > deadline:
            break
        if stop.signal:
            deadline = min(deadline, time.monotonic() + stop_seconds)
            for worker in found.keys() & set(workers) - signalled:
                found[worker].send_signal(signal.SIGTERM)
                signalled.add(worker)
        time.sleep(POLL_SECONDS)
    if workers[0] == log.stem:
        _show(log, shown)


def _conclude(found: dict[str, psutil.Process], workers: list[str], folder: Path, stop: StopRequest) -> int:
    """Return the exit status of the whole training, and report what failed."""
    files = [finished_file(folder, worker) for worker in workers]
    if all(file.exists() for file in files):
        psutil.wait_procs([found[worker] for worker in workers if worker in found], SECONDS_TO_EXIT)
        status = max(int(file.read_text()) for file in files)
        return 128 + stop.signal if status and stop.signal else status
    if stop.signal:
        print(f"stopped by signal {stop.signal}; the last saved state is kept", file=sys.stderr)
        return 128 + stop.signal
    dead = {
        name: process.pid
        for name, process in found.items()
        if not _alive(process) and not finished_file(folder, name).exists()
    }
    if dead:
        # a killed worker is the cause of the failures of the others
        how, name = max(((_how(pid, folder), name) for name, pid in dead.items()), key=lambda end: KILLED in end[0])
        log = folder / f"{name}.log"
        lines = _last_lines(log)
        # the worker's own error is the last one, which Snakemake shows
        told = any(line.startswith("error: ") for line in lines)
        # the log of the first worker has already been printed
        lines = [] if log.stem == "worker_0" else [f"{log} ends:", *lines]
        print(f"{'' if told else 'error: '}{name} (process {dead[name]}) {how}", *lines, sep="\n", file=sys.stderr)
        return 1
    logs = sorted(folder.glob("msrun_*.log"))
    print(
        "error: msrun ended before its workers:",
        *(line for log in logs for line in _last_lines(log)),
        sep="\n",
        file=sys.stderr,
    )
    return 1


def _children(msrun: int, node: Node) -> dict[str, psutil.Process]:
    """The worker and scheduler processes started by msrun, keyed by the names of their logs."""
    found = {}
    try:
        for process in psutil.Process(msrun).children():
            environment = process.environ()
            if environment.get("MS_ROLE") == "MS_WORKER":
                found[f"worker_{environment['RANK_ID']}"] = process
            elif environment.get("MS_ROLE") == "MS_SCHED" and node.rank == 0:
                found["scheduler"] = process
    except psutil.Error:
        pass
    return found


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _kill_group(leader: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def _show(log: Path, shown: int) -> int:
    """Print the complete lines of `log` after its first `shown` bytes; return the number of bytes now printed."""
    if not log.exists():
        return shown
    with open(log, "rb") as file:
        file.seek(shown)
        added = file.read()
    whole = added[: added.rfind(b"\n") + 1]
    sys.stderr.writelines(f"{line}\n" for line in _log_lines(whole))
    sys.stderr.flush()
    return shown + len(whole)


def _how(pid: int, folder: Path) -> str:
    """How a process ended, according to msrun's log, which is updated once per second."""
    for _ in range(50):
        logs = "".join(log.read_text() for log in folder.glob("msrun_*.log"))
        if found := re.search(rf"process {pid} exit with exception. Error code: (-?\d+)", logs):
            status = int(found[1])
            return f"ended with status {status}" if status >= 0 else f"{KILLED} {signal.Signals(-status).name}"
        time.sleep(POLL_SECONDS)
    return "ended"


def _last_lines(log: Path) -> list[str]:
    return _log_lines(log.read_bytes())[-LAST_LINES:] if log.exists() else []


def _log_lines(text: bytes) -> list[str]:
    """The lines of a log without MindSpore's messages about its own connections."""
    lines = text.decode(errors="replace").splitlines()
    return [line for line in lines if not line.startswith("[INFO] DISTRIBUTED")]
