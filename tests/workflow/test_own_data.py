"""The commands of docs/own-data.md, with small images and networks, and what runs again when images change."""

import re
import shlex
import textwrap
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, TINY_RUN, draw_pairs, planned, snakemake
from PIL import Image

from pix2pix.data.records import iterate


def section(title: str, work: Path) -> tuple[str, ...]:
    """Write the configuration in a section of the page to `work`; return the arguments of its command."""
    text = (ROOT / "docs/own-data.md").read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    blocks = [textwrap.dedent(block) for block in re.findall(r"(?:^    .*\n)+", text, re.MULTILINE)]
    [config] = [block for block in blocks if re.match(r"# \w+\.yaml\n", block)]
    [command] = [block for block in blocks if block.startswith("snakemake --cores 4 ")]
    (work / config.split()[1]).write_text(config)
    runs = dict.fromkeys(yaml.safe_load(config)["runs"], TINY_RUN)
    (work / "small.yaml").write_text(yaml.safe_dump({"runs": runs}))
    return (*shlex.split(command)[3:], "small.yaml")


def draw_halves(work: Path, number: int, places: tuple[str, str]) -> None:
    """Draw pairs and write their halves to the files {places}.format(n)."""
    pairs = draw_pairs(work / "drawn", train=number)
    for place, left in zip(places, (0, 32), strict=True):
        for n in range(1, number + 1):
            file = work / place.format(n)
            file.parent.mkdir(parents=True, exist_ok=True)
            with Image.open(pairs / "train" / f"{n}.png") as pair:
                pair.crop((left, 0, left + 32, 32)).save(file)


def names(work: Path, dataset: str) -> set[str]:
    files = [work / f"data/{dataset}/{split}.mindrecord" for split in ("train", "val")]
    return {name for file in files for name, _ in iterate([file])}


def test_two_folders(tmp_path):
    draw_halves(tmp_path, 14, ("photos/{:04}.jpg", "drawings/{:04}.png"))
    (tmp_path / "photos/lonely.jpg").write_bytes(b"without a partner")
    command = section("Pairs in two folders", tmp_path)
    snakemake(tmp_path, *command)
    before = names(tmp_path, "streets")
    assert before == {f"{n:04}" for n in range(1, 15)}
    predicted = {file.stem for file in (tmp_path / "results/streets/predict/prediction").iterdir()}
    assert predicted == {name for name, _ in iterate([tmp_path / "data/streets/val.mindrecord"])}
    assert (tmp_path / "data/streets/unpaired.csv").read_text().splitlines() == [
        "left_out",
        "photos/lonely.jpg: has no partner in drawings",
    ]
    assert planned(tmp_path, *command) == {}
    (tmp_path / "drawings/lonely.png").write_bytes(b"its partner")
    again = planned(tmp_path, *command)
    assert {rule: again[rule] for rule in ("pair", "extract", "mindrecord", "train")} == {
        "pair": 1, "extract": 1, "mindrecord": 2, "train": 1,
    }  # fmt: skip


@pytest.mark.parametrize("folder", ["2021", "-o {z} $(touch HIT) ' %20"])
def test_list_of_pairs(tmp_path, folder):
    draw_halves(tmp_path, 6, (f"{folder.replace('{z}', '{{z}}')}/{{}}.png", "maps/{}.png"))
    splits = {n: "val" if n > 4 else "train" for n in range(1, 7)}
    rows = [f"{folder}/{n}.png,maps/{n}.png,{split}" for n, split in splits.items()]
    (tmp_path / "roads.csv").write_text("\n".join(["a,b,split", *rows, "lost.png,maps/1.png,val"]))
    _, *options = section("A list of pairs", tmp_path)
    targets = [f"data/roads/{split}.mindrecord" for split in ("train", "val")]
    snakemake(tmp_path, *targets, *options)
    assert names(tmp_path, "roads") == {"1", "2", "3", "4", "5", "6"}
    assert planned(tmp_path, *targets, *options) == {}
    with open(tmp_path / folder / "1.png", "ab") as file:
        file.write(b" ")
    assert planned(tmp_path, *targets, *options) == {"pair": 1, "extract": 1, "mindrecord": 2}
    assert not list(tmp_path.rglob("HIT"))
