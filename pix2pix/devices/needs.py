"""Something that a device needs, and where it was found."""

import ctypes
import importlib.util
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Need:
    """A library, a version or a device: where or what it is (None: missing), and what to do if it is missing."""

    name: str
    found: str | None
    remedy: str


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
