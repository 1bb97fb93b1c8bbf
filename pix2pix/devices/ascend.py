"""CANN, the software of Ascend NPUs, for MindSpore's Ascend back end."""

import os
import re
from pathlib import Path

from pix2pix.devices.needs import Need, back_end, loads

BACK_END = "libmindspore_ascend.so.2"
# MindSpore 2.10 accepts these releases; its own operators are built with the last one
RELEASES = ("8.2", "8.3", "8.5", "9.0", "9.1")
LIBRARIES = ("libascendcl.so", "libgraph.so", "libge_runner.so", "libmsprofiler.so")
SET_ENV = "install CANN 9.1 (toolkit and kernels) and `source` its set_env.sh"


def needs() -> list[Need]:
    """What an NPU needs, in the order in which to install it."""
    library = back_end(BACK_END)
    if library is None:
        return [Need(BACK_END, None, "only MindSpore's wheels for Linux have a back end for Ascend")]
    home = os.environ.get("ASCEND_HOME_PATH")
    return [
        Need(BACK_END, str(library), ""),
        Need("ASCEND_HOME_PATH", f"{home} ({_release(Path(home))})" if home else None, SET_ENV),
        *(Need(name, "found by the system's loader" if loads(name) else None, SET_ENV) for name in LIBRARIES),
        Need("/dev/davinci*", _devices(), "install the driver and firmware of the NPU, or mount it into the container"),
    ]


def _release(home: Path) -> str:
    """The release of CANN, and whether MindSpore accepts it; MindSpore itself only warns."""
    file = home / "compiler" / "version.info"
    found = re.search(r"^Version=(\d+\.\d+)", file.read_text(), re.MULTILINE) if file.is_file() else None
    if found is None:
        return "CANN of an unknown release"
    return f"CANN {found[1]}" + ("" if found[1] in RELEASES else f", but MindSpore wants {', '.join(RELEASES)}")


def _devices() -> str | None:
    return ", ".join(sorted(str(path) for path in Path("/dev").glob("davinci[0-9]*"))) or None
