"""Programs in forks of a process that has imported what they import, which takes longer than most of the tests' runs.

`run` is for a program that a test waits for. `python` stands in for the interpreter in a command line; the jobs of
`run("snakemake", ...)` are started by it. As a program, this file is that interpreter.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE.parent / "scripts"
# importing it takes seconds, which tests of the other programs do not wait for
WITH_MINDSPORE = {"check_device", "evaluate", "export", "mindrecord", "predict", "rehearse", "train", "translate"}
KINDS = ("snakemake", "with_mindspore", "without_mindspore")


def run(program: str | Path, arguments: list[str], directory: Path, killed_at: int = 0) -> tuple[int, str]:
    """Run a program in `directory`; return its exit status and its output, stderr included.

    Args:
        program: the path of a program in scripts/, or "snakemake".
        killed_at: it is killed just before its rename of this number, from 1; 0: not at all.
    """
    with tempfile.TemporaryFile("w+") as output, open(os.devnull) as nothing:
        files = {0: nothing.fileno(), 1: output.fileno(), 2: output.fileno()}
        server = python().with_name(kind_of(program)) if program == "snakemake" else started(kind_of(program))
        with request(server, [str(program), *arguments], directory, files, killed_at) as connection:
            status = connection.recv(10)
        assert status, f"{program}: its server was killed, or could not import it"
        output.seek(0)
        return int(status), output.read()


def kind_of(program: str | Path) -> str:
    """Which server imports what the program does."""
    if program == "snakemake":
        return "snakemake"
    return "with_mindspore" if Path(program).stem in WITH_MINDSPORE else "without_mindspore"


def python() -> Path:
    """An interpreter that runs Snakemake and the programs in scripts/ like `run`, and all else as itself."""
    for kind in KINDS:
        started(kind)
    return folder() / "python"


@cache
def folder() -> Path:
    """The folder of the servers' sockets and of the interpreter."""
    made = tempfile.TemporaryDirectory()
    atexit.register(made.cleanup)
    stand_in = Path(made.name, "python")
    stand_in.write_text(f'#!/bin/sh\nexec {sys.executable} -IS {__file__} {sys.executable} {made.name} "$@"\n')
    stand_in.chmod(0o755)
    return Path(made.name)


@cache
def started(kind: str) -> Path:
    """The socket of a server that has been started."""
    path = folder() / kind
    stems = [program.stem for program in SCRIPTS.glob("*.py") if kind_of(program) == kind]
    command = [sys.executable, HERE / "warm_server.py", path, *(stems or [kind])]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdout.readline(), kind
    # it ends when its input does
    atexit.register(server.communicate)
    return path


def request(server: Path, argv: list[str], directory: Path, files: dict[int, int], killed_at: int = 0) -> socket.socket:
    """Ask a server for a program; its exit status comes over the connection.

    Args:
        files: the open files of the program, by their numbers there.
    """
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(server))
    message = {
        "argv": argv,
        "directory": str(directory),
        "files": list(files),
        "killed_at": killed_at,
        "environment": dict(os.environ),
        "cores": list(os.sched_getaffinity(0)),
        "python": str(server.with_name("python")),
    }
    line = json.dumps(message).encode() + b"\n"
    connection.sendall(line[socket.send_fds(connection, [line], list(files.values())) :])
    return connection


def main() -> None:
    """Run Snakemake or a program in scripts/ in a fork, or replace this process with the true interpreter."""
    interpreter, folder, *words = sys.argv[1:]
    if words[:2] == ["-m", "snakemake"]:
        kind, words = "snakemake", words[1:]
    elif words and Path(words[0]).resolve().parent == SCRIPTS:
        kind = kind_of(words[0])
    else:
        os.execv(interpreter, [interpreter, *words])
    inherited = [int(file.name) for file in Path("/proc/self/fd").iterdir() if file.exists()]
    connection = request(Path(folder, kind), words, Path.cwd(), {number: number for number in inherited})
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: connection.send(bytes([received])))
    status = int(connection.recv(10) or 1)
    if status < 0:
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    main()
