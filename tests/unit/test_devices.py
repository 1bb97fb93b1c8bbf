"""What a GPU, an NPU or bfloat16 needs: what is found, what is missing, and what is said about it."""

import ctypes.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from pix2pix.devices import ascend, bfloat16, check, cuda
from pix2pix.system.checksum import record_of
from pix2pix.system.errors import InputError

HAS_DRIVER = ctypes.util.find_library("cuda") is not None


def found_by(needs) -> dict[str, str | None]:
    return {need.name: need.found for need in needs}


def toolkit(folder: Path, release: str) -> Path:
    """A folder like a CUDA toolkit, with an nvcc of this release and a library."""
    (folder / "bin").mkdir(parents=True)
    (folder / "lib64").mkdir()
    (folder / "lib64" / "libcudnn.so.8").touch()
    nvcc = folder / "bin" / "nvcc"
    nvcc.write_text(f"#!/bin/sh\necho 'Cuda compilation tools, release {release}, V{release}.1'\n")
    nvcc.chmod(0o755)
    return folder


def test_the_projects_own_nvcc_names_the_release_of_the_back_end():
    printed = subprocess.run([cuda.OWN_HOME / "bin" / "nvcc", "--version"], capture_output=True, text=True, check=True)
    assert re.search(r"release ([\d.]+),", printed.stdout)[1] == cuda.BACK_END.removeprefix("libmindspore_gpu.so.")


def test_a_toolkit_of_the_user_is_used_if_mindspore_can(tmp_path, monkeypatch):
    own = toolkit(tmp_path / "cuda 11", "11.8")
    monkeypatch.setenv("CUDA_HOME", str(own))
    # and NVIDIA's wheels, as `make gpu` installs them
    wheel = tmp_path / "wheels" / "nvidia" / "cuda_runtime" / "lib"
    wheel.mkdir(parents=True)
    (wheel / "libcudart.so.11.0").touch()
    monkeypatch.syspath_prepend(tmp_path / "wheels")
    assert cuda.cuda_home() == own
    assert found_by(cuda.needs())["libcudnn.so.8"] == str(own / "lib64" / "libcudnn.so.8")
    assert cuda.environment()["LD_LIBRARY_PATH"].split(":")[0] == str(own / "lib64")
    # what lab machines have today
    monkeypatch.setenv("CUDA_HOME", str(toolkit(tmp_path / "cuda12", "12.4")))
    assert cuda.cuda_home() == cuda.OWN_HOME
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "removed"))
    assert cuda.cuda_home() == cuda.OWN_HOME


