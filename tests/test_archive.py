"""Archives of every kind, hostile and damaged ones among them: inside the folder and whole, or not at all."""

import gzip
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from archives import GOOD, contents, errors_of, make_archive, member, noise_picture, picture
from conftest import script
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pix2pix.errors import InputError
from pix2pix.extract import extract


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("top", ["facades/", "./facades/", "", "./", "test/"])
def test_any_one_top_folder_and_compression(tmp_path, top, mode):
    archive = make_archive(tmp_path / "a.tar", {top + name: data for name, data in GOOD.items()}, mode=mode)
    assert extract(archive, tmp_path / "pairs", {"train": 3, "val": 1}) == {"train": 3, "val": 1}
    assert contents(tmp_path / "pairs") == GOOD


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (member("/tmp/escaped/train/9.jpg", tarfile.REGTYPE), "'/tmp/escaped/train/9.jpg': leads out of the folder"),
        (member("x/../../9.jpg", tarfile.REGTYPE), "'x/../../9.jpg': leads out of the folder"),
        (member("x/train/..", tarfile.DIRTYPE), "'x/train/..': leads out of the folder"),
        (member("x/train/9.jpg", tarfile.SYMTYPE, "/etc/passwd"), "x/train/9.jpg: is a link to '/etc/passwd'"),
        (member("x/train", tarfile.SYMTYPE, "../.."), "x/train: is a link to '../..'"),
        (member("x/train/9.jpg", tarfile.LNKTYPE, "x/train/1.jpg"), "x/train/9.jpg: is a link to 'x/train/1.jpg'"),
        (member("x/train/9.jpg", tarfile.CHRTYPE), "x/train/9.jpg: is a device"),
        (member("x/train/9.jpg", tarfile.BLKTYPE), "x/train/9.jpg: is a device"),
        (member("x/9.jpg", tarfile.FIFOTYPE), "x/9.jpg: is a pipe"),
        (member("x/train/a\nb.jpg", tarfile.REGTYPE), "'x/train/a\\nb.jpg': has characters that are no UTF-8 text"),
    ],
)
def test_what_leaves_the_folder_is_refused(tmp_path, bad, reason):
    archive = make_archive(tmp_path / "a.tar.gz", {f"x/{n}": d for n, d in GOOD.items()}, (bad,))
    with pytest.raises(InputError) as error:
        extract(archive, tmp_path / "deep" / "er" / "pairs", {"train": None, "val": None})
    assert str(error.value).startswith(f"{archive}: {reason}")
    assert "\n" not in str(error.value)
    assert sorted(tmp_path.rglob("*")) == [archive, tmp_path / "deep", tmp_path / "deep" / "er"]


@pytest.mark.parametrize("name", ["../9.jpg", "/tmp/9.jpg"])
def test_the_program_refuses_it_in_one_line(tmp_path, name):
    archive = make_archive(tmp_path / "a.tar.gz", GOOD | {name: picture()})
    result = script("extract", archive, tmp_path / "pairs", "--splits", "train", "val")
    assert len(errors_of(result, tmp_path / "pairs")) == 1


PARTS = st.sampled_from(["..", ".", "", "train", "val", "x", "~", "...", "._x", "1.jpg", "\\..\\", "C:", " "])
NAMES = st.one_of(st.lists(PARTS, min_size=1, max_size=6).map("/".join), st.text(min_size=1, max_size=30))


@settings(max_examples=150, deadline=None)
@given(name=NAMES)
@example(name="train/../../1.jpg")
@example(name="/train/1.jpg")
@example(name="train/1.jpg")
def test_any_name_lands_inside_or_is_refused(name):
    data = picture()
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        archive = make_archive(here / "a.tar", {name: data}, mode="w")
        output = here / "one" / "two" / "pairs"
        try:
            extract(archive, output, {"train": None}, threads=1)
        except InputError:
            assert not output.exists()
        else:
            assert list(contents(output).values()) == [data]
            assert list((output / "train").iterdir()) == list(output.rglob("*"))[1:]
        assert {p for p in here.rglob("*") if not p.is_dir()} <= {archive, *output.rglob("*")}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("share", [0.003, 0.3, 0.8])
def test_an_archive_cut_short_is_refused(tmp_path, mode, share):
    archive = make_archive(tmp_path / "a.tar", {f"x/train/{n}.png": noise_picture() for n in range(20)}, mode=mode)
    archive.write_bytes(archive.read_bytes()[: int(share * archive.stat().st_size)])
    with pytest.raises(InputError, match=f"^{archive}: is (cut short or damaged|no tar archive|empty)") as error:
        extract(archive, tmp_path / "pairs", {"train": None})
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == [archive]


def test_an_archive_cut_between_two_files_is_refused(tmp_path):
    archive = make_archive(tmp_path / "a.tar", GOOD, mode="w")
    with tarfile.open(archive) as tar:
        last = tar.getmembers()[-1]
    for length in (last.offset, last.offset + 100):
        archive.write_bytes(archive.read_bytes()[:length])
        with pytest.raises(InputError, match="cut short or damaged after 3 pictures"):
            extract(archive, tmp_path / "pairs", {"train": None})


def test_a_flipped_bit_in_a_compressed_archive_is_noticed(tmp_path):
    archive = make_archive(tmp_path / "a.tar", GOOD, mode="w")
    data = bytearray(gzip.compress(archive.read_bytes(), compresslevel=0))
    data[-1500] ^= 1  # in the padding, which no picture and no header covers
    archive.write_bytes(data)
    with pytest.raises(InputError, match="cut short or damaged"):
        extract(archive, tmp_path / "pairs", {"train": None, "val": None})


def test_what_is_no_archive_gives_one_line(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("train/1.jpg", picture())
    (tmp_path / "page.tar.gz").write_text("<html>404</html>" * 100)
    (tmp_path / "empty.tar.gz").touch()
    (tmp_path / "picture.tar").write_bytes(gzip.compress(picture()))
    for name, reason in [
        ("a.zip", "is no tar archive"),
        ("page.tar.gz", "is no tar archive"),
        ("empty.tar.gz", "is empty"),
        ("picture.tar", "is no tar archive"),
        ("missing.tar.gz", "there is no such file"),
    ]:
        (line,) = errors_of(script("extract", tmp_path / name, tmp_path / "p", "--splits", "train"), tmp_path / "p")
        assert line.startswith(f"error: {tmp_path / name}: {reason}")


@pytest.mark.parametrize(
    ("dataset", "size", "splits", "pattern"),
    [
        ("facades", (512, 256), {"train": 40, "val": 10, "test": 11}, "{}.jpg"),
        ("maps", (1200, 600), {"train": 12, "val": 4}, "{}.jpg"),
        ("edges2shoes", (512, 256), {"train": 10, "val": 2}, "{}_AB.jpg"),
        ("night2day", (512, 256), {"train": 5, "val": 2, "test": 3}, "14_1148_to_{}.jpg"),
    ],
)
def test_archives_like_the_published_ones_come_out_byte_for_byte(tmp_path, dataset, size, splits, pattern):
    names = [f"{split}/{pattern.format(n)}" for split in splits for n in range(1, splits[split] + 1)]
    files = {name: noise_picture(*size, "JPEG") for name in names}
    tops = [dataset, *(f"{dataset}/{split}" for split in splits)]
    folders = tuple(member(top, tarfile.DIRTYPE) for top in tops)
    archive = make_archive(tmp_path / "a.tar.gz", {f"{dataset}/{name}": data for name, data in files.items()}, folders)
    assert extract(archive, tmp_path / "pairs", splits) == splits
    assert contents(tmp_path / "pairs") == files
