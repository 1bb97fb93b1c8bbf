"""CUDA for MindSpore's GPU back end: its libraries, the driver, and the environment in which both are found.

While it is imported, MindSpore reads the release of CUDA that $CUDA_HOME/bin/nvcc prints, and loads the back end built
for it. The libraries are NVIDIA's wheels (`make gpu`) or those of a CUDA toolkit.
"""

import ctypes
import importlib.util
import os
import re
import subprocess
from pathlib import Path

from pix2pix.devices.needs import Need, back_end, loads

BACK_END = "libmindspore_gpu.so.11.6"
# those of a toolkit for which MindSpore 2.10 loads this back end; it has none for CUDA 12 and later
RELEASES = ("11.6", "11.7", "11.8")
# in the order in which they need each other; libz is the system's and needed by cuDNN
LIBRARIES = (
    "libcudart.so.11.0",
    "libcublasLt.so.11",
    "libcublas.so.11",
    "libcurand.so.10",
    "libcufft.so.10",
    "libcusparse.so.11",
    "libcusolver.so.11",
    "libnvrtc.so.11.2",
    "libcudnn.so.8",
)
DRIVER = "libcuda.so.1"
OLDEST_DRIVER = 11060  # as the driver numbers it: 1000 x major + 10 x minor of the newest CUDA that it supports
INSTALL_DRIVER = "install NVIDIA's driver, version 520.61.05 or later"
OWN_HOME = Path(__file__).parent / "cuda_home"


def needs() -> list[Need]:
    """What a GPU needs, in the order in which to install it."""
    library = back_end(BACK_END)
    if library is None:
        return [Need(BACK_END, None, "only MindSpore's wheels for Linux on x86-64 have a back end for GPUs")]
    home = cuda_home()
    compiler = f"{home} (release {_release(home)})" if _release(home) in RELEASES else None
    found = [
        Need(BACK_END, str(library), ""),
        Need("CUDA_HOME", compiler, f"make {OWN_HOME / 'bin' / 'nvcc'} executable"),
    ]
    where = _located(home)
    for name in LIBRARIES:
        place = str(where[name]) if name in where else "found by the system's loader" if loads(name) else None
        found.append(Need(name, place, "run `make gpu`"))
    zlib = "found by the system's loader" if loads("libz.so.1") else None
    return [*found, Need("libz.so.1", zlib, "install zlib"), *_driver()]


def cuda_home() -> Path:
    """The CUDA_HOME of the user if MindSpore can use that release, else a folder of this project."""
    own = Path(os.environ.get("CUDA_HOME") or OWN_HOME)
    return own if _release(own) in RELEASES else OWN_HOME


def environment() -> dict[str, str]:
    """The variables with which MindSpore finds its back end and CUDA's libraries; empty if they are already set."""
    home = cuda_home()
    before = os.environ.get("LD_LIBRARY_PATH", "")
    used = {path.parent for path in _located(home).values()}
    folders = ":".join(str(folder) for folder in _searched(home) if folder in used)
    # MindSpore puts folders of its own before these
    if os.environ.get("CUDA_HOME") == str(home) and folders in before:
        return {}
    return {"CUDA_HOME": str(home), "LD_LIBRARY_PATH": f"{folders}:{before}" if before else folders}


def load() -> None:
    """Set these variables for this process, and load the libraries, since the loader no longer reads the variables."""
    os.environ |= environment()
    for path in _located(cuda_home()).values():
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


def _located(home: Path) -> dict[str, Path]:
    """The libraries that lie in the user's toolkit or in NVIDIA's wheels, by name."""
    paths = ((name, folder / name) for name in LIBRARIES for folder in _searched(home))
    located: dict[str, Path] = {}
    for name, path in paths:
        if path.exists():
            located.setdefault(name, path)
    return located


def _searched(home: Path) -> list[Path]:
    """Where CUDA's libraries may lie: the user's toolkit comes before NVIDIA's wheels."""
    folders = [home / "lib64"]
    spec = importlib.util.find_spec("nvidia")
    for place in (spec.submodule_search_locations if spec else None) or ():
        folders += sorted(Path(place).glob("*/lib"))
    return folders


def _release(home: Path) -> str | None:
    """The release of CUDA that nvcc prints."""
    try:
        done = subprocess.run([home / "bin" / "nvcc", "--version"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"release (\d+\.\d+)", done.stdout)
    return found[1] if found else None


def _driver() -> list[Need]:
    """NVIDIA's driver and the GPUs that it makes visible."""
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        return [Need(DRIVER, None, INSTALL_DRIVER)]
    version, count = ctypes.c_int(), ctypes.c_int()
    driver.cuDriverGetVersion(ctypes.byref(version))
    supported = f"NVIDIA's driver, for CUDA {version.value // 1000}.{version.value % 1000 // 10}"
    if version.value < OLDEST_DRIVER:
        return [Need(f"{DRIVER} for CUDA 11.8", None, f"found {supported}: {INSTALL_DRIVER}")]
    status = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    names = [_name(driver, index) for index in range(count.value)] if status == 0 else []
    remedy = (
        f"the driver finds none (status {status}): see `nvidia-smi`, CUDA_VISIBLE_DEVICES and what the job requests"
    )
    return [Need(DRIVER, supported, ""), Need("a GPU", ", ".join(names) or None, remedy)]


def _name(driver: ctypes.CDLL, index: int) -> str:
    device, name = ctypes.c_int(), ctypes.create_string_buffer(100)
    driver.cuDeviceGet(ctypes.byref(device), index)
    driver.cuDeviceGetName(name, len(name), device)
    return name.value.decode(errors="replace")
