"""The server of warm.py: it imports what programs import, and forks for each request.

    python tests/warm_server.py SOCKET snakemake|PROGRAM...

It ends when its stdin does. A request is one line of JSON with open files beside it; the reply is the exit status.
Until then, each byte that the client sends is the number of a signal for the program; a client that is gone kills it.
"""

import fcntl
import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "scripts"
SECONDS_AT_MOST = 600
# above all numbers that a request can name
FREE = 100


def serve(path: str, *programs: str) -> None:
    """Import, and answer requests until stdin ends."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    # connections wait while it imports
    listener.listen(100)
    print("listening", flush=True)
    before = set(os.environ)
    for program in programs:
        if program == "snakemake":
            import snakemake.cli  # noqa: PLC0415
            import snakemake.report  # noqa: F401, PLC0415 (which Snakemake itself imports late)
        else:
            # not as __main__: only its imports
            runpy.run_path(str(SCRIPTS / f"{program}.py"), run_name="imports")
    # so that collecting garbage, in particular at the end of a fork, does not copy the memory of all that was imported
    gc.freeze()
    imported = {name: value for name, value in os.environ.items() if name not in before}
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        connection = listener.accept()[0]
        if not os.fork():
            listener.close()
            answer(connection, imported)
        connection.close()
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def answer(connection: socket.socket, imported: dict[str, str]) -> None:
    """Start the program that is asked for, pass signals on to it, send its exit status, and end this process."""
    message, files, _, _ = socket.recv_fds(connection, 1 << 16, FREE)
    while not message.endswith(b"\n"):
        message += connection.recv(1 << 16)
    if not (program := os.fork()):
        connection.close()
        start(json.loads(message), files, imported)
        sys.exit()
    ended = os.pidfd_open(program)
    while ended not in select.select([connection, ended], [], [])[0]:
        for number in connection.recv(1) or [signal.SIGKILL]:
            os.kill(program, number)
    status = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
    with suppress(BrokenPipeError):
        connection.sendall(str(status).encode())
    # without the exit handlers of what was imported
    os._exit(0)


def start(request: dict, files: list[int], imported: dict[str, str]) -> None:
    """Make this process what a new one with these arguments would be, and run the program."""
    signal.alarm(SECONDS_AT_MOST)
    for number in [fcntl.fcntl(file, fcntl.F_DUPFD, FREE) for file in files]:
        os.dup2(number, request["files"].pop(0))
        os.close(number)
    os.chdir(request["directory"])
    os.sched_setaffinity(0, request["cores"])
    os.environ.clear()
    os.environ.update(imported | request["environment"])
    sys.argv[:] = request["argv"]
    # with which a program starts itself once more (pix2pix.devices.check)
    sys.orig_argv[:] = [sys.executable, *sys.argv]
    if request["killed_at"]:
        kill_at_rename(request["killed_at"])
    if sys.argv[0] == "snakemake":
        # the interpreter of its jobs
        sys.executable = request["python"]
        runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")


def kill_at_rename(left: int) -> None:
    """Kill this process just before its rename of this number, from 1."""

    def watch(event: str, _: object) -> None:
        nonlocal left
        if event == "os.rename":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


if __name__ == "__main__":
    serve(*sys.argv[1:])
