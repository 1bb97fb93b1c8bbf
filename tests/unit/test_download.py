"""Downloads from a local server: mirrors, pauses, checksums and existing files."""

import gzip
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import script
from disks import small_disk
from downloads import CONTENT, OTHER, QUICK, QUICK_FLAGS, Server, failed_download, is_whole, serving, status, whole

from pix2pix.config.datasets import archive_addresses, archive_ending
from pix2pix.download.fetching import Patience, fetch
from pix2pix.system.checksum import sha256_of
from pix2pix.system.errors import InputError


def pauses(capfd) -> list[float]:
    """The pauses between attempts that were logged, in seconds."""
    return [float(seconds) for seconds in re.findall(r"in ([\d.]+) s\b", capfd.readouterr().err)]


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as running:
        yield running


@pytest.fixture
def output(tmp_path) -> Path:
    return tmp_path / "data" / "x.tar.gz"


@pytest.mark.parametrize(
    ("mirror", "address"),
    [
        ("http://host/datasets", "http://host/datasets/x.tar.gz"),
        ("http://host/datasets/", "http://host/datasets/x.tar.gz"),
        ("http://host/{dataset}.tar.gz", "http://host/x.tar.gz"),
        ("http://host/{dataset}/all.tgz", "http://host/x/all.tgz"),
        ("http://host/all.tar", "http://host/all.tar"),
        ("http://host/all.tar.xz?download=1", "http://host/all.tar.xz?download=1"),
        ("http://host/get?file={dataset}.tar.bz2", "http://host/get?file=x.tar.bz2"),
        ("http://host/v1.0/tars?key=7", "http://host/v1.0/tars/x.tar.gz?key=7"),
        ("file://../shared/datasets", "file://../shared/datasets/x.tar.gz"),
    ],
)
def test_mirror_is_an_archive_or_a_folder_of_them(mirror, address):
    assert archive_addresses([mirror], "x") == [address]


@pytest.mark.parametrize(
    ("mirrors", "ending"),
    [
        (["http://host/datasets"], "tar.gz"),
        (["http://host/a/{dataset}.zip?download=1", "file://shelf/b.zip"], "zip"),
        (["https://host/tar.gz/a.tar.zst#x"], "tar.zst"),
        ([], "tar.gz"),
    ],
)
def test_the_archive_is_named_like_its_mirrors(mirrors, ending):
    assert archive_ending(mirrors) == ending


def test_program_downloads_and_records_the_checksum(server, output):
    result = script("download", "--dataset", "x", "--mirror", server.url.removesuffix("/x.tar.gz"), output)
    assert result.returncode == 0, result.stdout
    assert is_whole(output)
    check = subprocess.run(["sha256sum", "-c", f"{output.name}.sha256"], cwd=output.parent, capture_output=True)
    assert check.stdout == b"x.tar.gz: OK\n"


def test_file_addresses_may_be_relative_to_the_working_folder(tmp_path, output, monkeypatch):
    (tmp_path / "my shelf").mkdir()
    (tmp_path / "my shelf" / "x.tar.gz").write_bytes(CONTENT)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for folder in ("file://../my shelf", f"file://{tmp_path}/my%20shelf", f"file://localhost{tmp_path}/my%20shelf/"):
        fetch(archive_addresses([folder], "x"), output)
        assert is_whole(output)
        output.unlink()


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410])
def test_permanent_error_leads_to_the_next_mirror_immediately(server, output, code, capfd):
    server.answers = [status(code), whole()]
    fetch([server.url, server.url + "?mirror=2"], output, patience=Patience(pause=60))
    assert pauses(capfd) == []
    assert is_whole(output)
    assert len(server.asked) == 2


def test_mirror_on_disk_that_cannot_be_opened_leads_to_the_next(server, output):
    fetch([f"file:///{'x' * 300}", server.url], output, **QUICK)
    assert is_whole(output)


@pytest.mark.parametrize("header", [{"Location": "http://[::1"}, {"Content_Length": "9" * 5000}])
def test_invalid_header_leads_to_the_next_mirror(server, output, header):
    server.answers = [status(302 if "Location" in header else 200, **header), whole()]
    fetch([server.url, server.url + "?mirror=2"], output, **QUICK)
    assert is_whole(output)


