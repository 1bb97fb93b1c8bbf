"""Disk space is checked before the first byte of a download, and the message says how much is missing and where."""

from pathlib import Path

import pytest
from archives import contents
from conftest import script
from disks import small_disk
from downloads import CONTENT

from pix2pix.config.datasets import DatasetSettings, KeepSettings
from pix2pix.planning.sizes import largest_data
from pix2pix.system.disk import check_room, free_bytes
from pix2pix.system.errors import InputError


def download(archive, output, *flags):
    result = script("download", "--dataset", "x", "--mirror", f"file://{archive.parent}", *flags, output)
    return result.returncode, [line for line in result.stdout.splitlines() if line.startswith(("error: ", "warning: "))]


@pytest.fixture
def archive(tmp_path):
    (tmp_path / "x.tar.gz").write_bytes(CONTENT)  # 1 MB
    return tmp_path / "x.tar.gz"


def test_an_archive_that_fits_but_not_its_records_is_not_downloaded(archive, tmp_path):
    with small_disk(tmp_path / "disk", 2**21) as disk:
        status, lines = download(archive, disk / "data/x.tar.gz", "--data_factor", 3, "--data_more", 5e5)
        assert status == 1
        assert lines == [
            f"error: {disk / 'data'}: x.tar.gz (1.0 MB), its images and its records do not fit: 3.5 MB are needed and "
            "2.1 MB are free, so 1.4 MB are missing; make room, or set keep: {archive: false, pairs: false}, and "
            "start again"
        ]
        assert contents(disk) == {}
        assert download(archive, disk / "data/x.tar.gz", "--data_factor", 1.5)[0] == 0


def test_without_root_a_dataset_larger_than_the_disk_is_refused(archive, tmp_path):
    """The same with the disk that the test runs on."""
    status, [line] = download(archive, tmp_path / "data/x.tar.gz", "--data_more", 1e15)
    assert status == 1
    assert line.startswith(f"error: {tmp_path / 'data'}: x.tar.gz (1.0 MB), its images and its records do not fit: ")
    assert not (tmp_path / "data").exists()


def test_a_training_that_will_not_fit_is_a_warning(archive, tmp_path):
    status, [line] = download(archive, tmp_path / "data/x.tar.gz", "--results", 1e15)
    assert status == 0
    assert line.startswith("warning: results: a training will need 1,000,000.0 GB, and ")


def test_the_published_size_counts_if_no_mirror_tells(tmp_path):
    status, [line] = download(tmp_path / "nowhere/x.tar.gz", tmp_path / "data/x.tar.gz", "--published", 1e15)
    assert status == 1
    assert "x.tar.gz (1,000,000.0 GB), its images" in line


def test_a_training_that_does_not_fit_is_refused_before_it_starts(tmp_path):
    with pytest.raises(InputError, match=r"^results/x: it: 1,000,000.0 GB are needed and .* are missing; make room"):
        check_room(Path("results/x"), 1e15, "it")
    assert free_bytes(tmp_path / "not/there") > 0


def test_peak_of_a_dataset():
    dataset = DatasetSettings(splits={"train": 20_001, "val": 100})
    # archive, images and records; three files of records of at least 48 MiB; half a block per image
    assert largest_data(dataset, KeepSettings()) == (1 + 2 * 1.04, 3 * 48 * 2**20 + 20_101 * 2048)
    assert largest_data(dataset, KeepSettings(archive=False, pairs=False)) == (2 * 1.04, 3 * 48 * 2**20)
