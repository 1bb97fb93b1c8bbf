"""Interrupted downloads, resumed where it is safe."""

import hashlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT
from downloads import (
    CONTENT,
    OTHER,
    QUICK,
    QUICK_FLAGS,
    QUICK_TRIES,
    Server,
    breaks_off,
    chunked,
    drips,
    failed_download,
    is_whole,
    rest,
    serving,
    status,
    whole,
)

from pix2pix.download.fetching import Patience, fetch
from pix2pix.system.checksum import sha256_of
from pix2pix.system.errors import InputError


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as running:
        yield running


@pytest.fixture
def output(tmp_path) -> Path:
    return tmp_path / "data" / "x.tar.gz"


def test_interrupted_download_is_resumed(server, output):
    server.answers = [breaks_off(300_000, ETag='"v1"'), rest(ETag='"v1"', until=700_000), rest(ETag='"v1"')]
    fetch([server.url], output, **QUICK)
    assert is_whole(output)
    assert server.ranges() == [None, "bytes=300000-", "bytes=700000-"]
    assert server.asked[1]["If-Range"] == '"v1"'


# a Last-Modified date less than a minute before the response does not identify the version
OLD = "Sun, 01 Jan 2017 00:00:00 GMT"
NEWEST = {"Last_Modified": "Fri, 01 Jan 2100 00:00:00 GMT"}


@pytest.mark.parametrize(
    "headers",
    [{"ETag": '"v1"'}, {"Last_Modified": OLD}, {"ETag": '"v1"', "Last_Modified": OLD}],
)
def test_resuming_sends_the_validator_of_the_first_response(server, output, headers):
    server.answers = [breaks_off(300_000, **headers), rest(**headers)]
    fetch([server.url], output, **QUICK)
    assert is_whole(output)
    assert server.asked[1]["Range"] == "bytes=300000-"
    assert server.asked[1]["If-Range"] == next(iter(headers.values()))


@pytest.mark.parametrize(
    "headers", [{}, {"ETag": 'W/"weak"'}, {"ETag": "bare"}, {"ETag": 'W/"weak"', "Last_Modified": OLD}, NEWEST]
)
def test_download_without_a_strong_validator_starts_over(server, output, headers):
    server.answers = [breaks_off(300_000, **headers), whole(OTHER, **headers)]
    fetch([server.url], output, **QUICK)
    assert is_whole(output, OTHER)
    assert server.ranges() == [None, None]


def test_download_with_a_known_checksum_is_always_resumed(server, output):
    server.answers = [breaks_off(300_000), rest()]
    fetch([server.url], output, sha256=hashlib.sha256(CONTENT).hexdigest(), **QUICK)
    assert is_whole(output)
    assert server.ranges() == [None, "bytes=300000-"]


def test_file_of_unknown_length_is_downloaded_whole(server, output):
    server.answers = [chunked(CONTENT[:500_000], end=b""), chunked(CONTENT)]
    fetch([server.url], output, **QUICK)
    assert is_whole(output)
    assert len(server.asked) == 2


def test_progress_resets_the_retries(server, output):
    breaks = [rest(until=n * 100_000, ETag='"v1"') for n in range(2, 10)]
    assert len(breaks) > QUICK_TRIES
    server.answers = [breaks_off(100_000, ETag='"v1"'), *breaks, rest(ETag='"v1"')]
    fetch([server.url], output, **QUICK)
    assert is_whole(output)


def test_later_process_resumes_an_earlier_download(server, output):
    server.answers = [breaks_off(300_000, ETag='"v1"'), status(404)]
    lines = failed_download(output, server.url)
    assert lines[0] == f"{server.url}: the server responds 404 Not Found"
    assert "(0.3 MB received; the same command resumes from there)" in lines[1]
    assert output.with_name("x.tar.gz.part").read_bytes() == CONTENT[:300_000]
    server.asked, server.answers = [], [rest(ETag='"v1"')]
    fetch([server.url], output, **QUICK)
    assert is_whole(output)
    assert server.ranges() == ["bytes=300000-"]


def test_killed_download_is_resumed(server, output):
    server.answers = [drips(), rest(ETag='"1"')]
    command = [sys.executable, ROOT / "scripts" / "download.py", "--dataset", "x", "--mirror", server.url, output]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        part = output.with_name("x.tar.gz.part")
        while not part.exists() or part.stat().st_size == 0:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert not output.exists()
    arrived = part.stat().st_size
    assert 0 < arrived < len(CONTENT)
    fetch([server.url], output, **QUICK)
    assert is_whole(output)
    assert server.ranges() == [None, f"bytes={arrived}-"]


