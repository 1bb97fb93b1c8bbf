"""Archives of every kind, including malicious and damaged ones: extracted completely and safely, or rejected."""

import gzip
import lzma
import sys
import tarfile
import tempfile
import zlib
from pathlib import Path

import pytest
from archives import GOOD, contents, errors_of, image, make_archive, make_bomb, member, memory_of, noise_image
from conftest import ROOT, script
from disks import small_disk
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pix2pix.data.extract import extract
from pix2pix.system.errors import InputError


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("top", ["facades/", "./facades/", "", "./", "test/"])
def test_any_one_top_folder_and_compression(tmp_path, top, mode):
    archive = make_archive(tmp_path / "a.tar", {top + name: data for name, data in GOOD.items()}, mode=mode)
    assert extract(archive, tmp_path / "pairs", {"train": 3, "val": 1}) == {"train": 3, "val": 1}
    assert contents(tmp_path / "pairs") == GOOD


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (member("/tmp/escaped/train/9.jpg", tarfile.REGTYPE), "'/tmp/escaped/train/9.jpg': leads outside the folder"),
        (member("x/../../9.jpg", tarfile.REGTYPE), "'x/../../9.jpg': leads outside the folder"),
        (member("x/train/..", tarfile.DIRTYPE), "'x/train/..': leads outside the folder"),
        (member("x/train/9.jpg", tarfile.SYMTYPE, "/etc/passwd"), "x/train/9.jpg: is a link to '/etc/passwd'"),
        (member("x/train", tarfile.SYMTYPE, "../.."), "x/train: is a link to '../..'"),
        (member("x/train/9.jpg", tarfile.LNKTYPE, "x/train/1.jpg"), "x/train/9.jpg: is a link to 'x/train/1.jpg'"),
        (member("x/train/9.jpg", tarfile.CHRTYPE), "x/train/9.jpg: is a device"),
        (member("x/train/9.jpg", tarfile.BLKTYPE), "x/train/9.jpg: is a device"),
        (member("x/9.jpg", tarfile.FIFOTYPE), "x/9.jpg: is a pipe"),
        (
            member("x/train/a\nb.jpg", tarfile.REGTYPE),
            "'x/train/a\\nb.jpg': contains control characters or is not UTF-8 text",
        ),
    ],
)
def test_member_outside_the_folder_is_rejected(tmp_path, bad, reason):
    archive = make_archive(tmp_path / "a.tar.gz", {f"x/{n}": d for n, d in GOOD.items()}, (bad,))
    with pytest.raises(InputError) as error:
        extract(archive, tmp_path / "deep" / "er" / "pairs", {"train": None, "val": None})
    assert str(error.value).startswith(f"{archive}: {reason}")
    assert "\n" not in str(error.value)
    assert sorted(tmp_path.rglob("*")) == [archive, tmp_path / "deep", tmp_path / "deep" / "er"]


@pytest.mark.parametrize("name", ["../9.jpg", "/tmp/9.jpg"])
def test_program_rejects_it_with_one_line(tmp_path, name):
    archive = make_archive(tmp_path / "a.tar.gz", GOOD | {name: image()})
    result = script("extract", archive, tmp_path / "pairs", "--splits", "train", "val")
    assert len(errors_of(result, tmp_path / "pairs")) == 1


PARTS = st.sampled_from(["..", ".", "", "train", "val", "x", "~", "...", "._x", "1.jpg", "\\..\\", "C:", " "])
NAMES = st.one_of(st.lists(PARTS, min_size=1, max_size=6).map("/".join), st.text(min_size=1, max_size=30))


