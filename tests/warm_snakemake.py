"""Snakemake in forks of a process that has imported it: the import takes longer than most of the tests' runs.

As a program it serves requests: one JSON object per line on stdin, and the exit status of each run on stdout.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

SECONDS_AT_MOST = 600


def run(arguments: list[str], directory: Path) -> tuple[int, str]:
    """Do `python -m snakemake ARGUMENTS` in `directory`; return its exit status and its output, stderr included."""
    with tempfile.NamedTemporaryFile("w+") as output:
        request = {"argv": arguments, "cwd": str(directory), "output": output.name, "environ": dict(os.environ)}
        server = _server()
        print(json.dumps(request), file=server.stdin, flush=True)
        status = int(server.stdout.readline())
        return status, output.read()


@cache
def _server() -> subprocess.Popen:
    return subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _serve() -> None:
    import snakemake.cli  # noqa: PLC0415 (only the server imports it)

    for line in sys.stdin:
        if (child := os.fork()) == 0:
            _become(**json.loads(line))
            # a normal end of the interpreter, with its exit functions
            sys.exit(snakemake.cli.main())
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _become(argv: list[str], cwd: str, output: str, environ: dict[str, str]) -> None:
    """Make this process what a new one with these arguments would be."""
    signal.alarm(SECONDS_AT_MOST)
    with open(output, "w") as file, open(os.devnull) as nothing:
        for there, here in ((nothing, 0), (file, 1), (file, 2)):
            os.dup2(there.fileno(), here)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv[1:], sys.path[0] = argv, cwd


if __name__ == "__main__":
    _serve()