def test_web_page_is_not_accepted_as_the_file(server, output):
    server.answers = [whole(b"<html>please log in</html>", Content_Type="text/html; charset=utf-8"), whole()]
    fetch([server.url, server.url + "?mirror=2"], output, **QUICK)
    assert is_whole(output)


NO_ARCHIVES = {
    "is empty": whole(b""),
    "is not a zip or tar archive": whole(b"<html>please log in</html>" * 100, Content_Type="application/octet-stream"),
    "is truncated or damaged": whole(CONTENT[:500_000]),  # with a matching Content-Length
    "is truncated or damaged ": whole(gzip.compress(CONTENT)[:500_000]),
    "contains no file": whole(bytes(10240)),
}


@pytest.mark.parametrize("reason", NO_ARCHIVES)
def test_incomplete_archive_leads_to_the_next_mirror_and_is_not_recorded(server, output, reason):
    server.answers = [NO_ARCHIVES[reason]]
    lines = failed_download(output, server.url)
    assert lines[0].startswith(f"{server.url}: {reason.strip()}")
    assert lines[0].endswith("(partial file deleted)")
    assert list(output.parent.iterdir()) == []
    server.asked, server.answers = [], [NO_ARCHIVES[reason], whole()]
    mirrors = ("--mirror", server.url, "--mirror", server.url + "?mirror=2")
    assert script("download", "--dataset", "x", *mirrors, output).returncode == 0
    assert is_whole(output)


def test_invalid_archive_from_the_user_is_not_recorded(server, output):
    output.parent.mkdir()
    output.write_bytes(b"hello")
    result = script("download", "--dataset", "x", "--mirror", server.url, output)
    assert (result.returncode, result.stdout.count("\n")) == (1, 1)
    assert result.stdout.startswith(f"error: {output}: is not a zip or tar archive")
    assert list(output.parent.iterdir()) == [output]


def test_weights_may_be_anything_but_empty(server, output):
    server.answers = [whole(b""), whole(b"weights")]
    flags = ("--address", server.url, "--address", server.url + "?mirror=2", *QUICK_FLAGS)
    assert script("download_weights", *flags, output).returncode == 0
    assert is_whole(output, b"weights")


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_temporary_error_is_retried_after_increasing_pauses(server, output, code, capfd):
    server.answers = [status(code), status(code), status(code), whole()]
    fetch([server.url], output, patience=Patience(pause=0.1))
    assert pauses(capfd) == [0.1, 0.2, 0.4]
    assert is_whole(output)
    assert len(server.asked) == 4


@pytest.mark.parametrize("code", [429, 503])
def test_retry_after_of_the_server_is_respected(server, output, code, capfd):
    server.answers = [status(code, Retry_After=1), whole()]
    fetch([server.url], output, patience=Patience(pause=0.001))
    assert pauses(capfd) == [1.0]
    assert is_whole(output)


def test_invalid_retry_after_is_ignored(server, output):
    server.answers = [status(503, Retry_After="soon"), whole()]
    fetch([server.url], output, **QUICK)
    assert is_whole(output)


def test_if_all_mirrors_fail_each_is_reported_with_its_reason(server, output):
    server.answers = [status(404), status(503)]
    mirrors = (server.url, server.url + "?mirror=2", f"file://{output.parent}", "http://127.0.0.1:1/x.tar.gz")
    lines = failed_download(output, *mirrors, options=("--pause", "0.001", "--patience", "0.05"))
    tries = 4  # pauses of 1, 2 and 4 ms are within a quarter of the patience
    assert lines == [
        f"{mirrors[0]}: the server responds 404 Not Found",
        f"{mirrors[1]}: the server responds 503 Service Unavailable ({tries} tries)",
        f"{mirrors[2]}/x.tar.gz: no such file",
        f"{mirrors[3]}: Connection refused ({tries} tries)",
        f"{output}: no mirror delivered it: try again, add another mirror, or put the file there yourself",
    ]
    assert len(server.asked) == 1 + tries
    assert list(output.parent.iterdir()) == []


def test_file_with_content_encoding_is_stored_unchanged(server, output):
    server.answers = [whole(Content_Encoding="gzip")]  # some servers do this for every .tar.gz
    fetch([server.url], output, **QUICK)
    assert is_whole(output)
    assert server.asked[0]["Accept-Encoding"] == "identity"


