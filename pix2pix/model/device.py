"""The device that the networks run on."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import mindspore as ms

from pix2pix.devices.check import require
from pix2pix.system.cores import cores_in_use
from pix2pix.system.errors import InputError

DEVICES = ("CPU", "GPU", "Ascend")


def select_device(device_target: str) -> None:
    """Select `device_target` for all later computations and log the choice.

    Raises:
        InputError: the device is not available in this MindSpore or on this machine.
    """
    check_device(device_target)
    print(describe_device(device_target), file=sys.stderr, flush=True)


def check_device(device_target: str) -> None:
    """Select `device_target` without logging; raises the same errors as `select_device`."""
    if device_target not in DEVICES:
        raise InputError(f"device_target: {device_target!r} is not one of {', '.join(DEVICES)}")
    with _quiet():
        try:
            ms.set_device(device_target)
            return
        except RuntimeError:
            # a device cannot be selected again after the first computation
            if ms.get_context("device_target") == device_target:
                return
            available = [device for device in DEVICES if ms.hal.is_available(device)]
    require(device_target)
    raise InputError(
        f"device_target: {device_target} is not available; MindSpore {ms.__version__} as installed here "
        f"offers {', '.join(available)} (set GLOG_v=2 in the environment to see what is missing)"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide MindSpore's messages about its search for libraries, unless the user has set its log level."""
    if "GLOG_v" in os.environ:
        yield
        return
    sys.stderr.flush()
    terminal, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nowhere)


def describe_device(device_target: str) -> str:
    """One line for the log: device, threads and, on a CPU, the settings of oneDNN and memory that make it fast."""
    if device_target != "CPU":
        return f"MindSpore {ms.__version__} on {device_target}"
    threads = cores_in_use()
    isa = os.environ["ONEDNN_MAX_CPU_ISA"]
    chosen = "PIX2PIX_CHOSE_ONEDNN_ISA" in os.environ
    whose = "the default, see docs/tuning-log.md" if chosen else "set by the user"
    tunables = f", GLIBC_TUNABLES={os.environ['GLIBC_TUNABLES']}" if "GLIBC_TUNABLES" in os.environ else ""
    return f"MindSpore {ms.__version__} on CPU, {threads} threads, ONEDNN_MAX_CPU_ISA={isa} ({whose}){tunables}"
