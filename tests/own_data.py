"""What docs/own-data.md tells a user to write and to type, section by section."""

import re
import shlex
import textwrap
from pathlib import Path
from typing import Any

import yaml

PAGE = Path(__file__).resolve().parents[1] / "docs" / "own-data.md"
KEYS = {"datasets", "runs", "inputs"}


def blocks(title: str) -> list[str]:
    """The indented blocks of a section."""
    _, found, text = f"\n{PAGE.read_text()}".partition(f"\n## {title}\n")
    assert found, f"{PAGE.name} has no section {title}"
    indented = re.findall(r"(?:^    .*\n)+", text.partition("\n## ")[0], re.MULTILINE)
    return [textwrap.dedent(block) for block in indented]


def configs(title: str, data: Path) -> list[dict[str, Any]]:
    """The configurations in a section, with the folder `data` in place of /data."""
    loaded = [yaml.safe_load(block) for block in blocks(title) if re.match(r"(?:# \w+\.yaml\n)?\w+:\n", block)]
    return [_moved(config, data) for config in loaded if config.keys() <= KEYS]


def command(title: str, program: str = "snakemake --cores 4") -> list[str]:
    """The arguments of the command in a section that starts with `program`."""
    lines = "\n".join(blocks(title)).splitlines()
    [found] = [line.removeprefix(program) for line in lines if line.startswith(f"{program} ")]
    return shlex.split(found, comments=True)


def _moved(value: Any, data: Path) -> Any:
    if isinstance(value, dict):
        return {key: _moved(each, data) for key, each in value.items()}
    return re.sub(r"^/data\b", lambda _: str(data), value) if isinstance(value, str) else value
