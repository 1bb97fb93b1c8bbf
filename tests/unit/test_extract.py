"""Extraction of pairs from archives and folders: sorted, checked, counted, with every problem reported."""

import os
import signal
import subprocess
import sys
import tarfile
import time

import pytest
from archives import GOOD, contents, errors_of, image, make_archive, make_folder, member, noise_image
from conftest import ROOT, script
from disks import small_disk

from pix2pix.data.extract import extract
from pix2pix.system.checksum import keep, sha256_of
from pix2pix.system.errors import InputError


def test_program_reports_its_output(tmp_path):
    result = script("extract", make_archive(tmp_path / "a.tar.gz", GOOD), tmp_path / "p", "--splits", "train=3", "val")
    assert result.returncode == 0, result.stdout
    assert result.stdout.splitlines()[-1] == f"{tmp_path / 'p'}: 3 train, 1 val"


def test_folder_works_like_an_archive(tmp_path):
    folder = make_folder(tmp_path / "mine", GOOD | {"notes/todo.txt": b"paint"})
    (folder / "val" / "2.jpg").symlink_to(folder / "train" / "1.jpg")
    assert extract(folder, tmp_path / "pairs", {"train": 3, "val": None}) == {"train": 3, "val": 2}
    assert contents(tmp_path / "pairs") == GOOD | {"val/2.jpg": GOOD["train/1.jpg"]}


def test_files_of_file_managers_are_ignored(tmp_path):
    junk = ["x/._train", "x/train/._1.jpg", "x/train/.DS_Store", "x/.DS_Store", "__MACOSX/x/train/._1.jpg"]
    junk += ["x/train/Thumbs.db", "x/val/desktop.ini"]
    files = {f"x/{name}": data for name, data in GOOD.items()} | dict.fromkeys(junk, b"junk")
    extract(make_archive(tmp_path / "a.tar.gz", files), tmp_path / "pairs", {"train": 3, "val": 1})
    assert contents(tmp_path / "pairs") == GOOD


def test_undeclared_folders_are_skipped_with_a_note(tmp_path, capfd):
    files = {f"x/{name}": data for name, data in GOOD.items()}
    files |= {"x/test/1.jpg": b"", "x/test/2.jpg": b"", "x/README": b"hello", "x/lists/train.mat": b"mat"}
    archive = make_archive(tmp_path / "a.tar.gz", files)
    extract(archive, tmp_path / "pairs", {"train": 3, "val": 1})
    assert contents(tmp_path / "pairs") == GOOD
    notes = capfd.readouterr().err
    assert f"{archive}: 2 files skipped in x/test: " in notes
    assert f"{archive}: 1 file skipped in x: " in notes
    assert f"{archive}: 1 file skipped in x/lists: " in notes


def test_all_problems_are_listed_each_with_its_file(tmp_path):
    files = {f"x/{name}": data for name, data in GOOD.items()}
    files |= {
        "x/train/cut.jpg": noise_image(64, 64, "JPEG")[:-200],
        "x/train/odd.jpg": image(width=9),
        "x/train/none.jpg": b"",
        "x/val/small.png": image(2, 2, format="PNG"),
        "x/val/notes.txt": b"these are notes",
        "x/train/1.png": image(format="PNG"),
        "x/train/more/1.jpg": image(),
        "x/train/more/2.jpg": image(),
        "y/val/7.jpg": image(),
    }
    archive = make_archive(tmp_path / "a.tar.gz", files)
    result = script("extract", archive, tmp_path / "p", "--splits", "train=9", "val=4", "test")
    lines = [line.removeprefix(f"error: {archive}: ") for line in errors_of(result, tmp_path / "p")]
    starts = [
        "x/train/cut.jpg: cannot be decoded",
        "x/train/odd.jpg: is 9x4: an odd width",
        "x/train/none.jpg: is empty",
        "x/val/small.png: is 2x2: its halves are smaller than 2x2",
        "x/val/notes.txt: is not an image",
        "x/train/1.png: has the same name as 1.jpg",
        "x/train/more: is a folder within a split",
        "y: contains splits, and so does x",
        "split train has 6 images, but 9 are declared",
        "split test has no images",
    ]
    assert len(lines) == len(starts)
    for start in starts:
        assert any(line.startswith(start) for line in lines), (start, lines)


