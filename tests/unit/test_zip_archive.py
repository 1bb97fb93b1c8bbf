"""Zip and tar.zst archives: read like tar.gz archives, with the same protection from malicious and damaged ones."""

import stat
import struct
import sys
import zipfile
from pathlib import Path

import pytest
from archives import GOOD, contents, errors_of, image, make_archive, memory_of, noise_image
from backports import zstd
from conftest import ROOT, script

from pix2pix.data.extract import extract
from pix2pix.sources.archive import check_archive
from pix2pix.system.errors import InputError

BOTH = {"train": None, "val": None}


def make_zip(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, **of_last: object) -> Path:
    """Write a zip archive; `of_last` sets attributes of the last file's entry."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = method
            if name == list(files)[-1]:
                for key, value in of_last.items():
                    setattr(entry, key, value)
            archive.writestr(entry, data)
    return path


def make_zst(path: Path, level: int = 3) -> Path:
    tar = make_archive(path.with_suffix(""), {f"x/{name}": data for name, data in GOOD.items()}, mode="w").read_bytes()
    path.write_bytes(zstd.compress(tar[:2000], level) + zstd.compress(tar[2000:], level))
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
@pytest.mark.parametrize("top", ["facades/", "./facades/", "", "x\\"])
def test_zip_archive_is_extracted_byte_for_byte(tmp_path, top, method):
    files = {name.replace("/", top[-1:] or "/"): data for name, data in GOOD.items()}
    files = {"note.txt": b"", top or "empty/": b""} | {top + name: data for name, data in files.items()}
    archive = make_zip(tmp_path / "any name", files, method)
    check_archive(archive)
    assert extract(archive, tmp_path / "pairs", {"train": 3, "val": 1}) == {"train": 3, "val": 1}
    assert contents(tmp_path / "pairs") == GOOD


def test_zst_archive_of_several_frames_is_extracted_byte_for_byte(tmp_path):
    archive = make_zst(tmp_path / "a.tar.zst")
    check_archive(archive)
    extract(archive, tmp_path / "pairs", {"train": 3, "val": 1})
    assert contents(tmp_path / "pairs") == GOOD


@pytest.mark.parametrize(
    ("name", "attributes", "reason"),
    [
        ("../train/9.jpg", {}, "'../train/9.jpg': leads outside the folder"),
        ("/tmp/train/9.jpg", {}, "'/tmp/train/9.jpg': leads outside the folder"),
        ("..\\train\\9.jpg", {}, "'../train/9.jpg': leads outside the folder"),
        ("train/1.jpg", {}, "train/1.jpg: occurs twice"),
        ("train/9.jpg", {"external_attr": stat.S_IFLNK << 16}, "train/9.jpg: is a link; only files"),
        ("train/9.jpg", {"external_attr": stat.S_IFIFO << 16}, "train/9.jpg: is a pipe; only files"),
        ("train/9.jpg", {"external_attr": stat.S_IFBLK << 16}, "train/9.jpg: is a special file; only files"),
        ("train/a\x01b.jpg", {}, "'train/a\\x01b.jpg': contains control characters or is not UTF-8 text"),
        ("train/9.jpg", {"compress_type": zipfile.ZIP_LZMA}, "train/9.jpg: is compressed by method 14"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_member_that_is_not_a_plain_file_inside_is_rejected(tmp_path, name, attributes, reason):
    archive = tmp_path / "a.zip"
    make_zip(archive, GOOD)
    with zipfile.ZipFile(archive, "a") as more:
        entry = zipfile.ZipInfo(name)
        for key, value in attributes.items():
            setattr(entry, key, value)
        more.writestr(entry, image(shade=77))
    with pytest.raises(InputError) as error:
        extract(archive, tmp_path / "deep" / "er" / "pairs", BOTH)
    assert str(error.value).startswith(f"{archive}: {reason}")
    assert "\n" not in str(error.value)
    assert sorted(tmp_path.rglob("*")) == [archive, tmp_path / "deep", tmp_path / "deep" / "er"]


def patched(data: bytes, **fields: tuple[int, int, bytes]) -> bytes:
    """Replace bytes of the last entry in the archive's list of files: key to (offset, length, value)."""
    start = data.rindex(b"PK\x01\x02")
    changed = bytearray(data)
    for offset, length, value in fields.values():
        assert len(value) == length
        changed[start + offset : start + offset + length] = value
    return bytes(changed)


def test_encrypted_file_is_rejected(tmp_path):
    archive = make_zip(tmp_path / "a.zip", GOOD)
    archive.write_bytes(patched(archive.read_bytes(), flags=(8, 2, struct.pack("<H", 1))))
    with pytest.raises(InputError, match=r"val/1.jpg: is encrypted: create the archive again without a password"):
        extract(archive, tmp_path / "p", BOTH)


