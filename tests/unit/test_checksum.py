"""Checksums that are kept next to large files."""

import json
import os
from hashlib import sha256
from pathlib import Path

import pytest

from pix2pix.system.checksum import remember, remembered_sha256


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "train.mindrecord"
    path.write_bytes(b"pairs")
    return path


def test_a_kept_checksum_is_used_as_long_as_the_file_is_unchanged(records):
    # a wrong one shows that it is not computed again
    remember(records, "a" * 64)
    assert remembered_sha256(records) == "a" * 64


def test_an_edited_file_of_the_same_size_and_modification_time_is_noticed(records):
    before = records.stat()
    remember(records, "a" * 64)
    records.write_bytes(b"other")
    os.utime(records, ns=(before.st_atime_ns, before.st_mtime_ns))
    for _ in range(2):
        assert remembered_sha256(records) == sha256(b"other").hexdigest()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"sha256": 1}', "\0", "null"])
def test_a_damaged_note_is_replaced(records, content):
    note = records.with_name("train.mindrecord.known.json")
    note.write_text(content)
    assert remembered_sha256(records) == sha256(b"pairs").hexdigest()
    assert json.loads(note.read_text())["sha256"] == sha256(b"pairs").hexdigest()


def test_a_kept_text_that_is_no_checksum_is_not_used(records):
    remember(records, "not a checksum")
    assert remembered_sha256(records) == sha256(b"pairs").hexdigest()


def test_in_a_folder_that_cannot_be_written_the_checksum_is_computed(records):
    # tests may run as root, for whom permissions do not matter: a folder in place of the note cannot be replaced
    (records.with_name("train.mindrecord.known.json") / "full").mkdir(parents=True)
    assert remembered_sha256(records) == sha256(b"pairs").hexdigest()