@pytest.mark.parametrize(
    "second",
    [
        whole(OTHER, ETag='"v2"'),  # honours If-Range
        rest(OTHER, ETag='"v2"'),  # does not
        rest(OTHER),  # sends no version
        rest(OTHER, ETag='W/"v1"'),  # a weak entity tag
        rest(OTHER + b"longer", ETag='"v1"'),
        lambda request: request.send(206, OTHER[7:700_007], Content_Range="bytes 7-700006/1000000", ETag='"v1"'),
        status(206, ETag='"v1"'),  # sends no Content-Range
        status(416),
    ],
)
def test_two_versions_of_a_file_are_not_combined(server, output, second):
    server.answers = [breaks_off(300_000, ETag='"v1"'), second, whole(OTHER, ETag='"v2"')]
    fetch([server.url], output, **QUICK)
    assert is_whole(output, OTHER)


def test_server_that_ignores_range_starts_over(server, output):
    tag = {"ETag": '"v1"'}
    server.answers = [breaks_off(300_000, **tag), breaks_off(500_000, **tag), whole(**tag)]
    fetch([server.url], output, **QUICK)
    assert is_whole(output)
    assert server.ranges() == [None, "bytes=300000-", "bytes=500000-"]


def test_server_that_always_disconnects_at_one_place_is_abandoned(server, output):
    server.answers = [breaks_off(300_000, ETag='"v1"')]
    lines = failed_download(output, server.url)
    assert lines[0] == f"{server.url}: the connection was lost ({QUICK_TRIES} tries)"
    assert len(server.asked) == QUICK_TRIES


def test_part_file_of_one_mirror_is_not_resumed_from_another(server, output):
    server.answers = [breaks_off(300_000, ETag='"v1"'), status(404), whole(OTHER)]
    fetch([server.url, server.url + "?mirror=2"], output, **QUICK)
    assert is_whole(output, OTHER)
    assert server.ranges() == [None, "bytes=300000-", None]


def test_damaged_part_file_is_deleted_and_downloaded_again(server, output, tmp_path, capfd):
    server.answers = [breaks_off(300_000, ETag='"v1"'), status(404)]
    with pytest.raises(InputError):
        fetch([server.url], output, **QUICK)
    with open(output.with_name("x.tar.gz.part"), "r+b") as part:
        part.write(b"damaged")
    server.asked, server.answers = [], [rest(ETag='"v1"'), whole(ETag='"v1"')]
    (tmp_path / "good").write_bytes(CONTENT)
    fetch([server.url], output, sha256=sha256_of(tmp_path / "good"), **QUICK)
    assert is_whole(output)
    assert server.ranges() == ["bytes=300000-", None]
    assert "partial file deleted" in capfd.readouterr().err


def test_part_file_of_unknown_origin_is_not_resumed(server, output):
    output.parent.mkdir()
    output.with_name("x.tar.gz.part").write_bytes(OTHER[:500])
    fetch([server.url], output)
    assert is_whole(output)
    assert server.ranges() == [None]


def test_silent_server_times_out(server, output, capfd):
    server.answers = [drips(pause=30), rest(ETag='"1"')]
    fetch([server.url], output, patience=Patience(pause=0.001, timeout=0.5))
    assert "for 0.5 s" in capfd.readouterr().err
    assert is_whole(output)
    assert server.ranges() == [None, "bytes=10000-"]


def test_slow_transfer_is_abandoned_after_as_many_tries_as_silence(server, output):
    server.answers = [drips(piece=1, pause=0.05)]
    lines = failed_download(output, server.url, options=(*QUICK_FLAGS, "--timeout", "0.2"))
    assert lines[0] == f"{server.url}: sends less than 1000 bytes per second ({QUICK_TRIES} tries)"
    assert len(server.asked) == QUICK_TRIES


def test_few_new_bytes_per_try_do_not_reset_the_retries(server, output):
    server.answers = [breaks_off(100, ETag='"v1"'), *(rest(until=n, ETag='"v1"') for n in range(101, 150))]
    with pytest.raises(InputError, match=f"{QUICK_TRIES} tries"):
        fetch([server.url], output, **QUICK)
    assert len(server.asked) == QUICK_TRIES


def test_server_that_sends_more_than_declared_is_stopped_and_abandoned(server, output, capfd):
    def more(request):
        body = CONTENT[300_000:] + b"more" * 100_000
        request.send(206, body, Content_Range="bytes 300000-999999/1000000", ETag='"v1"')

    server.answers = [breaks_off(300_000, ETag='"v1"'), more] * 50
    with pytest.raises(InputError, match=f"{QUICK_TRIES} tries"):
        fetch([server.url], output, **QUICK)
    assert "sends more than the declared 1000000 bytes" in capfd.readouterr().err
    assert len(server.asked) == QUICK_TRIES


def test_default_patience_is_minutes_and_starts_with_a_pause():
    patience = Patience()
    assert patience.pause > 0
    assert patience.patience >= 300


def test_moderately_slow_server_is_accepted(server, output):
    server.answers = [drips(CONTENT[:100_000], pause=0.1)]
    fetch([server.url], output, patience=Patience(pause=0.001, timeout=0.5))
    assert is_whole(output, CONTENT[:100_000])
    assert len(server.asked) == 1
