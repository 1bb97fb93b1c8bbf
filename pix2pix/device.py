"""The device that the networks run on."""

import os
import sys

import mindspore as ms

from pix2pix.errors import InputError

DEVICES = ("CPU", "GPU", "Ascend")


def select_device(device_target: str) -> None:
    """Make `device_target` the device of all that follows and say what was chosen.

    Raises:
        InputError: this MindSpore, or this machine, does not offer the device.
    """
    try:
        ms.set_device(device_target)
    except RuntimeError:
        available = [device for device in DEVICES if ms.hal.is_available(device)]
        raise InputError(
            f"device_target: {device_target} is not available; "
            f"MindSpore {ms.__version__} as installed here offers {', '.join(available)}"
        ) from None
    print(describe_device(device_target), file=sys.stderr, flush=True)


def describe_device(device_target: str) -> str:
    """One line for the log: device, threads and, on a CPU, the choice that guards against the slow convolutions."""
    if device_target != "CPU":
        return f"MindSpore {ms.__version__} on {device_target}"
    threads = os.environ.get("OMP_NUM_THREADS", os.cpu_count())
    isa = os.environ["ONEDNN_MAX_CPU_ISA"]
    chosen = "PIX2PIX_CHOSE_ONEDNN_ISA" in os.environ
    whose = "the default, see docs/performance.md" if chosen else "set by the user"
    return f"MindSpore {ms.__version__} on CPU, {threads} threads, ONEDNN_MAX_CPU_ISA={isa} ({whose})"
