"""Progress of long work: a renewed line on a terminal, whole lines in a log."""

import os
import pty
import subprocess
import sys

import pytest

COUNT = """
from pix2pix.system import progress
progress.SECONDS_BETWEEN_LOG_LINES = 0
for _ in progress.Progress(range(3), desc="counting", unit="pair", mininterval=0):
    pass
"""


# as programs for a GPU or in bf16 do
RESTARTED = """
import os
from pix2pix.devices import check
from pix2pix.system import progress
if "RESTARTED" not in os.environ:
    check._start_again({"RESTARTED": "1"})
"""


@pytest.mark.parametrize("before", ["", RESTARTED])
def test_a_job_renews_a_line_on_the_terminal_and_adds_lines_to_its_log(tmp_path, before):
    terminal, inner = pty.openpty()
    os.set_blocking(terminal, False)
    with open(tmp_path / "log", "ab") as log:
        program = f"exec {sys.executable} -c '{before + COUNT}'"
        command = f"exec {inner}>&{inner} {log.fileno()}>>{tmp_path / 'log'}; {program}"
        environment = os.environ | {"PIX2PIX_PROGRESS": f"{inner},{log.fileno()}"}
        done = subprocess.run(
            ["bash", "-c", command], env=environment, capture_output=True, pass_fds=(inner, log.fileno()), check=True
        )
    renewed = os.read(terminal, 10000).decode()
    assert renewed.count("\x1b[Kcounting") >= 3
    assert renewed.count("\n") == 1
    assert "3/3" in renewed.rpartition("\x1b[K")[2]
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[-1].startswith("counting: 100%")
    assert done.stdout == done.stderr == b""


def test_without_a_terminal_progress_is_whole_lines():
    done = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    assert "\r" not in done.stderr
    assert "3/3" in done.stderr.splitlines()[-1]
