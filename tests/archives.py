"""Small archives and folders of pairs, valid and invalid."""

import gzip
import io
import subprocess
import sys
import tarfile
from pathlib import Path

from PIL import Image


def image(width: int = 8, height: int = 4, shade: int = 100, format: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (shade, 20, 30)).save(buffer, format)
    return buffer.getvalue()


def noise_image(width: int = 32, height: int = 16, format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((width, height), 50).convert("RGB").save(buffer, format)
    return buffer.getvalue()


GOOD = {f"train/{n}.jpg": image(shade=n) for n in (1, 2, 3)} | {"val/1.jpg": image(shade=9)}


def make_archive(path: Path, files: dict[str, bytes], others: tuple[tarfile.TarInfo, ...] = (), mode: str = "w:gz"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode, format=tarfile.PAX_FORMAT) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for member in others:
            tar.addfile(member)
    return path


def make_bomb(path: Path, *parts: bytes | int) -> Path:
    """Write a large tar.gz quickly: `parts` are headers, or numbers of zero bytes."""
    mebibyte = gzip.compress(bytes(2**20))
    with open(path, "wb") as file:
        for part in (*parts, 1024):
            if isinstance(part, bytes):
                file.write(gzip.compress(part))
            else:
                file.write(mebibyte * (part // 2**20) + gzip.compress(bytes(part % 2**20)))
    return path


def member(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def make_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if not p.is_dir()}


# a process inherits its parent's peak memory, so a small process runs between the tests and the measured program
MEASURE = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, done.stdout)
"""


def memory_of(*command: object) -> tuple[int, str, int]:
    """Exit status, output and peak memory in bytes of a program."""
    measured = subprocess.run([sys.executable, "-c", MEASURE, *map(str, command)], stdout=subprocess.PIPE, text=True)
    status, memory, output = measured.stdout.split(" ", 2)
    return int(status), output, int(memory)


def errors_of(result: subprocess.CompletedProcess, output: Path) -> list[str]:
    """The error lines of a failed program; check that it left no files."""
    assert result.returncode == 1
    assert "Traceback" not in result.stdout
    assert not output.exists()
    assert not list(output.parent.glob(f".{output.name}*"))
    return [line for line in result.stdout.splitlines() if line.startswith("error: ")]
