"""Archives behind a token: sent over https or to this machine only, to the mirror's host only, and never shown."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, script
from downloads import CONTENT, QUICK_FLAGS, Handler, Server, serving, whole

from pix2pix.config.runs import read_config
from pix2pix.download.fetching import fetch
from pix2pix.system.errors import InputError

TOKEN = "hf_Secret-0123"


@pytest.fixture
def servers(monkeypatch) -> Iterator[tuple[Server, Server]]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("X_TOKEN", TOKEN)
    with ExitStack() as stack:
        yield stack.enter_context(serving()), stack.enter_context(serving())


def locked(request: Handler) -> None:
    """The file for requests with the token, else 401."""
    whole()(request) if request.headers["Authorization"] == f"Bearer {TOKEN}" else request.send(401)


def download(output: Path, url: str, *flags: str) -> subprocess.CompletedProcess:
    return script("download", "--dataset", "x", "--mirror", url, *QUICK_FLAGS, *flags, output)


def test_server_gets_the_token_and_nothing_shows_it(servers, tmp_path):
    server, _ = servers
    server.answers = [locked]
    output = tmp_path / "data" / "x.tar.gz"
    result = download(output, server.url)
    assert result.returncode == 1
    assert "the server responds 401" in result.stdout
    result = download(output, server.url, "--token_env", "X_TOKEN")
    assert result.returncode == 0, result.stdout
    assert output.read_bytes() == CONTENT
    assert TOKEN not in result.stdout
    asked = len(server.asked)
    assert download(output, server.url, "--token_env", "NO_SUCH_TOKEN").returncode == 0  # it exists
    assert len(server.asked) == asked


def test_other_hosts_do_not_get_it_on_redirects(servers, tmp_path):
    server, other = servers
    server.answers = [lambda request: request.send(302, Location=other.url)]
    fetch([server.url], tmp_path / "x.tar.gz", token=TOKEN)
    assert server.asked[0]["Authorization"] == f"Bearer {TOKEN}"
    assert other.asked[0]["Authorization"] is None
    assert (tmp_path / "x.tar.gz").read_bytes() == CONTENT


def test_it_is_not_sent_over_http_to_another_machine(servers, tmp_path, monkeypatch):
    """The server plays a proxy, which sees what is sent to any other machine."""
    server, _ = servers
    server.answers = [locked]
    monkeypatch.setenv("http_proxy", server.url.removesuffix("/x.tar.gz"))
    with pytest.raises(InputError, match="the server requires a token, which is sent over https only"):
        fetch(["http://example.org/x.tar.gz"], tmp_path / "x.tar.gz", token=TOKEN)
    assert server.asked[0]["Authorization"] is None


@pytest.mark.parametrize("value", ["", "two words", "line\nline", "ünicode"])
def test_unusable_token_gives_one_line_without_it(servers, tmp_path, monkeypatch, value):
    monkeypatch.setenv("X_TOKEN", value)
    result = download(tmp_path / "x.tar.gz", servers[0].url, "--token_env", "X_TOKEN")
    assert result.returncode == 1
    (line,) = result.stdout.splitlines()
    assert line.startswith("error: token_env: the environment variable X_TOKEN ")
    assert not value or value not in line
    assert not servers[0].asked


def test_workflow_passes_the_name_and_stores_no_token(servers, tmp_path):
    server, _ = servers
    server.answers = [locked]
    dataset = {"mirrors": [server.url], "token_env": "X_TOKEN"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"datasets": {"mine": dataset}, "runs": {"mine": {}}}))
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", tmp_path]
    command += ["--cores", "1", "data/mine.tar.gz", "--printshellcmds", "--verbose"]
    command += ["--configfile", tmp_path / "mine.yaml"]
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    assert "--token_env X_TOKEN" in done.stdout
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(".snakemake" in path.parts for path in files)
    for text in (done.stdout.encode(), *(path.read_bytes() for path in files)):
        assert TOKEN.encode() not in text


def test_token_needs_mirrors_of_the_dataset():
    with pytest.raises(InputError, match="token_env needs mirrors of this dataset"):
        read_config({"mirrors": ["https://example.org"], "datasets": {"x": {"token_env": "X"}}, "runs": {"x": {}}})
    mixed = ["https://example.org/a.zip", "https://example.org/a.tar.gz"]
    with pytest.raises(InputError, match=r"these end in tar\.gz, zip"):
        read_config({"datasets": {"x": {"mirrors": mixed}}, "runs": {"x": {}}})
