"""Stand-ins for NVIDIA's driver and for CUDA's libraries, compiled from C, on machines without a GPU."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pix2pix.devices.cuda import BACK_END, DRIVER, LIBRARIES
from pix2pix.devices.needs import back_end

needs_compiler = pytest.mark.skipif(
    not (shutil.which("cc") and shutil.which("nm")), reason="no C compiler (cc and nm) to make stand-ins with"
)
needs_back_end = pytest.mark.skipif(back_end(BACK_END) is None, reason="this MindSpore has no back end for GPUs")

NO_DEVICE = "int cuDriverGetVersion(int *version) { *version = 12020; return 0; }"
# check_device asks twice, for its list and for its check, and is told of a GPU; CUDA, which asks then, is not
DEVICE_LOST = """
#include <string.h>
int asked;
int cuDriverGetVersion(int *version) { *version = 12020; return 0; }
int cuInit(unsigned flags) { return asked++ < 2 ? 0 : 100; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
int cuDeviceGet(int *device, int index) { *device = index; return 0; }
int cuDeviceGetName(char *name, int size, int device) { strcpy(name, "Stand-in"); return 0; }
"""
# one GPU, for which graphs are compiled; 719 (launch failure) ends the copy of the first data to it
ONE_DEVICE = """
#include <stdlib.h>
#include <string.h>
int cudaGetDeviceCount(int *count) { *count = 1; return 0; }
int cudaGetDeviceProperties(char *properties, int device) { memset(properties, 0, 712); return 0; }
int cudaMemGetInfo(size_t *free, size_t *total) { *free = *total = 4UL << 30; return 0; }
int cudaMalloc(void **memory, size_t size) { *memory = malloc(size); return 0; }
int cudaHostAlloc(void **memory, size_t size, unsigned flags) { *memory = malloc(size); return 0; }
int cudaMemcpyAsync(void) { return 719; }
const char *cudaGetErrorString(int error) { return "stand-in"; }
const char *cudaGetErrorName(int error) { return "stand-in"; }
const char *cudnnGetErrorString(int error) { return "stand-in"; }
int cudnnGetTensorSizeInBytes(void *tensor, size_t *size) { *size = 1024; return 0; }
int cudnnGetFilterSizeInBytes(void *filter, size_t *size) { *size = 1024; return 0; }
"""
ALGORITHM = """
int {}(void *handle, void *a, void *b, void *c, void *d, int asked, int *found, void *results)
{{ *found = 1; memset(results, 0, 48); return 0; }}
"""
WORKSPACE = """
int {}(void *handle, void *a, void *b, void *c, void *d, int algorithm, size_t *size) {{ *size = 0; return 0; }}
"""
CONVOLUTIONS = ("Forward", "BackwardData", "BackwardFilter")


def stand_in_driver(folder: Path, source: str) -> None:
    """Compile libcuda.so.1 into `folder`; functions that `source` lacks return 100, CUDA_ERROR_NO_DEVICE."""
    functions = [name for name in _needed() if re.match(r"cu[A-Z]", name)]
    _compile(folder, DRIVER, source, [*functions, "cuInit", "cuDeviceGetCount", "cuGetProcAddress"], 100)


def stand_in_cuda(folder: Path) -> None:
    """Compile all of CUDA's libraries that MindSpore's back end needs into `folder`; they do nothing."""
    source = ONE_DEVICE
    for name in CONVOLUTIONS:
        source += ALGORITHM.format(f"cudnnGetConvolution{name}Algorithm_v7")
        source += WORKSPACE.format(f"cudnnGetConvolution{name}WorkspaceSize")
    _compile(folder, DRIVER, source, [*_needed(), "cuInit"], 0)
    for library in LIBRARIES:
        _compile(folder, library, "", [], 0)


def _needed() -> list[str]:
    """The functions of CUDA that MindSpore's back end calls."""
    path = back_end(BACK_END)
    assert path is not None
    listed = ""
    for library in (path, path.parent / "gpu" / "libcuda_ops.so.11"):
        listed += subprocess.run(["nm", "-D", "--undefined-only", library], capture_output=True, text=True).stdout
    return sorted(set(re.findall(r" U ((?:cu[A-Za-z]|nvrtc)\w+)", listed)))


def _compile(folder: Path, library: str, source: str, functions: list[str], status: int) -> None:
    """Compile `source`, and of `functions` those that it lacks, which return `status` and make handles of 1."""
    defined = set(re.findall(r"\b(\w+)\(", source))
    for name in dict.fromkeys(functions):
        if name not in defined and "Create" in name:
            source += f"int {name}(void **handle) {{ *handle = (void *)1; return {status}; }}\n"
        elif name not in defined:
            source += f"int {name}(void) {{ return {status}; }}\n"
    folder.mkdir(exist_ok=True)
    command = ["cc", "-w", "-shared", "-fPIC", f"-Wl,-soname,{library}", "-x", "c", "-", "-o", folder / library]
    subprocess.run(command, input=source, text=True, check=True)
