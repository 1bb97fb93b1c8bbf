"""Versions of packages agree wherever they are stated, and every imported package is declared."""

import ast
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from conftest import ROOT, copy_checkout

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# import names that differ from the names of their distributions
DISTRIBUTIONS = {"PIL": "pillow", "skimage": "scikit-image", "yaml": "pyyaml"}
DISTRIBUTIONS |= {"google": "protobuf", "pydantic_core": "pydantic", "backports": "backports-zstd"}


def versions(lines: list[str]) -> dict[str, str]:
    """Distribution to version, from lines like `pillow==13.0.0 \\`."""
    found = (re.match(r"([A-Za-z0-9_.-]+)==([^\s;\\]+)", line) for line in lines)
    return {re.sub("[_.]", "-", match[1].lower()): match[2] for match in found if match}


@pytest.mark.parametrize(("name", "extra"), [("pix2pix", []), ("export", ["export"])])
def test_the_conda_environment_has_the_versions_of_the_project(name, extra):
    environment = yaml.safe_load((ROOT / f"workflow/envs/{name}.yaml").read_text())
    packages = [*PROJECT["dependencies"], *(each for key in extra for each in PROJECT["optional-dependencies"][key])]
    assert versions(environment["dependencies"][-1]["pip"]) == versions(packages)


def test_the_extra_that_tests_need_has_the_same_versions_among_those_of_developers():
    extras = PROJECT["optional-dependencies"]
    assert versions(extras["export"]).items() <= versions(extras["dev"]).items()


def test_requirements_have_the_versions_of_the_project_and_a_hash_for_every_file():
    text = (ROOT / "requirements.txt").read_text()
    locked = versions(text.splitlines())
    extras = PROJECT["optional-dependencies"]
    assert (
        versions([*PROJECT["dependencies"], *extras["dev"], *extras["cluster"], *extras["parquet"]]).items()
        <= locked.items()
    )
    entries = re.split(r"\n(?=[A-Za-z0-9])", "\n".join(line for line in text.splitlines() if line[:1] != "#"))
    assert [entry.splitlines()[0] for entry in entries if "==" in entry and "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("extra", ["gpu", "bf16"])
def test_the_requirements_of_an_extra_have_its_versions(extra):
    text = (ROOT / f"requirements-{extra}.txt").read_text()
    assert versions(text.splitlines()) == versions(PROJECT["optional-dependencies"][extra])
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=[a-z])", text))


def test_every_package_that_is_imported_is_declared():
    declared = set(versions(PROJECT["dependencies"])) | {
        "pix2pix",
        "torch-fidelity",
        "onnx",
        "onnxruntime",
        "tensorboardX",
    }
    for folder in ("pix2pix", "scripts"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                modules = [name.name for name in node.names] if isinstance(node, ast.Import) else []
                modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                for module in {module.split(".")[0] for module in modules} - set(sys.stdlib_module_names):
                    distribution = DISTRIBUTIONS.get(module, module.replace("_", "-"))
                    assert distribution in declared, f"{path}: {module}"


@pytest.mark.parametrize("target", ["demo", "check", "test"])
def test_make_sets_up_a_fresh_checkout(tmp_path, target):
    checkout = copy_checkout(tmp_path / "fresh")
    done = subprocess.run(["make", "--dry-run", target], cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--require-hashes --requirement requirements.txt" in done.stdout
