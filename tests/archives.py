"""Small archives and folders of pairs, good and bad."""

import io
import subprocess
import tarfile
from pathlib import Path

from PIL import Image


def picture(width: int = 8, height: int = 4, shade: int = 100, format: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (shade, 20, 30)).save(buffer, format)
    return buffer.getvalue()


def noise_picture(width: int = 32, height: int = 16, format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((width, height), 50).convert("RGB").save(buffer, format)
    return buffer.getvalue()


GOOD = {f"train/{n}.jpg": picture(shade=n) for n in (1, 2, 3)} | {"val/1.jpg": picture(shade=9)}


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


def errors_of(result: subprocess.CompletedProcess, output: Path) -> list[str]:
    """The error lines of a failed program, which must have left nothing but them."""
    assert result.returncode == 1
    assert "Traceback" not in result.stdout
    assert not output.exists()
    assert not list(output.parent.glob(f".{output.name}*"))
    return [line for line in result.stdout.splitlines() if line.startswith("error: ")]
