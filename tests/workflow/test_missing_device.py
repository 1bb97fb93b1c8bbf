"""A device that is missing stops the workflow before its first job, but only if a job would use it."""

import ctypes.util

import pytest
from conftest import snakemake


@pytest.mark.skipif(ctypes.util.find_library("cuda") is not None, reason="this machine has NVIDIA's driver")
def test_a_missing_gpu_ends_the_workflow_before_its_download(tmp_path):
    config = ("--config", "device_target=GPU", f"mirrors=[file://{tmp_path}]")
    done = snakemake(tmp_path, "results/facades/predict", *config, check=False)
    assert done.returncode == 1
    [line] = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: device_target: GPU: missing: ")
    assert "libcuda.so.1 (install NVIDIA's driver, version" in line
    assert "Traceback" not in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == [".snakemake"]


def test_data_are_prepared_without_the_device(tmp_path, tiny_config):
    target = "data/roofs/val.mindrecord"
    snakemake(tmp_path, target, "--configfile", str(tiny_config), "--config", "device_target=GPU")
    assert (tmp_path / target).exists()
