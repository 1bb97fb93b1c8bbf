"""Transfer of one file, from a web server or the local disk, into a part file; later transfers can resume it.

The received data is kept in `OUTPUT.part`, and its origin in `OUTPUT.part.json`.
"""

import json
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from http.client import HTTPException
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
from urllib3.exceptions import HTTPError as TransferError
from urllib3.exceptions import IncompleteRead

from pix2pix.system.disk import check_room, disk_space
from pix2pix.system.files import replacing
from pix2pix.system.progress import Progress

CHUNK = 2**18
TEMPORARY = (408, 425, 429)  # and 5xx: a later try may succeed
STRONG_AGE = timedelta(seconds=60)  # a Last-Modified date at least this old cannot hide a second change


class FailedError(Exception):
    """Why a transfer failed; `temporary` if a retry may succeed."""

    def __init__(self, reason: str, temporary: bool = False, response: requests.Response | None = None):
        super().__init__(reason)
        self.temporary = temporary
        self.response = response


def copy(address: str, output: Path) -> None:
    """Copy the file at a file:// address into the part file.

    Raises:
        FailedError: the file does not exist.
        InputError: the disk is full.
    """
    source = local_path(address)
    try:
        if not source.is_file():
            raise FailedError("is a folder" if source.is_dir() else "no such file")
        file = open(source, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise FailedError(f"cannot be read ({error.strerror})") from None
    discard(output)
    with file:
        _write(iter(lambda: file.read(CHUNK), b""), output, 0, source.stat().st_size)


def local_path(address: str) -> Path:
    """The path of a file:// address."""
    return Path(unquote(re.sub("^file://(localhost(?=/))?", "", address)))


def download(address: str, output: Path, timeout: float, speed: float, certain: bool, token: str | None = None) -> bool:
    """Download into the part file until it is complete; True if an existing part file was resumed.

    An existing part file is resumed if a strong validator proves that the rest is of the same version,
    or if the whole file's checksum is known.

    Args:
        address: http(s)://
        output: the file whose part file is written.
        timeout: seconds without a response or a byte after which the transfer fails.
        speed: minimum bytes per second, averaged over `timeout` seconds; a slower transfer fails.
        certain: whether the whole file will be compared with a known checksum.
        token: sent as `Authorization: Bearer`, only over https or to this machine. requests removes it when the
            server redirects to another host, another port or to http.

    Raises:
        FailedError: the server delivers nothing, or less or more than declared.
        InputError: the disk is full.
    """
    notes = _read_notes(address, output)
    start = received_bytes(output) if notes and (certain or notes["validator"]) else 0
    if not start:
        notes = {}
    elif start == notes["size"]:
        return True
    # identity: the length and the checksum are those of the file itself, not of a compressed transfer
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if notes["validator"]:
            headers["If-Range"] = notes["validator"]
    try:
        auth = partial(_authorize, token) if token and _is_private(address) else None
        with requests.get(address, headers=headers, stream=True, timeout=timeout, auth=auth) as response:
            if response.status_code in (401, 403) and token and not auth:
                raise FailedError("the server requires a token, which is sent over https only", response=response)
            _refuse(response)
            start, size = _span(response, start, notes, output, certain)
            if start == 0:
                _start_over(output, {"address": address, "validator": _validator(response), "size": size})
            # read1 returns the data received so far: a full read would lose it if the connection breaks
            chunks = iter(lambda: response.raw.read1(CHUNK, decode_content=False), b"")
            _write(_fast_enough(chunks, timeout, speed), output, start, size)
    except (requests.RequestException, TransferError, ValueError) as error:  # ValueError: of an invalid header
        raise FailedError(_reason(error, timeout), _is_temporary(error)) from None
    if size is not None and received_bytes(output) != size:
        raise FailedError(f"{received_bytes(output)} of {size} bytes received", temporary=True)
    return start > 0


def _authorize(token: str, request: requests.PreparedRequest) -> requests.PreparedRequest:
    request.headers["Authorization"] = f"Bearer {token}"
    return request


def _is_private(address: str) -> bool:
    """Whether no one else can read what is sent to an address."""
    parts = urlsplit(address)
    return parts.scheme == "https" or parts.hostname in ("127.0.0.1", "::1", "localhost")


def _start_over(output: Path, notes: dict) -> None:
    discard(output)
    with disk_space(output.parent), replacing(_notes(output)) as scratch:
        scratch.write_text(json.dumps(notes))


def _read_notes(address: str, output: Path) -> dict:
    """The origin of the part file; empty unless it is this address.

    A part file from another or an unknown address is not resumed: it may be of a different file.
    """
    try:
        notes = json.loads(_notes(output).read_text())
        sound = isinstance(notes["validator"], str | None) and isinstance(notes["size"], int | None)
        return notes if sound and notes["address"] == address else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _refuse(response: requests.Response) -> None:
    """Raise an error for a response without a file."""
    status = response.status_code
    if status in (200, 206):
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise FailedError("the server responds with a web page instead of a file")
    elif status != 416:
        temporary = status >= 500 or status in TEMPORARY
        raise FailedError(f"the server responds {status} {response.reason}".rstrip(), temporary, response)


def _span(response: requests.Response, start: int, notes: dict, output: Path, certain: bool) -> tuple[int, int | None]:
    """Return the position of the response's first byte, and the size of the whole file in bytes, if known.

    A server that ignores Range, or whose file has changed, responds 200 with the whole file. A server
    that ignores If-Range sends the rest of another version, so its response must have the same validator.
    """
    if response.status_code == 200:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    size = int(found[2]) if found and found[2] != "*" else notes.get("size")
    before, now = notes.get("validator"), _validator(response)
    same = start == 0 or now == before or (certain and now is None)
    fits = found and int(found[1]) == start and notes.get("size") in (None, size)
    if response.status_code == 416 or not fits or not same:
        discard(output)
        raise FailedError(f"the server does not resume from byte {start}; starting over", temporary=True)
    return start, size


def _validator(response: requests.Response) -> str | None:
    """The strong validator of this version of the file; None if there is none (RFC 9110, 8.8.1).

    A weak entity tag may stay the same when bytes change, and so may a modification date that is less
    than a minute before the response.
    """
    tag = response.headers.get("ETag", "")
    if tag:
        return tag if re.fullmatch('"[^"]*"', tag) else None
    changed = response.headers.get("Last-Modified", "")
    try:
        now, then = parsedate_to_datetime(response.headers.get("Date", "")), parsedate_to_datetime(changed)
        return changed if now - then >= STRONG_AGE else None
    except (ValueError, TypeError):
        return None


def _fast_enough(chunks: Iterator[bytes], timeout: float, speed: float) -> Iterator[bytes]:
    since, received = time.monotonic(), 0
    for chunk in chunks:
        yield chunk
        received += len(chunk)
        if (seconds := time.monotonic() - since) >= timeout:
            if received < speed * seconds:
                raise FailedError(f"sends less than {speed:g} bytes per second", temporary=True)
            since, received = time.monotonic(), 0


def _write(chunks: Iterator[bytes], output: Path, start: int, size: int | None) -> None:
    if size:
        check_room(output.parent, size - start, f"{output.name} does not fit")
    with (
        disk_space(output.parent, size and size - start),
        open(part(output), "ab" if start else "wb") as file,
        Progress(total=size, initial=start, desc=output.name, unit="B", unit_scale=True) as bar,
    ):
        received = start
        for chunk in chunks:
            received += len(chunk)
            if size is not None and received > size:
                discard(output)
                raise FailedError(f"sends more than the declared {size} bytes", temporary=True)
            file.write(chunk)
            bar.update(len(chunk))


def _is_temporary(error: Exception) -> bool:
    lost = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError, TransferError)
    return isinstance(error, lost) and not isinstance(error, requests.exceptions.SSLError)


def _reason(error: BaseException, timeout: float) -> str:
    """Describe a network error in one short line: the innermost cause, without the libraries' wrappers."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    if isinstance(error, TimeoutError):
        return f"nothing received for {timeout:g} s"
    if isinstance(error, (HTTPException, IncompleteRead)):
        return "the connection was lost"
    return (isinstance(error, OSError) and error.strerror) or " ".join(str(error).split())


def part(output: Path) -> Path:
    """The file with the data of `output` received so far."""
    return output.with_name(f"{output.name}.part")


def _notes(output: Path) -> Path:
    return output.with_name(f"{output.name}.part.json")


def received_bytes(output: Path) -> int:
    """Number of bytes in the part file of `output`."""
    return part(output).stat().st_size if part(output).exists() else 0


def discard(output: Path) -> None:
    """Delete the part file of `output` and the note of its origin."""
    part(output).unlink(missing_ok=True)
    _notes(output).unlink(missing_ok=True)
