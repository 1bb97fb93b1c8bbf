"""Every stage with every fault: killed at each of its renames, on a full disk, with a damaged input.

After a fault, there must be no incomplete output under its final name, and running the same command again
must produce the same bytes as an undisturbed run.
"""

import itertools
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import warm
from archives import contents
from conftest import ROOT
from disks import small_disk

SMALL = "--g_layers 3 --g_ngf 4"
TRAIN = (
    f"{SMALL} --epoch_num 2 --n_epochs 1 --n_epochs_decay 1 --batch_size 2 --load_size 36 --train_pic_size 32"
    " --d_ndf 4 --d_layers 1 --eval_epoch_freq 1 --save_epoch_freq 1"
)


def cut(file: str) -> Callable[[Path], None]:
    """Cut off half of a file."""

    def damage(folder: Path) -> None:
        content = (folder / file).read_bytes()
        (folder / file).write_bytes(content[: len(content) // 2])

    return damage


def without(name: str) -> Callable[[Path], None]:
    """Remove a file or a folder."""

    def damage(folder: Path) -> None:
        shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()

    return damage


@dataclass(frozen=True)
class Stage:
    """A program's command line: {made} is the folder of its inputs, {out} that of its outputs."""

    command: str
    outputs: tuple[str, ...]
    damage: Callable[[Path], None] | None
    names: str = ""  # what the message about the damaged input must name


# in the order of the workflow: the outputs of a stage are inputs of later stages
STAGES = {
    "draw_demo": Stage("{out}/drawn.tar.gz --train 4 --val 2 --size 32", ("drawn.tar.gz",), None),
    "download": Stage(
        "--dataset demo --mirror file://{made}/drawn.tar.gz {out}/demo.tar.gz",
        ("demo.tar.gz", "demo.tar.gz.sha256"),
        cut("drawn.tar.gz"),
        "drawn.tar.gz",
    ),
    "extract": Stage(
        "{made}/demo.tar.gz {out}/pairs --splits train=4 val=2", ("pairs",), cut("demo.tar.gz"), "demo.tar.gz"
    ),
    "mindrecord": Stage(
        "{made}/pairs {out}/train.mindrecord --split train",
        ("train.mindrecord", "train.mindrecord.db"),
        without("pairs/train"),
        "pairs/train",
    ),
    "train": Stage(
        "{made}/train.mindrecord --ckpt_dir {out}/ckpt --train_fakeimg_dir {out}/fake_img --loss_show_dir"
        f" {{out}}/loss_show --state_dir {{out}}/state --held_out {{made}}/train.mindrecord {TRAIN}",
        ("ckpt", "snapshots/Generator_1.ckpt"),  # the best one changes after each epoch
        cut("train.mindrecord"),
        "train.mindrecord",
    ),
    "keep_best": Stage(
        "{made}/snapshots/Generator_best.ckpt {out}/best/Generator_2.ckpt",
        ("best",),
        cut("snapshots/Generator_best.ckpt"),
        "Generator_best.ckpt",
    ),
    "predict": Stage(
        "{made}/train.mindrecord --ckpt {made}/ckpt/Generator_2.ckpt --predict_dir {out}/predict"
        f" {SMALL} --val_pic_size 32",
        ("predict",),
        cut("ckpt/Generator_2.ckpt"),
        "Generator_2.ckpt",
    ),
    "evaluate": Stage(
        "{made}/train.mindrecord --predict_dir {made}/predict --csv {out}/metrics.csv --json {out}/metrics.json",
        ("metrics.csv", "metrics.json"),
        cut("predict/prediction/2.png"),
        "predict/prediction/2.png",
    ),
    "describe": Stage(
        "{made} {out}/run.html {out}/gallery.html --trained",
        ("run.html", "gallery.html"),
        cut("metrics.json"),
        "metrics.json",
    ),
    "summarize": Stage(
        f"{{made}} --csv {{out}}/summary.csv --html {{out}}/summary.html --published {ROOT}/workflow/published.yaml",
        ("summary.csv", "summary.html"),
        cut("metrics.json"),
        "metrics.json",
    ),
}


def run(stage: str, made: Path, out: Path, killed_at: int = 0) -> subprocess.CompletedProcess:
    """Run the stage's program, with stderr redirected to stdout; kill it before its rename of this number."""
    words = [word.format(made=made, out=out) for word in STAGES[stage].command.split()]
    done = warm.run(ROOT / "scripts" / f"{stage}.py", words, Path.cwd(), killed_at)
    return subprocess.CompletedProcess(words, *done)


def outputs(stage: str, folder: Path) -> dict[str, bytes]:
    """The contents of the stage's outputs."""
    found = {}
    for name in STAGES[stage].outputs:
        if (folder / name).is_file():
            found[name] = (folder / name).read_bytes()
        found |= {f"{name}/{file}": content for file, content in contents(folder / name).items()}
    return found


def scratch_left(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob(".*") if path.name.endswith("part")]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The outputs of an undisturbed run of all stages, in one folder."""
    folder = tmp_path_factory.mktemp("made")
    for stage in STAGES:
        done = run(stage, folder, folder)
        assert done.returncode == 0, done.stdout
        assert outputs(stage, folder), stage
    return folder


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_killed_before_any_rename_gives_identical_results(stage, made, tmp_path):
    whole = outputs(stage, made)
    # training renames some thirty files, most of them twice
    for moment in itertools.count(1, 3 if stage == "train" else 1):
        done = run(stage, made, tmp_path, killed_at=moment)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stdout
        for name, content in outputs(stage, tmp_path).items():
            assert content == whole.get(name, content), f"{name} looks whole after a kill before rename {moment}"
    assert moment > 1, "it was never killed"
    assert outputs(stage, tmp_path) == whole
    assert scratch_left(tmp_path) == []


@pytest.mark.parametrize("stage", STAGES)
def test_on_a_full_disk_a_stage_fails_with_one_line_and_resumes_when_there_is_room(stage, made, tmp_path):
    whole = outputs(stage, made)
    with small_disk(tmp_path / "disk", 4096) as out:
        done = run(stage, made, out)
        assert_one_line(done, "room")
        for name, content in outputs(stage, out).items():
            assert content == whole[name], f"{name} looks whole on a full disk"
        assert scratch_left(out) == []
        subprocess.run(["mount", "-o", "remount,size=64m", out], check=True)
        done = run(stage, made, out)
        assert done.returncode == 0, done.stdout
        assert outputs(stage, out) == whole


@pytest.mark.parametrize("stage", [stage for stage in STAGES if STAGES[stage].damage])
def test_a_damaged_input_is_named_in_one_line_and_gives_no_output(stage, made, tmp_path):
    shutil.copytree(made, tmp_path / "made")
    STAGES[stage].damage(tmp_path / "made")
    done = run(stage, tmp_path / "made", tmp_path / "out")
    assert_one_line(done, STAGES[stage].names)
    assert outputs(stage, tmp_path / "out") == {}


@pytest.mark.parametrize(("stage", "folder"), [("extract", "pairs"), ("predict", "predict")])
@pytest.mark.parametrize("mine", ["thesis.txt", "input/photo.png", "train/photo.png"])
def test_a_folder_with_files_of_the_user_is_not_replaced(stage, folder, mine, made, tmp_path):
    (tmp_path / folder / mine).parent.mkdir(parents=True)
    (tmp_path / folder / mine).write_text("mine")
    done = run(stage, made, tmp_path)
    assert_one_line(done, f"{tmp_path / folder}: exists already and contains {Path(mine).parts[0]}; it is in the way")
    assert [str(path.relative_to(tmp_path / folder)) for path in tmp_path.rglob("*") if path.is_file()] == [mine]


def test_predictions_replace_earlier_ones_but_not_when_something_was_added(made, tmp_path):
    (tmp_path / "predict").mkdir()
    assert run("predict", made, tmp_path).returncode == 0
    (tmp_path / "predict/prediction/1.png").unlink()
    (tmp_path / "predict/.snakemake_timestamp").touch()
    assert run("predict", made, tmp_path).returncode == 0
    assert outputs("predict", tmp_path) == outputs("predict", made)
    (tmp_path / "predict/notes.txt").write_text("mine")
    assert_one_line(run("predict", made, tmp_path), "predict: exists already and contains notes.txt")


def assert_one_line(done: subprocess.CompletedProcess, message: str) -> None:
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stdout, done.stdout
    lines = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    assert 1 <= len(lines) <= 2, done.stdout  # one line for the mirror, and one for the file
    assert message in "\n".join(lines), done.stdout
