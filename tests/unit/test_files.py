"""Atomic outputs, and cleanup after killed processes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, draw_pairs, script
from disks import small_disk

from pix2pix.system.errors import InputError
from pix2pix.system.files import natural_order, replacing

WRITES_AND_WAITS = """
import sys
from pix2pix.system.files import replacing
with replacing(sys.argv[1]) as scratch:
    if sys.argv[2] == "folder":
        scratch.mkdir()
        (scratch / "large").write_text("half")
    else:
        scratch.write_text("half")
    print("written", flush=True)
    sys.stdin.read()
"""


def start_writing(output: Path, kind: str) -> subprocess.Popen:
    """Start a process that has written half of `output` and waits."""
    command = [sys.executable, "-c", WRITES_AND_WAITS, str(output), kind]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "written\n"
    return process


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_files_of_a_killed_process_are_removed_for_the_same_output(tmp_path, kind):
    output = tmp_path / "pairs [a]"
    with start_writing(output, kind) as killed:
        killed.send_signal(signal.SIGKILL)
    assert len(list(tmp_path.iterdir())) == 1
    with replacing(output) as scratch:
        scratch.write_text("whole")
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, b"\xff" * 250])
def test_output_may_have_the_longest_name(tmp_path, name):
    output = tmp_path / os.fsdecode(name)
    with start_writing(output, "file") as killed:
        killed.send_signal(signal.SIGKILL)
    with replacing(output) as scratch:
        scratch.write_text("whole")
    assert list(tmp_path.iterdir()) == [output]


def test_files_of_a_running_process_are_kept(tmp_path):
    output = tmp_path / "pairs"
    with start_writing(output, "file") as living:
        with replacing(output) as scratch:
            scratch.write_text("mine")
        assert output.read_text() == "mine"
        living.communicate("")
    assert output.read_text() == "half"
    assert list(tmp_path.iterdir()) == [output]


def test_scratch_files_of_another_output_are_kept(tmp_path):
    with start_writing(tmp_path / "train.mindrecord", "file") as killed:
        killed.kill()
    with replacing(tmp_path / "val.mindrecord") as scratch:
        scratch.write_text("whole")
    assert len(list(tmp_path.iterdir())) == 2


def test_scratch_files_without_an_owner_are_removed(tmp_path):
    """Earlier versions of the project created such files."""
    (tmp_path / ".pairs.123.part").mkdir()
    (tmp_path / ".pairs.123.part" / "large").write_text("half")
    (tmp_path / ".pairs.124.part").write_text("half")
    (tmp_path / ".pairs.part").write_text("half")
    with replacing(tmp_path / "pairs") as scratch:
        scratch.mkdir()
    assert list(tmp_path.iterdir()) == [tmp_path / "pairs"]


def test_exception_leaves_only_the_existing_output(tmp_path):
    output = tmp_path / "predict"
    with replacing(output) as scratch:
        scratch.mkdir()
        (scratch / "1.png").write_text("old")
    with pytest.raises(KeyError), replacing(output, ["1.png"]) as scratch:
        scratch.mkdir()
        raise KeyError
    assert (output / "1.png").read_text() == "old"
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_content_is_synced_before_the_rename_and_the_rename_before_the_end(tmp_path, kind):
    """Required to survive a power failure; checked by the order of the system calls."""
    log = tmp_path / "calls"
    program = WRITES_AND_WAITS.replace("sys.stdin.read()", "")
    command = ["strace", "-y", "-f", "-e", "trace=fsync,rename,renameat,renameat2", "-o", str(log)]
    try:
        subprocess.run(
            [*command, sys.executable, "-c", program, str(tmp_path / "out"), kind], cwd=ROOT, check=True, timeout=60
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("needs strace")
    calls = [line.partition(" ")[2].strip() for line in log.read_text().splitlines() if str(tmp_path) in line]
    [renamed] = [at for at, call in enumerate(calls) if call.startswith("rename")]
    written = {call.partition("<")[2].partition(">")[0] for call in calls[:renamed] if call.startswith("fsync")}
    expected = {"out"} if kind == "file" else {"out", "out/large"}
    assert {name.partition(".part/")[2] for name in written} >= expected
    assert calls[renamed + 1].partition("<")[2].partition(">")[0] == str(tmp_path)


def test_files_of_a_killed_mindrecord_job_are_removed_by_the_next(tmp_path):
    images = draw_pairs(tmp_path / "pairs")
    abandoned = tmp_path / "data" / ".train.mindrecord.abcd1234.part"
    abandoned.mkdir(parents=True)
    (abandoned / "train.mindrecord").write_text("half")
    done = script("mindrecord", images, tmp_path / "data/train.mindrecord", "--split", "train")
    assert done.returncode == 0, done.stdout
    names = {f"train.mindrecord{ending}" for ending in ("", ".db", ".known.json")}
    assert {path.name for path in (tmp_path / "data").iterdir()} == names


def test_numbers_are_in_the_order_of_their_values_whatever_the_order_of_the_folder():
    for names in (["2", "02", "10", "1", "b", "B"], ["B", "b", "1", "10", "02", "2"]):
        assert sorted(names, key=natural_order) == ["1", "02", "2", "10", "B", "b"]


def test_full_disk_error_names_the_output_and_keeps_the_existing_one(tmp_path):
    with small_disk(tmp_path / "disk", 2**16) as folder:
        (folder / "history.csv").write_text("old")
        with pytest.raises(OSError, match="No space left") as error, replacing(folder / "history.csv") as scratch:
            scratch.write_bytes(bytes(2**17))
        assert error.value.filename == str(folder / "history.csv")
        assert [path.read_text() for path in folder.iterdir()] == ["old"]


@pytest.mark.parametrize("path", [".", "..", "predict/.."])
def test_the_current_folder_and_those_above_it_are_no_outputs(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="cannot be replaced by an output"), replacing(path):
        pytest.fail("it was begun")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", [True, False])
def test_a_link_to_a_folder_stays_one(tmp_path, there):
    link, folder = tmp_path / "predict", tmp_path / "disk" / "predict"
    link.symlink_to("disk/predict")
    if there:
        folder.mkdir(parents=True)
    with replacing(link, ["new"]) as scratch:
        scratch.mkdir()
        (scratch / "new").touch()
    assert link.is_symlink()
    assert [path.name for path in folder.iterdir()] == ["new"]