@pytest.mark.parametrize(("name", "wanted"), [("rüe.jpg", "rüe.jpg"), (b"train/\x81.jpg", None)])
def test_names_without_the_utf8_mark(tmp_path, name, wanted):
    """Many programs write UTF-8 without the mark; other encodings cannot be told apart and are refused."""
    raw = name if isinstance(name, bytes) else f"train/{name}".encode()
    placeholder = "train/" + "q" * (len(raw) - 6)
    archive = make_zip(tmp_path / "a.zip", GOOD | {placeholder: image()})
    archive.write_bytes(archive.read_bytes().replace(placeholder.encode(), raw))
    if wanted:
        extract(archive, tmp_path / "p", BOTH)
        assert (tmp_path / "p" / "train" / wanted).exists()
    else:
        with pytest.raises(InputError, match="contains control characters or is not UTF-8 text"):
            extract(archive, tmp_path / "p", BOTH)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.8, 0.999])
@pytest.mark.parametrize("kind", ["zip", "zst"])
def test_truncated_archive_is_rejected(tmp_path, kind, share):
    archive = tmp_path / "a"
    if kind == "zip":
        make_zip(archive, {f"x/train/{n}.png": noise_image() for n in range(20)})
    else:
        make_zst(tmp_path / "a.zst")
        archive.write_bytes((tmp_path / "a.zst").read_bytes())
    archive.write_bytes(archive.read_bytes()[: max(5, int(share * archive.stat().st_size))])
    for read in (lambda: extract(archive, tmp_path / "pairs", BOTH), lambda: check_archive(archive)):
        with pytest.raises(
            InputError, match=f"^{archive}: is (truncated or damaged|not a zip or tar archive)"
        ) as error:
            read()
        assert "\n" not in str(error.value)


def test_flipped_bit_is_detected_even_in_a_file_that_is_not_used(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"notes.txt": bytes(100)} | GOOD, zipfile.ZIP_STORED)
    data = bytearray(archive.read_bytes())
    data[60] ^= 1
    archive.write_bytes(data)
    with pytest.raises(InputError, match=r"is truncated or damaged after 0 images \(Bad CRC-32"):
        check_archive(archive)


def test_archive_without_files_is_rejected(tmp_path):
    with pytest.raises(InputError, match="contains no file"):
        check_archive(make_zip(tmp_path / "a.zip", {}))


def test_bombs_need_little_memory(tmp_path):
    large = make_zip(tmp_path / "large.zip", GOOD | {"train/9.jpg": bytes(1000)})
    large.write_bytes(patched(large.read_bytes(), size=(24, 4, struct.pack("<I", 2**29))))
    lying = make_zip(tmp_path / "lying.zip", GOOD | {"train/9.jpg": bytes(2**24)})
    lying.write_bytes(patched(lying.read_bytes(), size=(24, 4, struct.pack("<I", 1000))))
    listing = tmp_path / "listing.zip"
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 60000, 60000, 2**26, 30, 0)
    with open(listing, "wb") as file:
        file.write(b"PK\x03\x04".ljust(30, b"\0"))
        file.seek(30 + 2**26)
        file.write(end)
    window = tmp_path / "window.tar.zst"
    # a frame with a window of 2 GiB and one empty block
    window.write_bytes(b"\x28\xb5\x2f\xfd" + bytes([0, (31 - 10) << 3]) + b"\x01\0\0")
    for archive, reason in [
        (large, "train/9.jpg: is too large for an image (536,870,912 bytes)"),
        (lying, "is truncated or damaged after 3 images (Bad CRC-32"),
        (listing, "lists files in 67,108,864 bytes"),
        (window, "is not a zip or tar archive|is truncated or damaged after 0 images (Unable to decompress"),
    ]:
        command = (sys.executable, ROOT / "scripts" / "extract.py", archive, tmp_path / "p", "--splits", "train")
        status, output, memory = memory_of(*command)
        (line,) = (line for line in output.splitlines() if line.startswith("error: "))
        assert status == 1
        assert any(line.startswith(f"error: {archive}: {each}") for each in reason.split("|")), line
        assert memory < 200e6


def test_program_rejects_a_broken_archive_with_one_line(tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(b"PK\x03\x04" + b"not really" * 100)
    (line,) = errors_of(script("extract", archive, tmp_path / "p", "--splits", "train"), tmp_path / "p")
    assert line.startswith(f"error: {archive}: is truncated or damaged after 0 images (File is not a zip file)")
