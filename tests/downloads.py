"""A web server with every kind of misbehaviour, and checks of downloads."""

import os
import re
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from conftest import script

from pix2pix.download.fetching import Patience


def archive_of(size: int) -> bytes:
    """A tar archive of random content, `size` bytes in total."""
    content = os.urandom(size // 512 * 512 - 3 * 512)
    member = tarfile.TarInfo("x/train/1.jpg")
    member.size = len(content)
    return (member.tobuf() + content).ljust(size, b"\0")


CONTENT, OTHER = archive_of(1_000_000), archive_of(1_000_000)
QUICK = {"patience": Patience(pause=0.001, timeout=5.0, patience=0.1)}
QUICK_TRIES = 7  # pauses of 1, 2, 4, 8, 16 and 32 ms
QUICK_FLAGS = ("--pause", "0.001", "--patience", "0.1")

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server(ThreadingHTTPServer):
    """Gives the next of `answers` to each request, and then repeats the last one; records the requests."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = [whole()]
        self.asked: list[Message] = []
        self.url = f"http://127.0.0.1:{self.server_port}/x.tar.gz"

    def handle_error(self, *_):
        """Do nothing: clients that disconnect are part of these tests."""

    def ranges(self) -> list[str | None]:
        return [headers["Range"] for headers in self.asked]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        answer = server.answers[min(len(server.asked), len(server.answers) - 1)]
        server.asked.append(self.headers)
        answer(self)

    def log_message(self, *_):
        pass

    def send(self, code: int, body: bytes = b"", **headers: object) -> None:
        self.send_response(code)
        for name, value in ({"Content_Length": len(body)} | headers).items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)


def whole(content: bytes = CONTENT, **headers: object) -> Answer:
    """The whole file, regardless of Range."""
    return lambda request: request.send(200, content, **headers)


def breaks_off(at: int, content: bytes = CONTENT, **headers: object) -> Answer:
    return lambda request: request.send(200, content[:at], Content_Length=len(content), **headers)


def status(code: int, **headers: object) -> Answer:
    return lambda request: request.send(code, **headers)


def rest(content: bytes = CONTENT, until: int | None = None, **headers: object) -> Answer:
    """The requested range, as a correct server sends it, or truncated at `until`."""

    def answer(request: Handler) -> None:
        start = int(re.fullmatch(r"bytes=(\d+)-", request.headers["Range"])[1])
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        length = len(content) - start
        request.send(206, content[start:until], Content_Length=length, Content_Range=span, **headers)

    return answer


def chunked(content: bytes, end: bytes = b"0\r\n\r\n") -> Answer:
    """A response without a length; with `end` b"" it is truncated."""

    def answer(request: Handler) -> None:
        request.protocol_version = "HTTP/1.1"
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        for start in range(0, len(content), 100_000):
            piece = content[start : start + 100_000]
            request.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        request.wfile.write(end)
        request.close_connection = True

    return answer


def drips(content: bytes = CONTENT, piece: int = 10_000, pause: float = 0.05) -> Answer:
    def answer(request: Handler) -> None:
        request.send(200, Content_Length=len(content), ETag='"1"')
        for start in range(0, len(content), piece):
            request.wfile.write(content[start : start + piece])
            time.sleep(pause)

    return answer


@contextmanager
def serving() -> Iterator[Server]:
    """A server on a free local port."""
    with Server() as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield running
        running.shutdown()


def is_whole(output: Path, content: bytes = CONTENT) -> bool:
    """Whether the file exists with its recorded checksum, and no part file."""
    names = sorted(path.name for path in output.parent.iterdir() if path.suffix != ".obtained")
    return output.read_bytes() == content and names == [output.name, f"{output.name}.sha256"]


def failed_download(output: Path, *mirrors: str, options: tuple[str, ...] = QUICK_FLAGS) -> list[str]:
    """Run the program, check that it fails, and return its error lines."""
    flags = [word for mirror in mirrors for word in ("--mirror", mirror)]
    result = script("download", "--dataset", "x", *flags, *options, output)
    assert result.returncode == 1
    assert "Traceback" not in result.stdout
    assert not output.exists()
    return [line.removeprefix("error: ") for line in result.stdout.splitlines() if line.startswith("error: ")]
