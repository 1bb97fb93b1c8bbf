"""Downloads that survive bad networks: mirrors in order, tries with growing pauses, resumed and checked.

What has arrived is kept in `OUTPUT.part`, and where it came from in `OUTPUT.part.json`, so that
a later start goes on where this one stopped. `OUTPUT` itself appears by rename, whole and checked.
"""

import json
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from http.client import HTTPException
from pathlib import Path
from urllib.parse import unquote

import requests
from urllib3.exceptions import HTTPError as TransferError
from urllib3.exceptions import IncompleteRead, InvalidHeader, MaxRetryError
from urllib3.util.retry import Retry

from pix2pix.checksum import Expected, difference, expected_of, keep, sha256_of, verify
from pix2pix.disk import disk_space, megabytes
from pix2pix.errors import InputError
from pix2pix.progress import Progress

CHUNK = 2**18
TRIES = 5  # after the first one, in a row without a single new byte
PASSING = (408, 425, 429)  # and 5xx: a later try may be answered
LONGEST_PAUSE = 120
TAR_NAME = re.compile(r"\.(tar(\.\w+)?|tgz|tbz2?|txz)([?#]|$)")


class _FailedError(Exception):
    """Why a mirror did not deliver; `passing` if trying again may help."""

    def __init__(self, reason: str, passing: bool = False, response: requests.Response | None = None):
        super().__init__(reason)
        self.passing = passing
        self.response = response


def archive_addresses(mirrors: Iterable[str], dataset: str) -> list[str]:
    """Addresses of a dataset's archive: `{dataset}` filled in, {dataset}.tar.gz added to a mirror's folder."""
    addresses = []
    for mirror in mirrors:
        address = mirror.replace("{dataset}", dataset)
        if not TAR_NAME.search(address):
            folder, mark, query = address.partition("?")
            address = f"{folder.rstrip('/')}/{dataset}.tar.gz{mark}{query}"
        addresses.append(address)
    return addresses


def fetch(
    mirrors: Iterable[str], output: str | Path, sha256: str | None = None, pause: float = 1.0, timeout: float = 30.0
) -> None:
    """Make sure that the file `output` is there, whole and checked; download it if it is not.

    Without `sha256` the checksum of the first download is kept in `output`.sha256, and later
    ones must have the same.

    Args:
        mirrors: addresses of the file (http(s):// or file://, also relative), tried in order.
        output: the file to make; one that is there already is checked and kept.
        sha256: the checksum that the file must have, in hexadecimal.
        pause: seconds between tries at first; doubles from try to try, or is as long as the server asks.
        timeout: seconds without an answer or a byte after which a try is given up.

    Raises:
        InputError: no mirror has the file (a line for each), its checksum is wrong, or the disk is full.
    """
    output, mirrors = Path(output), list(mirrors)
    for address in mirrors:
        if not address.startswith(("http://", "https://", "file://")):
            raise InputError(f"mirror {address}: must start with http://, https:// or file://")
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.exists():
        keep(verify(output, sha256), output)
        _say(f"{output}: is there already and is kept")
        return
    expected = expected_of(output, sha256)
    reasons = []
    for address in mirrors:
        try:
            digest = _deliver(address, output, expected, pause, timeout)
        except _FailedError as error:
            reasons.append(f"{address}: {error}")
            if address != mirrors[-1]:
                _say(f"{reasons[-1]}; next mirror")
            continue
        _finish(output, digest)
        return
    raise InputError("\n".join([*reasons, _advice(output)]))


def _finish(output: Path, digest: str) -> None:
    """Give the whole and checked part file its name, once its data is on the disk."""
    with open(_part(output), "rb") as part:
        os.fsync(part.fileno())
    keep(digest, output)
    _part(output).rename(output)
    _notes(output).unlink(missing_ok=True)
    _say(f"{output}: {megabytes(output.stat().st_size)}, sha256 {digest}")


def _advice(output: Path) -> str:
    kept = f" ({megabytes(_arrived(output))} came; the same command goes on from there)" if _arrived(output) else ""
    return f"{output}: no mirror delivered it{kept}: try again, name another mirror, or put the file there by hand"


