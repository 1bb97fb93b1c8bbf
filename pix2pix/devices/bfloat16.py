"""Training in bfloat16 on a CPU: oneDNN, from a Python package, and the C code through which MindSpore calls it.

MindSpore's convolutions on a CPU are float32 only. convolutions.c beside this file is compiled on first use.
"""

import hashlib
import importlib.metadata
import os
import shlex
import shutil
import subprocess
from pathlib import Path

from pix2pix.devices.needs import Need, require_all
from pix2pix.system.checksum import keep, record_of, sha256_of
from pix2pix.system.errors import InputError
from pix2pix.system.files import replacing

SOURCE = Path(__file__).parent / "convolutions.c"
LIBRARY, HEADER = "libdnnl.so.3", "dnnl.h"
INSTALL = "run `make bf16`"
SUBJECT = "precision: bf16"
ELSEWHERE = "set XDG_CACHE_HOME to another folder"


def needs() -> list[Need]:
    """What bfloat16 needs, in the order in which to install it."""
    library, header, built = _library(), _header(), compiled()
    multiplies = "avx512_bf16" if _processor_has("avx512_bf16") else None
    found = [
        Need("avx512_bf16", multiplies, "this processor computes in float32 only"),
        Need(LIBRARY, str(library) if library else None, INSTALL),
    ]
    if is_built():
        return [*found, Need(built.name, str(built), "")]
    compiler = shutil.which(_compiler()[0])
    return [
        *found,
        Need(HEADER, str(header) if header else None, INSTALL),
        Need("a C compiler", compiler, "install gcc, or set CC"),
    ]


def environment() -> dict[str, str]:
    """The variables that make a step fast, unless they are already set; they are read when a process starts."""
    # MindSpore's threads need the cores between two convolutions, where oneDNN's would wait in a loop
    return {} if "OMP_WAIT_POLICY" in os.environ else {"OMP_WAIT_POLICY": "PASSIVE"}


def compiled() -> Path:
    """Where the compiled file is, or will be: in the user's cache, since the package may be read-only."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        raise InputError(f"{SUBJECT}: this user has no home folder: set XDG_CACHE_HOME to a folder") from None
    return cache / "pix2pix" / f"convolutions-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]}.so"


def is_built() -> bool:
    """Whether the compiled file is there, as its checksum says; a damaged one is compiled again."""
    try:
        return record_of(compiled()).read_text().startswith(sha256_of(compiled()))
    except (OSError, UnicodeDecodeError):
        return False


def build() -> tuple[Path, Path]:
    """Compile convolutions.c, unless that was done before.

    Returns:
        the compiled file, and oneDNN's library.

    Raises:
        InputError: something is missing, or the compiler fails.
    """
    require_all(SUBJECT, needs())
    library, header, built = _library(), _header(), compiled()
    assert library  # one of the needs
    # MindSpore separates the function's name with one
    if ":" in str(built):
        raise InputError(f"{SUBJECT}: {built.parent}: its name must not contain a colon: {ELSEWHERE}")
    if not is_built():
        assert header
        try:
            with replacing(built) as scratch:
                _compile(header, scratch)
            keep(sha256_of(built), built)
        except OSError as error:
            reason = error.strerror or error
            raise InputError(f"{SUBJECT}: {built.parent}: cannot be written ({reason}): {ELSEWHERE}") from None
    return built, library


def _compile(header: Path, output: Path) -> None:
    flags = ["-std=gnu11", "-O2", "-shared", "-fPIC", f"-I{header.parent}", "-o", str(output)]
    command = [*_compiler(), *flags, str(SOURCE), "-ldl", "-lpthread"]
    # in English, to find the line
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"LC_ALL": "C"})
    if done.returncode:
        said = done.stderr.splitlines()
        lines = [line for line in said if "error" in line] or said[-1:] or [f"status {done.returncode}"]
        raise InputError(f"{SUBJECT}: {shlex.join(_compiler())} cannot compile {SOURCE.name}: {lines[0]}")


def _compiler() -> list[str]:
    """The compiler's command, which may have arguments: CC="ccache gcc"."""
    given = os.environ.get("CC", "")
    try:
        return shlex.split(given) or ["cc"]
    except ValueError:
        raise InputError(f"CC: {given}: a quotation mark is missing: correct it") from None


def _processor_has(flag: str) -> bool:
    try:
        return flag in Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False


def _library() -> Path | None:
    return _installed("onednn-cpu-gomp", LIBRARY)


def _header() -> Path | None:
    return _installed("onednn-devel-cpu-gomp", HEADER)


def _installed(package: str, name: str) -> Path | None:
    """The file of that name of an installed Python package, the one in the outermost folder."""
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = [Path(str(file.locate())).resolve() for file in files if file.name == name]
    return min((path for path in found if path.exists()), key=lambda path: len(path.parts), default=None)
