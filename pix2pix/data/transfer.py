"""One transfer of a file, from a web server or from this machine, into a part file that a later one can go on with.

What has arrived is kept in `OUTPUT.part`, and where it came from in `OUTPUT.part.json`.
"""

import json
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from pathlib import Path
from urllib.parse import unquote

import requests
from urllib3.exceptions import HTTPError as TransferError
from urllib3.exceptions import IncompleteRead

from pix2pix.system.disk import disk_space
from pix2pix.system.files import replacing
from pix2pix.system.progress import Progress

CHUNK = 2**18
PASSING = (408, 425, 429)  # and 5xx: a later try may be answered
SAME_CLOCK = timedelta(seconds=60)  # a date of change this old when it was told cannot hide a second change


class FailedError(Exception):
    """Why a transfer did not deliver; `passing` if trying again may help."""

    def __init__(self, reason: str, passing: bool = False, response: requests.Response | None = None):
        super().__init__(reason)
        self.passing = passing
        self.response = response


def copy(address: str, output: Path) -> None:
    """Copy the file at a file:// address into the part file.

    Raises:
        FailedError: there is no such file.
        InputError: the disk is full.
    """
    source = Path(unquote(re.sub("^file://(localhost(?=/))?", "", address)))
    if not source.is_file():
        raise FailedError("is a folder" if source.is_dir() else "no such file")
    forget(output)
    with open(source, "rb") as file:
        _write(iter(lambda: file.read(CHUNK), b""), output, 0, source.stat().st_size)


def download(address: str, output: Path, timeout: float, speed: float, certain: bool) -> bool:
    """Append to the part file, or write it anew, until it is whole; True if it was built on.

    It is built on where a strong validator tells that the rest is of the same version, or where the
    whole file's checksum is known.

    Args:
        address: http(s)://
        output: the file whose part is written.
        timeout: seconds without an answer or a byte after which the transfer fails.
        speed: bytes a second; one that is slower on the average of `timeout` seconds fails.
        certain: whether the whole file will be compared with a known checksum.

    Raises:
        FailedError: the server does not deliver, or not all, or more than it declared.
        InputError: the disk is full.
    """
    notes = _read_notes(address, output)
    start = arrived(output) if notes and (certain or notes["validator"]) else 0
    if not start:
        notes = {}
    elif start == notes["size"]:
        return True
    # identity: what counts is the file's own bytes, whose length and checksum are known
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if notes["validator"]:
            headers["If-Range"] = notes["validator"]
    try:
        with requests.get(address, headers=headers, stream=True, timeout=timeout) as response:
            _refuse(response)
            start, size = _span(response, start, notes, output, certain)
            if start == 0:
                _begin(output, {"address": address, "validator": _validator(response), "size": size})
            # read1 gives what has come: a full read would lose it if the rest does not follow
            chunks = iter(lambda: response.raw.read1(CHUNK, decode_content=False), b"")
            _write(_fast_enough(chunks, timeout, speed), output, start, size)
    except (requests.RequestException, TransferError) as error:
        raise FailedError(_reason(error, timeout), _passes(error)) from None
    if size is not None and arrived(output) != size:
        raise FailedError(f"{arrived(output)} of {size} bytes came", passing=True)
    return start > 0


def _begin(output: Path, notes: dict) -> None:
    forget(output)
    with disk_space(output.parent), replacing(_notes(output)) as scratch:
        scratch.write_text(json.dumps(notes))


def _read_notes(address: str, output: Path) -> dict:
    """Where the part file came from; empty unless it came from this very address.

    What another mirror, or nobody knows who, began is not built on: the file may be another one.
    """
    try:
        notes = json.loads(_notes(output).read_text())
        sound = isinstance(notes["validator"], str | None) and isinstance(notes["size"], int | None)
        return notes if sound and notes["address"] == address else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _refuse(response: requests.Response) -> None:
    """Raise for an answer that carries no file."""
    status = response.status_code
    if status in (200, 206):
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise FailedError("the server answers with a web page, not with a file")
    elif status != 416:
        passing = status >= 500 or status in PASSING
        raise FailedError(f"the server answers {status} {response.reason}".rstrip(), passing, response)