@settings(max_examples=150, deadline=None)
@given(name=NAMES)
@example(name="train/../../1.jpg")
@example(name="/train/1.jpg")
@example(name="train/1.jpg")
def test_any_name_stays_inside_or_is_rejected(name):
    data = image()
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
def test_truncated_archive_is_rejected(tmp_path, mode, share):
    archive = make_archive(tmp_path / "a.tar", {f"x/train/{n}.png": noise_image() for n in range(20)}, mode=mode)
    archive.write_bytes(archive.read_bytes()[: int(share * archive.stat().st_size)])
    with pytest.raises(InputError, match=f"^{archive}: is (truncated or damaged|not a zip|empty)") as error:
        extract(archive, tmp_path / "pairs", {"train": None})
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == [archive]


def test_archive_truncated_between_two_files_is_rejected(tmp_path):
    archive = make_archive(tmp_path / "a.tar", GOOD, mode="w")
    with tarfile.open(archive) as tar:
        last = tar.getmembers()[-1]
    for length in (last.offset, last.offset + 100):
        archive.write_bytes(archive.read_bytes()[:length])
        with pytest.raises(InputError, match="truncated or damaged after 3 images"):
            extract(archive, tmp_path / "pairs", {"train": None})


def test_declared_size_beyond_the_end_of_the_archive_is_rejected_without_reading_on(tmp_path):
    archive = tmp_path / "a.tar"
    large = tarfile.TarInfo("train/1.jpg")
    large.size = 2**41
    archive.write_bytes(large.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))
    with pytest.raises(InputError, match="truncated or damaged after 0 images"):
        extract(archive, tmp_path / "pairs", {"train": None})


def test_flipped_bit_in_a_compressed_archive_is_detected(tmp_path):
    archive = make_archive(tmp_path / "a.tar", GOOD, mode="w")
    data = bytearray(gzip.compress(archive.read_bytes(), compresslevel=0))
    data[-1500] ^= 1  # in the padding, outside all images and headers
    archive.write_bytes(data)
    with pytest.raises(InputError, match="truncated or damaged"):
        extract(archive, tmp_path / "pairs", {"train": None, "val": None})


def test_invalid_archive_gives_one_line(tmp_path):
    (tmp_path / "page.tar.gz").write_text("<html>404</html>" * 100)
    (tmp_path / "empty.tar.gz").touch()
    (tmp_path / "image.tar").write_bytes(gzip.compress(image()))
    for name, reason in [
        ("page.tar.gz", "is not a zip or tar archive"),
        ("empty.tar.gz", "is empty"),
        ("image.tar", "is not a zip or tar archive"),
        ("missing.tar.gz", "no such file"),
    ]:
        (line,) = errors_of(script("extract", tmp_path / name, tmp_path / "p", "--splits", "train"), tmp_path / "p")
        assert line.startswith(f"error: {tmp_path / name}: {reason}")


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


SPARSE = tarfile.TarInfo("train/2.jpg")
SPARSE.size, SPARSE.pax_headers = 2**29, {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
MAP = b"999999999\n".ljust(2**10, b"0") + b"\n1" * 2**18


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ((header("x", 2**29, tarfile.GNUTYPE_LONGNAME), 2**29), "has a header of 536,870,912 bytes"),
        ((header("x", 2**29, tarfile.GNUTYPE_LONGLINK), 2**29), "has a header of 536,870,912 bytes"),
        ((header("x", 2**29, tarfile.XHDTYPE), 2**29), "has a header of 536,870,912 bytes"),
        ((header("x", 2**29, tarfile.XGLTYPE), 2**29), "has a header of 536,870,912 bytes"),
        ((header("x", 0, tarfile.GNUTYPE_LONGNAME) * 5000,), "has too many headers for one file"),
        ((header("train/2.jpg", 512, tarfile.GNUTYPE_SPARSE), 512), "contains a sparse file"),
        ((SPARSE.tobuf(tarfile.PAX_FORMAT), *[MAP] * 100), "contains a sparse file"),
        ((header("train/2.jpg", 2**29), 2**29), "train/2.jpg: is too large for an image (536,870,912 bytes)"),
    ],
)
def test_bomb_is_rejected_with_one_line_and_little_memory(tmp_path, parts, reason):
    archive = make_bomb(tmp_path / "a.tar.gz", header("train/1.jpg", 1024), image().ljust(1024, b"\0"), *parts)
    command = (sys.executable, ROOT / "scripts" / "extract.py", archive, tmp_path / "p", "--splits", "train")
    status, output, memory = memory_of(*command)
    assert status == 1
    assert "Traceback" not in output
    (line,) = (line for line in output.splitlines() if line.startswith("error: "))
    assert line.startswith(f"error: {archive}: {reason}")
    assert memory < 200e6
    assert list(tmp_path.iterdir()) == [archive]