def _deliver(address: str, output: Path, expected: Expected | None, pause: float, timeout: float) -> str:
    """Bring the whole file from one address into the part file; returns its checksum."""
    fresh = Retry(total=TRIES, backoff_factor=pause, backoff_max=LONGEST_PAUSE, retry_after_max=LONGEST_PAUSE)
    tries, furthest = fresh, _arrived(output)
    while True:
        try:
            resumed = _copy(address, output) if address.startswith("file://") else _download(address, output, timeout)
            digest = sha256_of(_part(output))
            if wrong := difference(digest, expected):
                _forget(output)
                raise _FailedError(f"{wrong} (what came is deleted)", passing=resumed)
            return digest
        except _FailedError as error:
            if not error.passing:
                raise
            if _arrived(output) > furthest:
                tries, furthest = fresh, _arrived(output)
            try:
                tries = tries.increment("GET", address, error=error)
            except MaxRetryError:
                raise _FailedError(f"{error} ({TRIES + 1} tries)") from None
            wait = _pause(tries, error.response)
            _say(f"{address}: {error}; next try in {wait:.1f} s")
            time.sleep(wait)


def _pause(tries: Retry, response: requests.Response | None) -> float:
    """Seconds until the next try: what the server asks for, at least the growing pause."""
    try:
        asked = tries.get_retry_after(response.raw) if response is not None else None
    except InvalidHeader:
        asked = None
    return max(asked or 0.0, tries.get_backoff_time())


def _copy(address: str, output: Path) -> bool:
    """Copy from this machine into the part file; False: nothing was resumed."""
    source = Path(unquote(re.sub("^file://(localhost(?=/))?", "", address)))
    if not source.is_file():
        raise _FailedError("is a folder" if source.is_dir() else "no such file")
    _forget(output)
    with open(source, "rb") as file:
        _write(iter(lambda: file.read(CHUNK), b""), output, 0, source.stat().st_size)
    return False


def _download(address: str, output: Path, timeout: float) -> bool:
    """Append to the part file, or write it anew, until it is whole; True if it was built on."""
    notes = _read_notes(address, output)
    start = _arrived(output) if notes else 0
    if start and start == notes["size"]:
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
            start, size = _span(response, start, notes, output)
            if start == 0:
                _forget(output)
                notes = {"address": address, "validator": _validator(response), "size": size}
                _notes(output).write_text(json.dumps(notes))
            # read1 gives what has come: a full read would lose it if the rest does not follow
            _write(iter(lambda: response.raw.read1(CHUNK, decode_content=False), b""), output, start, size)
    except (requests.RequestException, TransferError) as error:
        raise _FailedError(_reason(error, timeout), _passes(error)) from None
    if size is not None and _arrived(output) != size:
        raise _FailedError(f"{_arrived(output)} of {size} bytes came", passing=True)
    return start > 0


def _read_notes(address: str, output: Path) -> dict:
    """Where the part file came from; empty unless it came from this very address.

    What another mirror, or nobody knows who, began is not built on: the file may be another one.
    """
    try:
        notes = json.loads(_notes(output).read_text())
        return notes if notes["address"] == address else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _refuse(response: requests.Response) -> None:
    """Raise for an answer that carries no file."""
    status = response.status_code
    if status in (200, 206):
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise _FailedError("the server answers with a web page, not with a file")
    elif status != 416:
        passing = status >= 500 or status in PASSING
        raise _FailedError(f"the server answers {status} {response.reason}".rstrip(), passing, response)


def _span(response: requests.Response, start: int, notes: dict, output: Path) -> tuple[int, int | None]:
    """Where the answer's first byte belongs, and the whole file's size in bytes if it is known.

    A server that ignores Range, or whose file has changed since, answers 200: all over again.
    """
    if response.status_code == 200:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    size = int(found[2]) if found and found[2] != "*" else notes.get("size")
    changed = notes.get("size") not in (None, size) or _validator(response) not in (None, notes.get("validator"))
    if response.status_code == 416 or not found or int(found[1]) != start or (start and changed):
        _forget(output)
        raise _FailedError(f"the server does not go on from byte {start}, so all over again", passing=True)
    return start, size


def _validator(response: requests.Response) -> str | None:
    """What tells this version of the file from another one (RFC 9110, 13.1.5: no weak entity tag)."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


def _write(chunks: Iterator[bytes], output: Path, start: int, size: int | None) -> None:
    with (
        disk_space(output.parent, size and size - start),
        open(_part(output), "ab" if start else "wb") as file,
        Progress(total=size, initial=start, desc=output.name, unit="B", unit_scale=True) as bar,
    ):
        for chunk in chunks:
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
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _part(output: Path) -> Path:
    return output.with_name(f"{output.name}.part")


def _notes(output: Path) -> Path:
    return output.with_name(f"{output.name}.part.json")


def _arrived(output: Path) -> int:
    return _part(output).stat().st_size if _part(output).exists() else 0


def _forget(output: Path) -> None:
    _part(output).unlink(missing_ok=True)
    _notes(output).unlink(missing_ok=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
