"""Repository layout: imports between packages, and the size of files and functions."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

PACKAGES = {
    "system": (),
    "config": ("system",),
    "sources": ("system",),
    "data": ("system", "config", "sources"),
    "download": ("system", "config"),
    "pairing": ("system", "config", "sources", "data"),
    "demo": ("system",),
    "devices": ("system",),
    "model": ("system", "config", "devices"),
    "planning": ("system", "config", "model"),
    "distributed": ("system", "config"),
    "evaluation": ("system", "config", "data", "model"),
    "pages": ("system", "evaluation"),
    "translation": ("system", "config", "data", "model", "evaluation"),
    "export": ("system", "config", "data", "model", "evaluation"),
    "monitoring": ("system", "config", "data", "evaluation", "pages"),
    "browser": ("system", "evaluation", "pages"),
    "training": ("system", "config", "data", "model", "distributed", "evaluation", "pages", "monitoring"),
}
MODULES_AT_MOST = 9
LINES_AT_MOST = 300
LINES_OF_A_FUNCTION = 50


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, including inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def own_imports(path: Path) -> set[str]:
    """The packages of pix2pix that a file imports."""
    return {module.split(".")[1] for module in imports(path) if module.startswith("pix2pix.")}


def test_package_names():
    assert {path.name for path in (ROOT / "pix2pix").iterdir() if (path / "__init__.py").exists()} == set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_package_imports_only_what_it_declares(package):
    allowed = PACKAGES[package]
    for path in (ROOT / "pix2pix" / package).glob("*.py"):
        assert own_imports(path) - {package} <= set(allowed), path
    docstring = (ROOT / "pix2pix" / package / "__init__.py").read_text()
    assert f"May import: {', '.join(allowed) or 'nothing'}." in docstring


def test_imports_between_packages_have_no_cycles():
    order = list(PACKAGES)
    for package, allowed in PACKAGES.items():
        assert all(order.index(other) < order.index(package) for other in allowed), package


def test_library_does_not_depend_on_its_callers():
    for path in (ROOT / "pix2pix").rglob("*.py"):
        assert not {module.split(".")[0] for module in imports(path)} & {"snakemake", "scripts", "tests"}, path


def test_training_step_does_not_need_the_launcher():
    seen, left = set(), ["pix2pix.training.step"]
    while left:
        module = left.pop()
        path = ROOT / (module.replace(".", "/") + ".py")
        if module not in seen and path.exists():
            seen.add(module)
            left += imports(path)
    assert "pix2pix.distributed.workers" in seen
    assert not seen & {"pix2pix.distributed.launcher", "pix2pix.distributed.nodes"}


@pytest.mark.parametrize("package", PACKAGES)
def test_package_is_small(package):
    modules = [path.name for path in (ROOT / "pix2pix" / package).glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= MODULES_AT_MOST, modules


def test_files_and_functions_are_small():
    for folder in ("pix2pix", "scripts", "rules", "tests"):
        for path in [*(ROOT / folder).rglob("*.py"), *(ROOT / folder).rglob("*.smk")]:
            text = path.read_text()
            assert len(text.splitlines()) <= LINES_AT_MOST, path
            for node in ast.walk(ast.parse(text)) if path.suffix == ".py" else ():
                if isinstance(node, ast.FunctionDef):
                    assert node.end_lineno - node.lineno < LINES_OF_A_FUNCTION, f"{path}: {node.name}"
