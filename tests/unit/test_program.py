"""Error messages common to all programs."""

import ast
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, script
from disks import small_disk

from pix2pix.config.settings import PredictSettings, TrainSettings, WhereSettings
from pix2pix.model.memory import check_memory, prediction_memory, training_memory
from pix2pix.system.errors import InputError

UNFORESEEN = "from pix2pix.system.program import run\nrun(lambda: {}['a\\nb'])"


def test_unexpected_error_is_one_line_that_explains_how_to_see_more(monkeypatch):
    command = [sys.executable, "-c", UNFORESEEN]
    monkeypatch.delenv("PIX2PIX_TRACEBACK", raising=False)
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: unexpected KeyError: 'a\\nb' (PIX2PIX_TRACEBACK=1 in the environment shows where)\n"
    monkeypatch.setenv("PIX2PIX_TRACEBACK", "1")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_an_error_of_mindspore_is_its_message_without_headings():
    message = "\\n----\\n- Cuda error:\\n----\\nno device\\n\\n----\\n- C++ Call Stack:\\n----\\ncuda.cc:1"
    code = f"from pix2pix.system.program import run\ndef main(): raise RuntimeError('{message}')\nrun(main)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.startswith("error: unexpected RuntimeError: no device (")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_a_signal_makes_mindspore_print_is_not_shown(number):
    main = f"def main():\n try: os.kill(os.getpid(), {int(number)})\n finally: os.write(2, b'stack of the compiler')\n"
    code = f"import os, signal, sys\nsys.modules['mindspore'] = os\nfrom pix2pix.system.program import run\n{main}"
    # tests that run in the background of a shell start with SIGINT ignored
    code += "signal.signal(signal.SIGINT, signal.default_int_handler)\nrun(main)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (128 + number, "")


@pytest.mark.parametrize(
    ("key", "value", "beside"),
    [
        ("g_ngf", 10**15, ()),
        ("d_ndf", 10**15, ()),
        ("load_size", 200_000, ()),
        ("load_size", 200_000, ("--device_target", "GPU")),
        ("batch_size", 10**9, ()),
        ("train_pic_size", 2**20, ("--jitter", "false")),
    ],
)
def test_training_that_exceeds_memory_gives_one_line(tmp_path, key, value, beside):
    places = [f"--{name}={tmp_path / name}" for name in ("ckpt_dir", "train_fakeimg_dir", "loss_show_dir", "state_dir")]
    done = script("train", tmp_path / "no.mindrecord", *places, f"--{key}={value}", *beside)
    assert done.returncode == 1
    [line] = done.stdout.splitlines()
    assert line.startswith("error: ")
    assert key in line
    assert "GB of memory, and this machine has" in line


def train_in(folder: Path, ckpt: str) -> subprocess.CompletedProcess:
    """Start a training whose folders are in `folder`; records that do not exist end one that gets past its check."""
    places = {"ckpt_dir": ckpt, "train_fakeimg_dir": "fake_img", "loss_show_dir": "loss_show", "state_dir": "state"}
    return script("train", "no.mindrecord", *[f"--{flag}={folder / name}" for flag, name in places.items()])


@pytest.mark.parametrize("name", ["ckpt", "fake_img", "loss_show", "state", "snapshots", "epochs", "earlier"])
def test_a_file_in_the_place_of_a_folder_ends_training_before_it_starts(tmp_path, name):
    (tmp_path / name).write_text("mine")
    done = train_in(tmp_path, "ckpt/of/mine")
    folder = tmp_path / ("ckpt/of/mine" if name == "ckpt" else name)
    assert done.returncode == 1
    assert done.stdout == (
        f"error: {tmp_path / name}: {folder} must be a folder, and this is in the way: move it elsewhere\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == [name]
    (tmp_path / name).unlink()
    assert "no.mindrecord: no such file" in train_in(tmp_path, "ckpt/of/mine").stdout


@pytest.mark.parametrize("ckpt", ["state", "fake_img/ckpt", ".", "snapshots", "epochs/2"])
def test_folders_of_a_training_that_overlap_are_refused(tmp_path, ckpt):
    done = train_in(tmp_path, ckpt)
    assert done.returncode == 1
    assert re.fullmatch(r"error: .+: must not be the same folder as .+, or in it: choose another folder\n", done.stdout)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_ends_training_before_it_starts(tmp_path):
    with small_disk(tmp_path / "disk", 100_000) as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        done = train_in(tmp_path, "disk/ckpt")
    assert done.returncode == 1
    assert done.stdout == f"error: {disk}: cannot be written to: change its permissions, or choose another folder\n"
    assert [path.name for path in tmp_path.iterdir()] == ["disk"]


@pytest.mark.parametrize(("key", "value"), [("g_ngf", 10**15), ("val_pic_size", 2**20)])
def test_prediction_that_exceeds_memory_gives_one_line(key, value):
    needed = prediction_memory(PredictSettings.model_validate({key: value}), on_cpu=True)
    with pytest.raises(InputError, match=rf"{key}: would need at least .* GB of memory, and this machine has"):
        check_memory(needed)


def test_counted_weights_match_the_published_networks():
    # 54.4 and 2.8 million parameters, with four copies of four bytes each
    needed = training_memory(TrainSettings(), on_cpu=True)
    assert needed["g_ngf"] / 16 == pytest.approx(54.4e6, rel=0.01)
    assert needed["d_ndf"] / 16 == pytest.approx(2.76e6, rel=0.01)
    check_memory(needed)
    check_memory(prediction_memory(PredictSettings(), on_cpu=True))


@pytest.mark.parametrize("program", sorted((ROOT / "scripts").glob("*.py")), ids=lambda path: path.stem)
def test_every_program_has_an_example_with_flags_that_it_knows_and_all_that_it_needs(program):
    text = program.read_text()
    example = (ast.get_docstring(ast.parse(text)) or "").partition("Example:\n    ")[2]
    assert example.startswith(f"python scripts/{program.name} ")
    settings = {*TrainSettings.model_fields, *WhereSettings.model_fields}
    flags = re.findall(r"--(\w+)", example)
    assert [flag for flag in flags if f'"--{flag}"' not in text and flag not in settings] == []
    assert set(re.findall(r'add_argument\("--(\w+)"[^)]*required=True', text)) <= {*flags}


def test_help_shows_the_example_and_the_settings_in_groups():
    shown = script("extract", "--help").stdout
    assert "Example:\n    python scripts/extract.py data/facades.tar.gz data/facades/pairs --splits train=400" in shown
    assert "The cores of a program other than training:\n  --threads INT" in shown
