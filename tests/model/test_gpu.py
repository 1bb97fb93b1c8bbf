"""MindSpore's GPU back end on a machine without a GPU: it loads, and it has a kernel for all that training computes."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from gpu_stand_ins import DEVICE_LOST, NO_DEVICE, needs_back_end, needs_compiler, stand_in_cuda, stand_in_driver

from pix2pix.devices import cuda

pytestmark = [needs_compiler, needs_back_end]
has_libraries = importlib.util.find_spec("nvidia") and all(need.found for need in cuda.needs()[:-1])


def check_device(driver: Path) -> subprocess.CompletedProcess:
    """Start the program with this driver; the loader reads LD_LIBRARY_PATH when a process starts, not when it forks."""
    command = [sys.executable, ROOT / "scripts/check_device.py", "--device_target", "GPU"]
    environment = os.environ | {"LD_LIBRARY_PATH": str(driver)}
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.skipif(not has_libraries, reason="CUDA's libraries are not installed: make gpu")
def test_the_whole_back_end_loads_up_to_the_missing_gpu(tmp_path):
    stand_in_driver(tmp_path / "none", NO_DEVICE)
    done = check_device(tmp_path / "none")
    assert done.returncode == 1
    assert re.findall(r"(.+?) +MISSING", done.stdout) == ["a GPU"]
    assert "missing: a GPU (the driver finds none (status 100)" in done.stdout.splitlines()[-1]
    stand_in_driver(tmp_path / "lost", DEVICE_LOST)
    done = check_device(tmp_path / "lost")
    assert done.returncode == 1
    # found once, although the program starts itself once more with CUDA's libraries
    assert len(re.findall(r"^a GPU +Stand-in$", done.stdout, re.MULTILINE)) == 1
    [line] = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    assert line.endswith("training fails: The cudaGetLastError[100], no CUDA-capable device is detected")


@pytest.mark.skipif(not has_libraries, reason="CUDA's libraries are not installed: make gpu")
def test_a_notebook_gets_the_back_end_without_a_second_start(tmp_path):
    stand_in_driver(tmp_path, DEVICE_LOST)
    code = "from pix2pix.devices.check import load; load('GPU'); import mindspore; mindspore.set_device('GPU')"
    environment = os.environ | {"LD_LIBRARY_PATH": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_every_primitive_of_training_and_prediction_has_a_kernel(tmp_path):
    """The back end itself selects the kernels, by type and format, while it compiles forward and backward passes."""
    stand_in_cuda(tmp_path / "cuda")
    environment = os.environ | {"CUDA_HOME": str(cuda.OWN_HOME), "LD_LIBRARY_PATH": str(tmp_path / "cuda")}
    environment |= {"GLOG_v": "4", "MS_DEV_SAVE_GRAPHS": "1", "MS_DEV_SAVE_GRAPHS_PATH": str(tmp_path / "graphs")}
    program = ROOT / "tests" / "model" / "compile_for_gpu.py"
    done = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True, cwd=tmp_path)
    *lines, control = done.stdout.splitlines()
    assert control.startswith("unknown: Unsupported op [RmsNorm] on GPU"), done.stderr
    # those that are the same on all devices; no layer that is written for a CPU
    assert lines.pop() == "layers: Dropout InstanceNorm"
    assert len(lines) == 4
    for line in lines:
        # compiled: then the first data could not be copied to the stand-in for a GPU
        assert re.search(r"SyncHostToDevice failed|Copy data failed", line), line
    kernels = "".join(path.read_text() for path in (tmp_path / "graphs" / "actor_set").glob("0_*"))
    shutil.rmtree(tmp_path / "graphs")
    # MindSpore would run an operation on the CPU if only that had a kernel for it
    assert set(re.findall(r"device_context:([A-Za-z]+)", kernels)) == {"GPU"}
    for primitive in ("Conv2DBackpropInput", "Conv2DBackpropFilter", "BatchNormGrad", "MirrorPadGrad", "Adam"):
        assert primitive in kernels
