"""Something that a device needs, and where it was found."""

import ctypes
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from pix2pix.system.errors import InputError


@dataclass(frozen=True)
class Need:
    """A library, a version or a device: where or what it is (None: missing), and what to do if it is missing."""

    name: str
    found: str | None
    remedy: str


def require_all(subject: str, needs: list[Need]) -> None:
    """Check that nothing is missing of what `subject`, a setting with its value, needs.

    Raises:
        InputError: one line that names everything that is missing, and what to do.
    """
    missing: dict[str, list[str]] = {}
    for need in needs:
        if need.found is None:
            missing.setdefault(need.remedy, []).append(need.name)
    if missing:
        named = "; ".join(f"{', '.join(names)} ({remedy})" for remedy, names in missing.items())
        raise InputError(f"{subject}: missing: {named}: see docs/devices.md")


def back_end(library: str) -> Path | None:
    """The path of a back end in the installed MindSpore, which is found but not imported; None: it has no such one."""
    spec = importlib.util.find_spec("mindspore")
    folders = spec.submodule_search_locations if spec else None
    path = Path(next(iter(folders))) / "lib" / "plugin" / library if folders else None
    return path if path and path.exists() else None


def loads(library: str) -> bool:
    """Whether the system's loader finds a library by its name."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
