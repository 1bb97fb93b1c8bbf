"""Downloads that survive bad networks: mirrors in order, tries with growing pauses, resumed and checked.

`OUTPUT` appears by rename, whole and checked; what has come until then is kept beside it
(pix2pix/data/transfer.py), so that a later start goes on where this one stopped.
"""

import os
import re
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import requests
from pydantic import Field
from urllib3.exceptions import InvalidHeader
from urllib3.util.retry import Retry

from pix2pix.config.settings import Strict
from pix2pix.config.values import NotNegative
from pix2pix.data.transfer import FailedError, arrived, copy, download, forget, part
from pix2pix.system.checksum import Expected, difference, expected_of, keep, sha256_of, verify
from pix2pix.system.disk import disk_space, megabytes
from pix2pix.system.errors import InputError

LONGEST_PAUSE = 120
TAR_NAME = re.compile(r"\.(tar(\.\w+)?|tgz|tbz2?|txz)([?#]|$)")
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]

Check = Callable[[Path], None]


class Patience(Strict):
    """How long to wait for a bad network."""

    pause: Seconds = Field(1.0, description="seconds between the first tries, doubled each time up to two minutes")
    patience: NotNegative = Field(
        600.0, description="seconds of pauses without progress before giving up; mirrors share them equally"
    )
    timeout: Seconds = Field(30.0, description="seconds to wait for an answer or the next byte")
    speed: NotNegative = Field(
        1000.0, description="bytes a second below which, on the average of the timeout, a try has failed"
    )


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


def not_empty(path: Path) -> None:
    """The least that a file of any kind must be.

    Raises:
        InputError: it is empty.
    """
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty (0 bytes)")


def fetch(
    mirrors: Iterable[str],
    output: str | Path,
    sha256: str | None = None,
    patience: Patience = Patience(),  # noqa: B008 - it cannot be changed
    check: Check = not_empty,
) -> None:
    """Make sure that the file `output` is there, whole and checked; download it if it is not.

    Without `sha256` the checksum of the first download that `check` finds sound is kept in
    `output`.sha256, and later ones must have the same.

    Args:
        mirrors: addresses of the file (http(s):// or file://, also relative), tried in order.
        output: the file to make; one that is there already is checked and kept.
        sha256: the checksum that the file must have, in hexadecimal.
        patience: with what to put up.
        check: raises an InputError for a file that cannot be the right one, where no checksum is known.

    Raises:
        InputError: no mirror has the file (a line for each), it is wrong, or the disk is full.
    """
    output, mirrors = Path(output), list(mirrors)
    for address in mirrors:
        if not address.startswith(("http://", "https://", "file://")):
            raise InputError(f"mirror {address}: must start with http://, https:// or file://")
    output.parent.mkdir(parents=True, exist_ok=True)
    expected = expected_of(output, sha256)
    if output.exists():
        digest = verify(output, sha256)
        if expected is None:
            check(output)
        keep(digest, output)
        _say(f"{output}: is there already and is kept")
        return
    share = patience.patience / max(1, len(mirrors))
    reasons = []
    for address in mirrors:
        try:
            digest = _deliver(address, output, expected, patience, share, check)
        except FailedError as error:
            reasons.append(f"{address}: {error}")
            if address != mirrors[-1]:
                _say(f"{reasons[-1]}; next mirror")
            continue
        _finish(output, digest)
        return
    raise InputError("\n".join([*reasons, _advice(output)]))


def _finish(output: Path, digest: str) -> None:
    """Give the whole and checked part file its name, once its data is on the disk."""
    with disk_space(output.parent), open(part(output), "rb") as file:
        os.fsync(file.fileno())
        keep(digest, output)
    part(output).rename(output)
    forget(output)
    _say(f"{output}: {megabytes(output.stat().st_size)}, sha256 {digest}")


def _advice(output: Path) -> str:
    kept = f" ({megabytes(arrived(output))} came; the same command goes on from there)" if arrived(output) else ""
    return f"{output}: no mirror delivered it{kept}: try again, name another mirror, or put the file there by hand"


def _deliver(
    address: str, output: Path, expected: Expected | None, patience: Patience, share: float, check: Check
) -> str:
    """Bring the whole file from one address into the part file; returns its checksum.

    `share` is for how many seconds it may pause, in all and since the last progress worth the name:
    as many new bytes as the least speed brings within the timeout.
    """
    progress = max(1.0, patience.speed * patience.timeout)
    tries, waited, furthest = 1, 0.0, arrived(output)
    while True:
        try:
            return _try(address, output, expected, patience, check)
        except FailedError as error:
            if not error.passing:
                raise
            if arrived(output) - furthest >= progress:
                tries, waited, furthest = 1, 0.0, arrived(output)
            wait = _pause(patience.pause * 2 ** (tries - 1), error.response)
            if waited + wait > share:
                raise FailedError(f"{error} ({tries} {'try' if tries == 1 else 'tries'})") from None
            _say(f"{address}: {error}; next try in {wait:.1f} s")
            time.sleep(wait)
            tries, waited = tries + 1, waited + wait


def _try(address: str, output: Path, expected: Expected | None, patience: Patience, check: Check) -> str:
    resumed = False
    if address.startswith("file://"):
        copy(address, output)
    else:
        resumed = download(address, output, patience.timeout, patience.speed, certain=expected is not None)
    digest = sha256_of(part(output))
    if not (wrong := difference(digest, expected) or (None if expected else _unsound(output, check))):
        return digest
    forget(output)
    raise FailedError(f"{wrong} (partial file deleted)", passing=resumed)


def _unsound(output: Path, check: Check) -> str | None:
    """What `check` says of the file that came, without its name."""
    try:
        check(part(output))
    except InputError as error:
        return str(error).removeprefix(f"{part(output)}: ")
    return None


def _pause(growing: float, response: requests.Response | None) -> float:
    """Seconds until the next try: what the server asks for, at least the growing pause, at most LONGEST_PAUSE."""
    try:
        asked = Retry().get_retry_after(response.raw) if response is not None else None
    except InvalidHeader:
        asked = None
    return min(LONGEST_PAUSE, max(asked or 0.0, growing))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
