"""Whether this machine has what a device needs, and the start of programs on it."""

import os
import sys

from pix2pix.devices import ascend, bfloat16, cuda
from pix2pix.devices.needs import Need, require_all
from pix2pix.system import progress
from pix2pix.system.errors import InputError


def needs_of(device_target: str, precision: str = "float32") -> list[Need]:
    """Everything that the device and the precision need beside this project's requirements, found or missing."""
    found = {"GPU": cuda.needs, "Ascend": ascend.needs}.get(device_target, list)()
    return found + (bfloat16.needs() if precision == "bf16" else [])


def check_agreement(device_target: str, precision: str) -> None:
    """Check that the device computes in this precision.

    Raises:
        InputError: it does not.
    """
    if precision == "bf16" and device_target != "CPU":
        raise InputError(f"precision: bf16 is for device_target CPU only: set float32 for {device_target}")


def require(device_target: str, precision: str = "float32") -> None:
    """Check that nothing is missing.

    Raises:
        InputError: one line that names everything that is missing, and what to do.
    """
    check_agreement(device_target, precision)
    require_all(
        bfloat16.SUBJECT if precision == "bf16" else f"device_target: {device_target}",
        needs_of(device_target, precision),
    )


def prepare(device_target: str, precision: str = "float32") -> None:
    """Make this program able to use the device: call it first, before data is read or MindSpore computes anything.

    The loader reads LD_LIBRARY_PATH when a process starts, and MindSpore looks for its back ends while it is
    imported; threads read OMP_WAIT_POLICY then. For a GPU, and for bf16, the program is therefore started once
    more, in the same process, with the variables set.

    Raises:
        InputError: something that the device or the precision needs is missing.
    """
    if precision == "bf16":
        require(device_target, precision)
        bfloat16.build()
        _start_again(bfloat16.environment())
        return
    if device_target == "CPU" or (device_target == "GPU" and not cuda.environment()):
        return
    require(device_target)
    if device_target == "GPU":
        # NVIDIA's wheels lack the file in whose name MindSpore looks for CUDA's version, of which it would warn
        _start_again(({} if "GLOG_v" in os.environ else {"GLOG_v": "3"}) | cuda.environment())


def _start_again(environment: dict[str, str]) -> None:
    """Start this program once more, in the same process, with these variables; do nothing if there are none."""
    if environment:
        sys.stdout.flush()
        sys.stderr.flush()
        given = {progress.DESCRIPTORS: progress.GIVEN}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], dict(os.environ) | given | environment)


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
