"""The machines of a data-parallel training: this one, a list of hosts, or a Slurm allocation."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from pix2pix.config.settings import WhereSettings
from pix2pix.distributed.environment import NODE
from pix2pix.distributed.launcher import POLL_SECONDS, Node, free_port, run_workers
from pix2pix.system.cores import use_cores
from pix2pix.system.errors import InputError
from pix2pix.system.files import remove
from pix2pix.system.stopping import StopRequest

MASTER, PORT = "PIX2PIX_MASTER", "PIX2PIX_PORT"
PASSED_ON = ("PYTHONPATH", "ONEDNN_MAX_CPU_ISA", "GLOG_v")
THIS_MACHINE = ("localhost", "127.0.0.1")
# the first process waits this much longer for the other machines than they wait for their workers
EXTRA_SECONDS = 10
SLURM_PORTS = range(20000, 30000)


def launch(command: list[str], where: WhereSettings, folder: Path) -> int:
    """Run `command` (a Python program and its arguments) as where.device_num workers and wait for them.

    With where.nodes above 1, this process starts the same command once on every machine, where this function
    is called again. `folder`, for the logs, and the working directory must be the same on all machines.

    Returns:
        0; 128 + the signal number if a signal stopped the training (its state is then saved); or 1.

    Raises:
        InputError: the machines are not given.
    """
    if node := own_part(where):
        use_cores(where.train_threads)
        return run_workers(command, where.device_num, node, folder, where.stop_seconds)
    for pattern in ("worker_*", "scheduler.log", "msrun_*.log"):
        for left in folder.glob(pattern):
            remove(left)
    print(f"{where.device_num} workers on {where.nodes} machine(s), logs in {folder}", file=sys.stderr, flush=True)
    if where.nodes == 1:
        use_cores(where.train_threads)
        node = Node(0, 1, "127.0.0.1", free_port())
        return run_workers(command, where.device_num, node, folder, where.stop_seconds)
    if where.hosts:
        return _run_everywhere(_start_on_hosts(command, where.hosts.split(",")), where.stop_seconds)
    if "SLURM_JOB_ID" in os.environ:
        return _run_everywhere([_srun(command, where.nodes, where.train_threads)], where.stop_seconds)
    raise InputError(f"nodes: {where.nodes} machines need hosts=name,name,... or a Slurm allocation of that many nodes")


def own_part(where: WhereSettings) -> Node | None:
    """This machine's `Node` if another process started this one; None in the process that starts the others."""
    if PORT in os.environ:
        return Node(int(os.environ[NODE]), where.nodes, os.environ[MASTER], int(os.environ[PORT]))
    if where.nodes > 1 and os.environ.get("SLURM_STEP_NUM_NODES") == str(where.nodes):
        job, step = int(os.environ["SLURM_JOB_ID"]), int(os.environ["SLURM_STEP_ID"])
        port = SLURM_PORTS[(16 * job + step) % len(SLURM_PORTS)]
        master = _first_address(os.environ["SLURM_STEP_NODELIST"])
        return Node(int(os.environ["SLURM_NODEID"]), where.nodes, master, port)
    return None


def _first_address(nodes: str) -> str:
    """The address of the first of Slurm's nodes (n[1-4]), because a node's name may not resolve."""
    first = _ask_slurm("show", "hostnames", nodes).split()[0]
    found = re.search(r"NodeAddr=(\S+)", _ask_slurm("show", "node", first))
    if found is None:
        raise InputError(f"nodes: Slurm's scontrol gives no address (NodeAddr) for node {first}")
    return found[1]


def _ask_slurm(*question: str) -> str:
    return subprocess.run(["scontrol", *question], check=True, capture_output=True, text=True).stdout


def _srun(command: list[str], nodes: int, threads: int | None) -> subprocess.Popen:
    """Start the command once on every node of the allocation; if one fails, Slurm ends the others."""
    line = ["srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", "--kill-on-bad-exit=1"]
    if threads:
        line.append(f"--cpus-per-task={threads}")
    return subprocess.Popen([*line, sys.executable, *command], start_new_session=True)


def _start_on_hosts(command: list[str], hosts: list[str]) -> list[subprocess.Popen]:
    """Start the command once on every host, through ssh on other machines."""
    here = (*THIS_MACHINE, socket.gethostname(), socket.getfqdn())
    # before anything is started, which would wait for the others
    if not shutil.which("ssh") and (others := [host for host in hosts if host not in here]):
        raise InputError(f"hosts: {others[0]} is reached by ssh, which is not installed here: install it")
    port = free_port()
    started = []
    for rank, host in enumerate(hosts):
        part = {NODE: str(rank), MASTER: hosts[0], PORT: str(port)}
        line = [sys.executable, *command]
        if host in here:
            started.append(subprocess.Popen(line, env=os.environ | part, start_new_session=True))
        else:
            part |= {name: os.environ[name] for name in PASSED_ON if name in os.environ}
            setting = [f"{name}={value}" for name, value in part.items()]
            remote = f"cd {shlex.quote(str(Path.cwd()))} && exec {shlex.join(['env', *setting, *line])}"
            ssh = ["ssh", "-tt", "-o", "BatchMode=yes", host, remote]
            started.append(subprocess.Popen(ssh, stdin=subprocess.PIPE, start_new_session=True))
    return started


def _run_everywhere(parts: list[subprocess.Popen], stop_seconds: float) -> int:
    """Wait for the processes of all machines; a failure or a signal stops the others."""
    stop = StopRequest()
    deadline = float("inf")
    try:
        while any(part.poll() is None for part in parts) and time.monotonic() < deadline:
            if (stop.signal or any(part.returncode for part in parts)) and deadline == float("inf"):
                deadline = time.monotonic() + stop_seconds + EXTRA_SECONDS
                for part in parts:
                    _ask_to_stop(part)
            time.sleep(POLL_SECONDS)
    finally:
        for part in parts:
            part.kill()
    if any(part.wait() for part in parts) and stop.signal:
        return 128 + stop.signal
    return max(abs(part.returncode) for part in parts)


def _ask_to_stop(part: subprocess.Popen) -> None:
    if part.poll() is not None:
        return
    if part.stdin:
        # Ctrl-C on the remote terminal; ending ssh would not wait for the state to be saved
        part.stdin.write(b"\x03")
        part.stdin.flush()
    else:
        part.send_signal(signal.SIGTERM)