def test_the_environment_is_complete_after_it_was_set(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_HOME", str(toolkit(tmp_path / "cuda", "11.6")))
    monkeypatch.setenv("LD_LIBRARY_PATH", "/mine")
    needed = cuda.environment()
    assert needed["LD_LIBRARY_PATH"].split(":")[-1] == "/mine"
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/put/first/by/mindspore:{needed['LD_LIBRARY_PATH']}")
    assert cuda.environment() == {}


@pytest.mark.skipif(HAS_DRIVER, reason="this machine has NVIDIA's driver")
def test_a_missing_driver_is_named_in_one_line():
    with pytest.raises(InputError, match=r"device_target: GPU: missing: .*libcuda\.so\.1 \(install NVIDIA") as error:
        check.require("GPU")
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.skipif(any(Path("/dev").glob("davinci*")), reason="this machine has an NPU")
def test_cann_is_named_with_the_release_that_mindspore_wants(tmp_path, monkeypatch):
    monkeypatch.delenv("ASCEND_HOME_PATH", raising=False)
    with pytest.raises(InputError, match=r"ASCEND_HOME_PATH, .*\(install CANN 9\.1 .*; /dev/davinci"):
        check.require("Ascend")
    (tmp_path / "compiler").mkdir()
    (tmp_path / "compiler" / "version.info").write_text("Version=8.0.0.5\n")
    monkeypatch.setenv("ASCEND_HOME_PATH", str(tmp_path))
    assert "CANN 8.0, but MindSpore wants 8.2" in found_by(ascend.needs())["ASCEND_HOME_PATH"]


def test_a_cpu_needs_nothing():
    assert check.needs_of("CPU") == []
    check.require("CPU")
    check.prepare("CPU")


def test_what_bfloat16_lacks_is_named_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nothing compiled"))
    monkeypatch.setenv("CC", "no-such-compiler")
    for use in (check.require, check.prepare):
        with pytest.raises(
            InputError, match=r"precision: bf16: missing: .*a C compiler \(install gcc, or set"
        ) as error:
            use("CPU", "bf16")
        assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("device_target", ["GPU", "Ascend"])
def test_bfloat16_is_for_the_cpu(device_target):
    with pytest.raises(
        InputError, match=f"precision: bf16 is for device_target CPU only: set float32 for {device_target}"
    ):
        check.prepare(device_target, "bf16")


@pytest.mark.skipif(any(need.found is None for need in bfloat16.needs()), reason="bf16 cannot be used: make bf16")
def test_a_compiler_that_fails_leaves_no_library(tmp_path, monkeypatch):
    compiler = tmp_path / "mycc"
    compiler.write_text("#!/bin/sh\necho 'dnnl.h:1: fatal error: out of paper' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", f"{compiler} -Wall")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a cache"))
    with pytest.raises(
        InputError, match=r"^precision: bf16: .*mycc -Wall cannot compile .*: dnnl.h:1: .*out of paper$"
    ):
        bfloat16.build()
    assert list((tmp_path / "a cache" / "pix2pix").iterdir()) == []
    monkeypatch.delenv("CC")
    compiled, _ = bfloat16.build()
    # compiled once: no compiler is needed any more
    monkeypatch.setenv("CC", "no-such-compiler")
    assert bfloat16.build()[0] == compiled
    whole = compiled.read_bytes()
    # except for a file that was damaged
    compiled.write_bytes(whole[:5000])
    with pytest.raises(InputError, match="missing: a C compiler"):
        bfloat16.build()
    monkeypatch.delenv("CC")
    bfloat16.build()
    assert compiled.read_bytes() == whole
    record_of(compiled).write_bytes(b"\xff")
    assert not bfloat16.is_built()


@pytest.mark.skipif(any(need.found is None for need in bfloat16.needs()), reason="bf16 cannot be used: make bf16")
@pytest.mark.parametrize(
    ("cache", "compiler", "line"),
    [
        ("a:b", "cc", r"a:b/pix2pix: its name must not contain a colon: set XDG_CACHE_HOME to another folder"),
        ("file", "cc", r"file/pix2pix: cannot be written \(.*\): set XDG_CACHE_HOME to another folder"),
        ("new", 'gcc "', 'CC: gcc ": a quotation mark is missing: correct it'),
        ("new", "env no-such-compiler", "cannot compile convolutions.c: env: .*: No such file or directory"),
    ],
)
def test_a_cache_or_compiler_that_cannot_be_used_gives_one_line(tmp_path, monkeypatch, cache, compiler, line):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / cache))
    monkeypatch.setenv("CC", compiler)
    with pytest.raises(InputError, match=line) as error:
        bfloat16.build()
    assert len(str(error.value).splitlines()) == 1


def test_without_a_home_the_cache_has_to_be_named(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    # as for a user whom the system does not know, in a container
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(InputError, match="precision: bf16: this user has no home folder: set XDG_CACHE_HOME"):
        bfloat16.needs()


def test_looking_for_a_device_does_not_import_mindspore():
    code = "import sys; from pix2pix.devices.check import needs_of; needs_of('GPU'), needs_of('Ascend')"
    code += "; needs_of('CPU', 'bf16')"
    code += "; sys.exit('mindspore' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
