"""Robust downloads: several mirrors, retries with increasing pauses, resumption, verification.

`OUTPUT` is written atomically, after verification. Until then, partial data is kept next to it
(pix2pix/download/transfer.py), so that a later call resumes the download.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Annotated

import requests
from pydantic import Field
from urllib3.exceptions import InvalidHeader
from urllib3.util.retry import Retry

from pix2pix.config.values import NotNegative, Strict, is_address
from pix2pix.download.transfer import FailedError, copy, discard, download, part, received_bytes
from pix2pix.system.checksum import Expected, difference, expected_of, keep, sha256_of, verify
from pix2pix.system.disk import disk_space, megabytes
from pix2pix.system.errors import InputError

LONGEST_PAUSE = 120
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]

Check = Callable[[Path], None]


class Patience(Strict):
    """Timeouts and retries."""

    pause: Seconds = Field(1.0, description="seconds before the first retry, doubled each time up to two minutes")
    patience: NotNegative = Field(
        600.0, description="total seconds of pauses without progress before giving up, divided among the mirrors"
    )
    timeout: Seconds = Field(30.0, description="seconds to wait for a response or the next byte")
    speed: NotNegative = Field(
        1000.0, description="minimum bytes per second, averaged over the timeout; a slower transfer fails"
    )


def not_empty(path: Path) -> None:
    """Check that a file is not empty.

    Raises:
        InputError: the file is empty.
    """
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty (0 bytes)")


def fetch(
    mirrors: Iterable[str],
    output: str | Path,
    sha256: str | None = None,
    patience: Patience = Patience(),  # noqa: B008 - it is immutable
    check: Check = not_empty,
    token: str | None = None,
) -> None:
    """Ensure that the file `output` exists and is verified; download it if it does not exist.

    Without `sha256`, the checksum of the first download that passes `check` is recorded in
    `output`.sha256, and later downloads must match it.

    Args:
        mirrors: addresses of the file (http(s):// or file://, absolute or relative), tried in order.
        output: the file to create; an existing one is verified and kept.
        sha256: the checksum that the file must have, in hexadecimal.
        patience: timeouts and retries.
        check: raises an InputError for an invalid file; used if no checksum is known.
        token: sent to the mirrors, over https only (pix2pix/download/transfer.py).

    Raises:
        InputError: no mirror delivers the file (one line each), an existing one is wrong, or the disk is full.
    """
    output, mirrors = Path(output), list(mirrors)
    if wrong := [address for address in mirrors if not is_address(address)]:
        raise InputError(f"mirror {wrong[0]}: must start with http://, https:// or file://")
    output.parent.mkdir(parents=True, exist_ok=True)
    expected = expected_of(output, sha256)
    if output.exists():
        digest = verify(output, sha256)
        if expected is None:
            check(output)
        keep(digest, output)
        _log(f"{output}: already exists and is kept")
        return
    share = patience.patience / max(1, len(mirrors))
    reasons = []
    for address in mirrors:
        try:
            attempt = partial(_try, address, output, expected, patience, check, token)
            digest = _deliver(attempt, address, output, patience, share)
        except FailedError as error:
            reasons.append(f"{address}: {error}")
            if address != mirrors[-1]:
                _log(f"{reasons[-1]}; next mirror")
            continue
        _finish(output, digest)
        return
    raise InputError("\n".join([*reasons, _advice(output)]))


def _finish(output: Path, digest: str) -> None:
    """Sync the verified part file to disk and rename it."""
    with disk_space(output.parent), open(part(output), "rb") as file:
        os.fsync(file.fileno())
        keep(digest, output)
    part(output).rename(output)
    discard(output)
    _log(f"{output}: {megabytes(output.stat().st_size)}, sha256 {digest}")


def _advice(output: Path) -> str:
    received = received_bytes(output)
    kept = f" ({megabytes(received)} received; the same command resumes from there)" if received else ""
    return f"{output}: no mirror delivered it{kept}: try again, add another mirror, or put the file there yourself"


def _deliver(attempt: Callable[[], str], address: str, output: Path, patience: Patience, share: float) -> str:
    """Repeat an attempt to download the whole file from one address into the part file; return its checksum.

    `share` is the total number of seconds of pauses allowed since the last progress. Progress is as
    many new bytes as the minimum speed delivers within the timeout.
    """
    progress = max(1.0, patience.speed * patience.timeout)
    tries, waited, furthest = 1, 0.0, received_bytes(output)
    while True:
        try:
            return attempt()
        except FailedError as error:
            if not error.temporary:
                raise
            if received_bytes(output) - furthest >= progress:
                tries, waited, furthest = 1, 0.0, received_bytes(output)
            wait = _pause(patience.pause * 2 ** (tries - 1), error.response)
            if waited + wait > share:
                raise FailedError(f"{error} ({tries} {'try' if tries == 1 else 'tries'})") from None
            _log(f"{address}: {error}; next try in {wait:.1f} s")
            time.sleep(wait)
            tries, waited = tries + 1, waited + wait


def _try(
    address: str, output: Path, expected: Expected | None, patience: Patience, check: Check, token: str | None
) -> str:
    resumed = False
    if address.startswith("file://"):
        copy(address, output)
    else:
        resumed = download(address, output, patience.timeout, patience.speed, expected is not None, token)
    digest = sha256_of(part(output))
    if not (wrong := difference(digest, expected) or (None if expected else _unsound(output, check))):
        return digest
    discard(output)
    raise FailedError(f"{wrong} (partial file deleted)", temporary=resumed)


def _unsound(output: Path, check: Check) -> str | None:
    """The message of `check` about the downloaded file, without the file name."""
    try:
        check(part(output))
    except InputError as error:
        return str(error).removeprefix(f"{part(output)}: ")
    return None


def _pause(growing: float, response: requests.Response | None) -> float:
    """Seconds until the next try: as requested by the server, at least `growing`, at most LONGEST_PAUSE."""
    try:
        asked = Retry().get_retry_after(response.raw) if response is not None else None
    except InvalidHeader:
        asked = None
    return min(LONGEST_PAUSE, max(asked or 0.0, growing))


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
