"""MindRecord files that are damaged, swapped, missing or of another format give one line with every reader."""

import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from archives import contents, make_archive, make_folder, noise_image
from conftest import ROOT, script
from disks import small_disk

from pix2pix.config.settings import TrainSettings
from pix2pix.data.extract import extract
from pix2pix.data.left_out import Difference, LeftOut
from pix2pix.data.loader import batches, sample_epoch, whole_pairs
from pix2pix.data.packing import split_files
from pix2pix.data.records import count, iterate, left_out_of, write_records
from pix2pix.system.errors import InputError

SETTINGS = TrainSettings(load_size=36, train_pic_size=32, g_layers=3)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with train.mindrecord and val.mindrecord, with three pairs each."""
    folder = tmp_path_factory.mktemp("records")
    make_folder(folder / "pairs", {f"{split}/{n}.png": noise_image() for split in ("train", "val") for n in range(3)})
    for split in ("train", "val"):
        write_records(split_files(folder / "pairs" / split), folder / f"{split}.mindrecord")
    return folder


@pytest.fixture
def copied(written, tmp_path):
    """A copy of it, to be damaged."""
    for file in written.glob("*.mindrecord*"):
        shutil.copy(file, tmp_path)
    return tmp_path / "train.mindrecord"


def cut(path):
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size // 2)


def flip(path):
    data = bytearray(path.read_bytes())
    data[2**24 + 2000] ^= 1  # within an image
    path.write_bytes(data)


def flip_in_the_middle(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def exchange(path):
    shutil.copy(path.with_name("val.mindrecord"), path)


def forge(path):
    """Make the index point beyond the data."""
    with sqlite3.connect(f"{path}") as index:
        index.execute("UPDATE INDEXES SET PAGE_OFFSET_BLOB = 1000000000000")


DAMAGE = {
    "cut data": (cut, "", "is damaged, or does not belong to its index; delete it and"),
    "a flipped bit": (flip, "", "is damaged, or does not belong to its index; delete it and"),
    "another split's data": (exchange, "", "is damaged, or does not belong to its index; delete it and"),
    "empty data": (lambda path: path.write_bytes(b""), "", "is damaged, or does not belong"),
    "missing data": (lambda path: path.unlink(), "", "no such file: delete"),
    "a cut index": (cut, ".db", "its index is damaged; delete it and"),
    "a forged index": (forge, ".db", "its index is damaged; delete it and"),
    "text for an index": (lambda path: path.write_text("hello" * 999), ".db", "its index is damaged; delete it and"),
    "missing index": (lambda path: path.unlink(), ".db", "its index train.mindrecord.db is missing"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_or_swapped_records_give_one_line(copied, damage):
    inflict, ending, reason = DAMAGE[damage]
    inflict(copied.with_name(copied.name + ending))
    for read in (count, lambda files: next(whole_pairs(files, 32, "AtoB"))):
        with pytest.raises(InputError) as error:
            read([copied.with_name("val.mindrecord"), copied])
        assert str(error.value).startswith(f"{copied}: {reason}")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("damage", ["another split's data", "cut data"])
@pytest.mark.parametrize("program", ["train", "predict"])
def test_the_programs_report_it_and_do_not_crash(copied, tmp_path, program, damage):
    inflict, ending, reason = DAMAGE[damage]
    inflict(copied.with_name(copied.name + ending))
    names = {
        "train": ("ckpt_dir", "train_fakeimg_dir", "loss_show_dir", "state_dir"),
        "predict": ("ckpt", "predict_dir"),
    }
    flags = [word for name in names[program] for word in (f"--{name}", tmp_path / name)]
    result = script(program, copied, *flags)
    assert result.returncode == 1
    assert "Traceback" not in result.stdout
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("error: "))
    assert line.startswith(f"error: {copied}: {reason}")


@pytest.mark.parametrize("name", ["photo.jpg", "folder"])
def test_for_other_files_the_message_names_the_command_to_run_and_no_deletion(tmp_path, name):
    make_folder(tmp_path, {"photo.jpg": noise_image(format="JPEG"), "folder/1.jpg": noise_image(format="JPEG")})
    result = script("predict", tmp_path / name, "--ckpt", "x.ckpt", "--predict_dir", tmp_path / "predict")
    assert result.returncode == 1
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("error: "))
    assert line.startswith(f"error: {tmp_path / name}: is not a MindRecord file; put A|B images in ")
    assert "python scripts/mindrecord.py" in line
    assert "delete" not in line


def test_records_of_a_version_without_checksums_are_read(copied):
    with sqlite3.connect(f"{copied}.db") as index:
        index.execute("DROP TABLE WRITTEN")
    assert count([copied]) == 3
    assert len(list(iterate([copied]))) == 3


def test_a_damaged_image_is_named_with_its_file_and_record(tmp_path):
    files = {f"{n}.png": noise_image() for n in range(5)} | {"4.png": b"this is not an image"}
    shards = [tmp_path / f"train-{shard}-of-2.mindrecord" for shard in (1, 2)]
    for number, shard in enumerate(shards, 1):
        write_records(split_files(make_folder(tmp_path / "train", files), number, 2), shard)
    message = f"^{shards[1]}: record 3: 4: is not an image "
    with pytest.raises(InputError, match=message):
        list(whole_pairs(shards, 32, "AtoB"))
    plan = sample_epoch(5, 1, SETTINGS)
    with pytest.raises(InputError, match=message):
        list(batches(shards, plan, [[n] for n in range(5)], SETTINGS))


@pytest.mark.parametrize("size", [2**20, 2**24 + 2**20, 2**26])
def test_a_full_disk_is_reported_and_leaves_no_records(tmp_path, size):
    make_folder(tmp_path / "pairs", {f"train/{n}.bmp": noise_image(512, 512, "BMP") for n in range(85)})
    with small_disk(tmp_path / "disk", size) as disk:
        result = script("mindrecord", tmp_path / "pairs", disk / "data" / "train.mindrecord", "--split", "train")
        assert result.returncode == 1
        (line,) = (line for line in result.stdout.splitlines() if "pair/s" not in line and "pair]" not in line)
        assert line.startswith(f"error: {disk / 'data'}: train.mindrecord does not fit: ")
        assert line.endswith(" are missing; make room and start again")
        assert contents(disk) == {}


def test_leftovers_of_a_killed_process_are_removed_by_the_next(tmp_path):
    make_folder(tmp_path / "pairs", {f"train/{n}.bmp": noise_image(512, 512, "BMP") for n in range(60)})
    output = tmp_path / "data" / "train.mindrecord"
    command = [sys.executable, ROOT / "scripts" / "mindrecord.py", tmp_path / "pairs", output, "--split", "train"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not list(tmp_path.glob("data/.*/*.mindrecord")):
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    assert len(list(output.parent.iterdir())) == 1
    assert script("mindrecord", *command[2:]).returncode == 0
    names = {f"train.mindrecord{ending}" for ending in ("", ".db", ".known.json")}
    assert {path.name for path in output.parent.iterdir()} == names


def test_records_of_packed_pairs_have_the_same_bytes(tmp_path):
    names = ["1", "2", "10", "a b", "é;$(x)&'", "-n"]
    files = {f"train/{name}.png": noise_image() for name in names} | {"val/1.png": noise_image()}
    archive = make_archive(tmp_path / "a.tar.gz", files)
    results = []
    for packed in (False, True):
        folder = tmp_path / str(packed)
        extract(archive, folder / "pairs", {"train": 6, "val": 1}, packed=packed)
        for shard in (1, 2):
            path = folder / f"train-{shard}-of-2.mindrecord"
            write_records(split_files(folder / "pairs/train", shard, 2), path)
        results.append(
            {path.name: path.read_bytes() for path in folder.glob("*.mindrecord*") if path.suffix != ".json"}
        )
    assert results[0] == results[1]
    assert len(results[0]) == 4
    assert sorted(path.name for path in (tmp_path / "True/pairs").iterdir()) == ["train.zip", "val.zip"]


@pytest.mark.parametrize("damage", [cut, flip_in_the_middle])
def test_damaged_packed_pairs_give_one_line(tmp_path, damage):
    archive = make_archive(tmp_path / "a.tar.gz", {f"train/{n}.png": noise_image() for n in range(9)})
    extract(archive, tmp_path / "pairs", {"train": 9}, packed=True)
    damage(tmp_path / "pairs/train.zip")
    with pytest.raises(InputError) as error:
        write_records(split_files(tmp_path / "pairs/train"), tmp_path / "train.mindrecord")
    assert str(error.value).startswith(f"{tmp_path / 'pairs/train.zip'}: is damaged (")
    assert str(error.value).endswith(f"delete {tmp_path / 'pairs'} and start again")
    assert not (tmp_path / "train.mindrecord").exists()


def test_images_of_any_size_are_written_in_order(tmp_path):
    """Images are given to MindRecord several at a time, up to some megabytes."""
    folder = make_folder(
        tmp_path / "pairs", {f"train/{n}.bmp": noise_image(800, 4 ** (n % 6), "BMP") for n in range(40)}
    )
    write_records(split_files(folder / "train"), tmp_path / "train.mindrecord")
    pairs = list(iterate([tmp_path / "train.mindrecord"]))
    assert [name for name, _ in pairs] == [str(n) for n in range(40)]
    assert all(pair == (folder / f"train/{name}.bmp").read_bytes() for name, pair in pairs)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--split", "none"), "pairs/none: has no pairs for {out}"),
        (("--split", "train", "--shard", 3, "--shards", 2), "--shard: 3 is not in 1 to --shards (2)"),
        (("--split", "train"), "train.mindrecord: two pairs are named 1: names must be unique; rename one"),
    ],
)
def test_no_records_are_written_of_no_pairs_or_of_two_with_one_name(tmp_path, flags, reason):
    make_folder(tmp_path, {f"pairs/train/1.{ending}": noise_image() for ending in ("png", "PNG")})
    (tmp_path / "pairs/none").mkdir()
    out = tmp_path / "train.mindrecord"
    done = script("mindrecord", tmp_path / "pairs", out, *flags)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].removeprefix("error: ").removeprefix(f"{tmp_path}/") == reason.format(out=out)
    assert not out.exists()


def test_records_say_what_was_left_out(tmp_path):
    folder = make_folder(tmp_path, {"pairs/val/1.png": noise_image()})
    left_out = LeftOut(images={"val/2.png": "is empty (0 bytes)"}, counts={"val": Difference(declared=3, found=2)})
    for name, given in (("val", left_out), ("test", None)):
        write_records(split_files(folder / "pairs/val"), tmp_path / f"{name}.mindrecord", given)
        assert left_out_of([tmp_path / f"{name}.mindrecord"]) == given
    with sqlite3.connect(tmp_path / "val.mindrecord.db") as index:
        index.execute("DELETE FROM LEFT_OUT")
    with pytest.raises(InputError, match="its index is damaged"):
        left_out_of([tmp_path / "val.mindrecord"])