def test_single_image_among_pairs_is_reported_by_name(tmp_path, capfd):
    files = GOOD | {"train/lone.jpg": image(4, 4), "train/panorama.jpg": image(16, 4)}
    archive = make_archive(tmp_path / "a.tar.gz", files)
    assert extract(archive, tmp_path / "pairs", {"train": 5, "val": 1}) == {"train": 5, "val": 1}
    warnings = [line for line in capfd.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert [line.partition(" times")[0] for line in warnings] == [
        f"warning: {archive}: train/lone.jpg: its halves are 0.50",
        f"warning: {archive}: train/panorama.jpg: its halves are 2.00",
    ]


@pytest.mark.parametrize(("size", "warned"), [((8, 8), True), ((12, 8), False), ((16, 8), False), ((32, 8), False)])
def test_only_single_images_are_reported(tmp_path, capfd, size, warned):
    folder = make_folder(tmp_path / "mine", {f"train/{n}.jpg": image(*size) for n in range(3)})
    extract(folder, tmp_path / "pairs", {"train": 3})
    assert (f"warning: {folder}: halves are 0.50 times as wide as high" in capfd.readouterr().err) == warned


def test_list_of_problems_is_shortened(tmp_path):
    archive = make_archive(tmp_path / "a.tar.gz", {f"train/{n}.jpg": b"" for n in range(60)})
    lines = errors_of(script("extract", archive, tmp_path / "p", "--splits", "train"), tmp_path / "p")
    assert len(lines) == 51
    assert lines[-1] == "error: ... and 10 more"


def test_same_file_twice_is_a_problem(tmp_path):
    archive = make_archive(tmp_path / "a.tar", GOOD, mode="w")
    with tarfile.open(archive, "a") as tar:
        tar.addfile(member("train/1.jpg", tarfile.REGTYPE))
    with pytest.raises(InputError, match=r"train/1\.jpg: occurs twice"):
        extract(archive, tmp_path / "pairs", {"train": None, "val": None})


def test_wrong_top_level_is_reported_with_the_folders_found(tmp_path):
    archive = make_archive(tmp_path / "a.tar.gz", {"x/Train/1.jpg": image(), "x/valid/1.jpg": image()})
    with pytest.raises(InputError) as error:
        extract(archive, tmp_path / "pairs", {"train": 1, "val": 1})
    assert [line.removeprefix(f"{archive}: ") for line in str(error.value).splitlines()] == [
        "split train has no images; there are other folders: x/Train, x/valid",
        "split val has no images; there are other folders: x/Train, x/valid",
    ]


def test_empty_split_is_a_problem(tmp_path):
    archive = make_archive(tmp_path / "a.tar.gz", GOOD, (member("test", tarfile.DIRTYPE),))
    with pytest.raises(InputError, match=f"^{archive}: split test has no images$"):
        extract(archive, tmp_path / "pairs", {"train": 3, "val": 1, "test": None})


def test_invalid_entries_in_a_folder_are_problems(tmp_path):
    folder = make_folder(tmp_path / "mine", GOOD | {"train/deep/er/1.jpg": image()})
    (folder / "train" / "lost.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(folder / "train" / "pipe.jpg")  # opening it would block forever
    (folder / "train" / "loop").symlink_to(folder)
    with pytest.raises(InputError) as error:
        extract(folder, tmp_path / "pairs", {"train": 3, "val": 1})
    lines = str(error.value)
    assert f"{folder}: train/lost.jpg: is a broken link" in lines
    assert f"{folder}: train/pipe.jpg: is neither a file nor a folder" in lines
    assert f"{folder}: train/deep/er: is a folder within a split" in lines


def test_output_must_not_overlap_the_source(tmp_path):
    folder = make_folder(tmp_path / "mine", GOOD)
    for output in (folder, tmp_path, folder / "train" / "pairs"):
        with pytest.raises(InputError, match="must not overlap"):
            extract(folder, output, {"train": 3, "val": 1})
    assert contents(folder) == GOOD


def test_existing_images_are_not_replaced(tmp_path):
    old = make_folder(tmp_path / "pairs", {"train/old.jpg": b"old"})
    good = make_archive(tmp_path / "good.tar.gz", GOOD)
    result = script("extract", good, old, "--splits", "train", "val")
    assert result.returncode == 1
    assert errors_of(result, tmp_path / "none") == [
        f"error: {old}: exists already and contains train; it is in the way: move it elsewhere and start again"
    ]
    assert contents(old) == {"train/old.jpg": b"old"}
    (tmp_path / "empty").mkdir()
    extract(good, tmp_path / "empty", {"train": 3, "val": 1})
    assert contents(tmp_path / "empty") == GOOD


def test_checksum_is_compared_with_the_configured_or_recorded_one(tmp_path):
    archive = make_archive(tmp_path / "a.tar.gz", GOOD)
    splits = ("--splits", "train", "val")
    result = script("extract", archive, tmp_path / "p", *splits, "--sha256", "0" * 64)
    (line,) = errors_of(result, tmp_path / "p")
    assert "0" * 64 in line
    assert sha256_of(archive) in line
    keep("1" * 64, archive)
    with pytest.raises(InputError, match=f"{sha256_of(archive)}, but {'1' * 64} was recorded.*delete {archive}.sha256"):
        extract(archive, tmp_path / "p", {"train": None, "val": None})
    extract(archive, tmp_path / "p", {"train": 3, "val": 1}, sha256=sha256_of(archive).upper())
    keep(sha256_of(archive), archive)
    extract(archive, tmp_path / "q", {"train": 3, "val": 1})


def test_full_disk_is_reported_and_leaves_nothing(tmp_path):
    files = {f"train/{n}.bmp": noise_image(256, 128, "BMP") for n in range(40)}
    archive = make_archive(tmp_path / "a.tar.gz", files)
    with small_disk(tmp_path / "disk", 2**20) as disk:
        result = script("extract", archive, disk / "data" / "pairs", "--splits", "train=40")
        (line,) = errors_of(result, disk / "data" / "pairs")
        assert line.startswith(f"error: {disk / 'data'}: the disk is full: at least ")
        assert "1.0 MB were free" in line
        assert contents(disk) == {}


@pytest.mark.parametrize("words", [["train=x"], ["train=0"], ["train=-1"], ["trian=4"], ["train", "train=2"]])
def test_invalid_splits_are_reported(tmp_path, words):
    result = script("extract", make_archive(tmp_path / "a.tar.gz", GOOD), tmp_path / "p", "--splits", *words)
    (line,) = errors_of(result, tmp_path / "p")
    assert line.startswith(f"error: --splits: '{words[-1]}': ")


def test_what_a_killed_start_left_is_removed_by_the_next(tmp_path):
    files = {f"train/{n}.bmp": noise_image(512, 256, "BMP") for n in range(300)}
    archive = make_archive(tmp_path / "a.tar", files, mode="w")
    output = tmp_path / "data" / "pairs"
    command = [sys.executable, ROOT / "scripts" / "extract.py", archive, output, "--splits", "train"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not list(output.parent.glob(".*/**/*.bmp")):
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    assert len(list(output.parent.iterdir())) == 1
    assert script("extract", *command[2:]).returncode == 0
    assert list(output.parent.iterdir()) == [output]
