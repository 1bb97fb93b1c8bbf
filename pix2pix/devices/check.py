"""Whether this machine has what a device needs, and the start of programs on it."""

import os
import sys

from pix2pix.devices import ascend, cuda
from pix2pix.devices.needs import Need
from pix2pix.system.errors import InputError


def needs_of(device_target: str) -> list[Need]:
    """Everything that `device_target` needs beside this project's requirements, found or missing."""
    return {"GPU": cuda.needs, "Ascend": ascend.needs}.get(device_target, list)()


def require(device_target: str) -> None:
    """Check that nothing is missing.

    Raises:
        InputError: one line that names everything that is missing, and what to do.
    """
    missing: dict[str, list[str]] = {}
    for need in needs_of(device_target):
        if need.found is None:
            missing.setdefault(need.remedy, []).append(need.name)
    if missing:
        named = "; ".join(f"{', '.join(names)} ({remedy})" for remedy, names in missing.items())
        raise InputError(f"device_target: {device_target}: missing: {named}: see docs/devices.md")


def prepare(device_target: str) -> None:
    """Make this program able to use the device: call it first, before data is read or MindSpore computes anything.

    The loader reads LD_LIBRARY_PATH when a process starts, and MindSpore looks for its back ends while it is
    imported. For a GPU, the program is therefore started once more, in the same process, with the variables set.

    Raises:
        InputError: something that the device needs is missing.
    """
    if device_target == "CPU" or (device_target == "GPU" and not cuda.environment()):
        return
    require(device_target)
    if device_target == "GPU":
        sys.stdout.flush()
        sys.stderr.flush()
        # NVIDIA's wheels lack the file in whose name MindSpore looks for CUDA's version, of which it would warn
        environment = {"GLOG_v": "3"} | dict(os.environ) | cuda.environment()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def load(device_target: str) -> None:
    """What `prepare` does for programs, for a Python that must not start again, such as a notebook.

    Raises:
        InputError: something that the device needs is missing, or MindSpore was imported before.
    """
    if device_target != "GPU" or not cuda.environment():
        return
    require(device_target)
    if "mindspore" in sys.modules:
        raise InputError("device_target: GPU: mindspore was imported before: load a generator for the GPU first")
    cuda.load()