def _span(response: requests.Response, start: int, notes: dict, output: Path, certain: bool) -> tuple[int, int | None]:
    """Where the answer's first byte belongs, and the whole file's size in bytes if it is known.

    A server that ignores Range, or whose file has changed since, answers 200: all over again. One
    that ignores If-Range goes on with another version, so its answer must name the version begun.
    """
    if response.status_code == 200:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    size = int(found[2]) if found and found[2] != "*" else notes.get("size")
    begun, now = notes.get("validator"), _validator(response)
    same = start == 0 or now == begun or (certain and now is None)
    fits = found and int(found[1]) == start and notes.get("size") in (None, size)
    if response.status_code == 416 or not fits or not same:
        forget(output)
        raise FailedError(f"the server does not go on from byte {start}, so all over again", passing=True)
    return start, size


def _validator(response: requests.Response) -> str | None:
    """What tells this version of the file from every other one; None where nothing does (RFC 9110, 8.8.1).

    A weak entity tag may stay the same where bytes change, and so may a date of change that is told
    within a minute of it.
    """
    tag = response.headers.get("ETag", "")
    if tag:
        return tag if re.fullmatch('"[^"]*"', tag) else None
    changed = response.headers.get("Last-Modified", "")
    try:
        told, then = parsedate_to_datetime(response.headers.get("Date", "")), parsedate_to_datetime(changed)
        return changed if told - then >= SAME_CLOCK else None
    except (ValueError, TypeError):
        return None


def _fast_enough(chunks: Iterator[bytes], timeout: float, speed: float) -> Iterator[bytes]:
    since, came = time.monotonic(), 0
    for chunk in chunks:
        yield chunk
        came += len(chunk)
        if (seconds := time.monotonic() - since) >= timeout:
            if came < speed * seconds:
                raise FailedError(f"sends less than {speed:g} bytes a second", passing=True)
            since, came = time.monotonic(), 0


def _write(chunks: Iterator[bytes], output: Path, start: int, size: int | None) -> None:
    with (
        disk_space(output.parent, size and size - start),
        open(part(output), "ab" if start else "wb") as file,
        Progress(total=size, initial=start, desc=output.name, unit="B", unit_scale=True) as bar,
    ):
        came = start
        for chunk in chunks:
            came += len(chunk)
            if size is not None and came > size:
                forget(output)
                raise FailedError(f"sends more than the {size} bytes that were declared", passing=True)
            file.write(chunk)
            bar.update(len(chunk))


def _passes(error: Exception) -> bool:
    lost = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError, TransferError)
    return isinstance(error, lost) and not isinstance(error, requests.exceptions.SSLError)


def _reason(error: BaseException, timeout: float) -> str:
    """A network error in one short line: the innermost cause, without the libraries' wrapping."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    if isinstance(error, TimeoutError):
        return f"nothing came for {timeout:g} s"
    if isinstance(error, (HTTPException, IncompleteRead)):
        return "the connection broke off"
    return (isinstance(error, OSError) and error.strerror) or " ".join(str(error).split())


def part(output: Path) -> Path:
    """The file that holds what has arrived of `output`."""
    return output.with_name(f"{output.name}.part")


def _notes(output: Path) -> Path:
    return output.with_name(f"{output.name}.part.json")


def arrived(output: Path) -> int:
    """Bytes of `output` that lie in its part file."""
    return part(output).stat().st_size if part(output).exists() else 0


def forget(output: Path) -> None:
    """Delete what has arrived of `output`, and where it came from."""
    part(output).unlink(missing_ok=True)
    _notes(output).unlink(missing_ok=True)
