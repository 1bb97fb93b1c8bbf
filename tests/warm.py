"""Programs in forks of a process that has imported what they import, which takes longer than most of the tests' runs.

As a program, `warm.py PROGRAM`, it serves requests: one JSON object per line on stdin, and the exit status of each run
on stdout. PROGRAM is the path of a program, or `snakemake`.
"""

import atexit
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

SECONDS_AT_MOST = 600


def run(program: str | Path, arguments: list[str], directory: Path, killed_at: int = 0) -> tuple[int, str]:
    """Run a program in `directory`; return its exit status and its output, stderr included.

    Args:
        killed_at: it is killed just before its rename of this number, from 1; 0: not at all.
    """
    with tempfile.NamedTemporaryFile("w+") as output:
        request = {"argv": [str(program), *arguments], "cwd": str(directory), "output": output.name}
        server = _server(str(program))
        print(
            json.dumps(request | {"environ": dict(os.environ), "killed_at": killed_at}), file=server.stdin, flush=True
        )
        status = server.stdout.readline()
        assert status, f"{program}: its imports failed, or its server was killed"
        return int(status), output.read()


@cache
def _server(program: str) -> subprocess.Popen:
    command = [sys.executable, __file__, program]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    # it ends when its input does
    atexit.register(server.communicate)
    return server


def _serve(program: str) -> None:
    before = set(os.environ)
    if program == "snakemake":
        import snakemake.cli  # noqa: F401, PLC0415
    else:
        # not as __main__: only its imports
        runpy.run_path(program, run_name="imports")
    imported = {name: value for name, value in os.environ.items() if name not in before}
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            request = json.loads(line)
            _become(request["argv"], request["cwd"], request["output"], imported | request["environ"])
            if request["killed_at"]:
                _kill_at_rename(request["killed_at"])
            if program == "snakemake":
                runpy.run_module(program, run_name="__main__", alter_sys=True)
            else:
                runpy.run_path(program, run_name="__main__")
            sys.exit()
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
    sys.argv[:] = argv
    # with which a program starts itself once more (pix2pix.devices.check)
    sys.orig_argv[:] = [sys.executable, *argv]


def _kill_at_rename(number: int) -> None:
    left = number

    def watch(event: str, _: object) -> None:
        nonlocal left
        if event == "os.rename":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


if __name__ == "__main__":
    _serve(sys.argv[1])