def test_xz_file_that_needs_too_much_memory_is_rejected(tmp_path):
    archive = make_archive(tmp_path / "a.tar.xz", GOOD, mode="w:xz")
    data = bytearray(archive.read_bytes())
    head = 12  # where the first block begins: its header's size, flags, filter, length of options, window
    assert data[head + 2 : head + 4] == b"\x21\x01"
    data[head + 4] = 40  # 4 GiB
    data[head + 8 : head + 12] = zlib.crc32(data[head : head + 8]).to_bytes(4, "little")
    archive.write_bytes(data)
    with pytest.raises(InputError, match="Memory usage limit exceeded"):
        extract(archive, tmp_path / "pairs", {"train": None, "val": None})


def test_xz_file_of_several_streams_is_read_whole(tmp_path):
    archive = make_archive(tmp_path / "a.tar", GOOD, mode="w")
    data = archive.read_bytes()
    archive.write_bytes(lzma.compress(data[:1000]) + bytes(8) + lzma.compress(data[1000:]) + bytes(4))
    extract(archive, tmp_path / "pairs", {"train": 3, "val": 1})
    assert contents(tmp_path / "pairs") == GOOD


def test_large_members_need_little_memory_and_only_images_are_written(tmp_path):
    size = 200 * 2**20
    parts = [part for n in range(8) for part in (header(f"train/{n}.jpg", size), size)]
    archive = make_bomb(tmp_path / "a.tar.gz", *parts)
    with small_disk(tmp_path / "disk", 2**20) as disk:
        command = (sys.executable, ROOT / "scripts" / "extract.py", archive, disk / "p", "--splits", "train")
        status, output, memory = memory_of(*command)
    assert status == 1
    assert output.count("is not an image") == output.count("error: ") == 8
    assert memory < 700e6


def test_reading_stops_after_too_many_bad_members(tmp_path):
    archive = make_bomb(tmp_path / "a.tar.gz", *[header("../" + "x" * 90, 0) * 100] * 200)
    with pytest.raises(InputError) as error:
        extract(archive, tmp_path / "p", {"train": None})
    assert str(error.value).endswith("... and 9951 more")


@pytest.mark.parametrize(
    ("dataset", "size", "splits", "pattern"),
    [
        ("facades", (512, 256), {"train": 40, "val": 10, "test": 11}, "{}.jpg"),
        ("maps", (1200, 600), {"train": 12, "val": 4}, "{}.jpg"),
        ("edges2shoes", (512, 256), {"train": 10, "val": 2}, "{}_AB.jpg"),
        ("night2day", (512, 256), {"train": 5, "val": 2, "test": 3}, "14_1148_to_{}.jpg"),
    ],
)
def test_archives_like_the_published_ones_are_extracted_byte_for_byte(tmp_path, dataset, size, splits, pattern):
    names = [f"{split}/{pattern.format(n)}" for split in splits for n in range(1, splits[split] + 1)]
    files = {name: noise_image(*size, "JPEG") for name in names}
    tops = [dataset, *(f"{dataset}/{split}" for split in splits)]
    folders = tuple(member(top, tarfile.DIRTYPE) for top in tops)
    archive = make_archive(tmp_path / "a.tar.gz", {f"{dataset}/{name}": data for name, data in files.items()}, folders)
    assert extract(archive, tmp_path / "pairs", splits) == splits
    assert contents(tmp_path / "pairs") == files