def test_configured_checksum_is_verified(server, output, tmp_path):
    (tmp_path / "good").write_bytes(CONTENT)
    (tmp_path / "other").write_bytes(OTHER)
    good, other = sha256_of(tmp_path / "good"), sha256_of(tmp_path / "other")
    lines = failed_download(output, server.url, options=("--sha256", other))
    assert lines[0] == f"{server.url}: its sha256 is {good}, but {other} is configured (partial file deleted)"
    assert list(output.parent.iterdir()) == []
    fetch([server.url, f"file://{tmp_path / 'other'}"], output, sha256=other.upper())
    assert is_whole(output, OTHER)


def test_recorded_checksum_is_verified_later(server, output):
    fetch([server.url], output)
    first = sha256_of(output)
    output.unlink()
    server.answers = [whole(OTHER)]
    lines = failed_download(output, server.url)
    assert first in lines[0]
    assert f"delete {output}.sha256" in lines[0]
    output.with_name("x.tar.gz.sha256").unlink()
    fetch([server.url], output)
    assert is_whole(output, OTHER)
    assert f"its sha256 is {sha256_of(output)}, but {first} was recorded" in lines[0]


def test_existing_file_is_kept(server, output):
    output.parent.mkdir()
    output.write_bytes(OTHER)
    fetch([server.url], output)
    assert is_whole(output, OTHER)
    fetch([server.url], output, sha256=sha256_of(output))
    assert server.asked == []


def test_wrong_existing_file_is_an_error_and_unchanged(server, output):
    output.parent.mkdir()
    output.write_bytes(OTHER)
    with pytest.raises(InputError, match=f"{output}: its sha256 is {sha256_of(output)}, but {'0' * 64} is configured"):
        fetch([server.url], output, sha256="0" * 64)
    assert output.read_bytes() == OTHER
    assert server.asked == []


def test_invalid_arguments_give_one_line(tmp_path, output):
    (line,) = failed_download(output, "ftp://host/x.tar.gz")
    assert line == "mirror ftp://host/x.tar.gz: must start with http://, https:// or file://"
    for word in ("abc", ""):
        (line,) = failed_download(output, "http://127.0.0.1:1/", options=("--sha256", word))
        assert line.startswith(f"sha256: {word!r} is not an SHA-256 checksum")
    (line,) = failed_download(output, "http://127.0.0.1:1/", options=("--timeout", "0"))
    assert line.startswith("--timeout: ")


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_full_disk_is_reported_and_no_mirror_is_blamed(server, tmp_path, scheme):
    (tmp_path / "x.tar.gz").write_bytes(CONTENT)
    with small_disk(tmp_path / "disk", 2**19) as disk:
        mirror = server.url if scheme == "http" else f"file://{tmp_path}"
        (line,) = failed_download(disk / "data" / "x.tar.gz", mirror)
        assert line == (
            f"{disk / 'data'}: x.tar.gz does not fit: 1.0 MB are needed and 0.5 MB are free, so 0.5 MB are missing; "
            "make room and start again"
        )


def test_disk_full_while_writing_the_checksum_leaves_no_checksum(server, tmp_path):
    page = 4096
    with small_disk(tmp_path / "disk", 250 * page) as disk:
        (disk / "filler").write_bytes(bytes(4 * page))
        output = disk / "data" / "x.tar.gz"  # 245 pages, and one for the note of its origin
        (line,) = failed_download(output, server.url)
        assert line.startswith(f"{disk / 'data'}: the disk is full: ")
        assert not output.with_name("x.tar.gz.sha256").exists()
        (disk / "filler").unlink()
        assert script("download", "--dataset", "x", "--mirror", server.url, output).returncode == 0
        assert is_whole(output)


@pytest.mark.parametrize("record", ["", "hello\n", "12ab  x.tar.gz\n"])
def test_damaged_checksum_record_is_reported_with_a_remedy(server, output, record):
    output.parent.mkdir()
    output.with_name("x.tar.gz.sha256").write_text(record)
    (line,) = failed_download(output, server.url)
    assert line.startswith(f"{output}.sha256: ")
    assert line.endswith("correct or delete it")
    assert server.asked == []
