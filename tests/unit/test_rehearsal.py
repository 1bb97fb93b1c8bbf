"""The rehearsal: its configuration resolves, and its archives have the layout of the published ones."""

import tarfile
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import numpy as np
import pytest
import yaml
from archives import contents
from conftest import ROOT
from PIL import Image

from pix2pix.config.runs import BENCHMARKS, read_config
from pix2pix.data.extract import extract
from pix2pix.demo.benchmarks import STYLES, write_miniature
from pix2pix.evaluation.segmentation import CLASSES


def configs() -> tuple[dict, dict]:
    """config.yaml, and config.yaml merged with configs/rehearsal.yaml as by --configfile."""
    plain, merged = (yaml.safe_load((ROOT / "config.yaml").read_text()) for _ in range(2))
    rehearsal = yaml.safe_load((ROOT / "configs" / "rehearsal.yaml").read_text())
    for key, value in rehearsal.items():
        if isinstance(value, dict):
            for name, entry in value.items():
                merged[key][name] = merged[key].get(name, {}) | entry
        else:
            merged[key] = value
    return plain, merged


def test_every_benchmark_and_its_published_run_is_rehearsed_from_this_machine():
    plain, merged = configs()
    config, runs, _ = read_config(merged)
    _, real, _ = read_config(plain)
    assert set(config.all) == {*BENCHMARKS, *(f"{name}_published" for name in BENCHMARKS), "cityscapes_labels"}
    addresses = [
        *config.mirrors,
        *(a for name in config.all if runs[name].download for a in runs[name].download.addresses),
    ]
    assert {urlsplit(address).hostname for address in addresses} == {"127.0.0.1"}
    assert len({urlsplit(address).port for address in addresses}) == 1
    for name in BENCHMARKS:
        assert runs[f"{name}_published"].ckpt == real[f"{name}_published"].ckpt
        assert config.datasets[name].splits.keys() == plain["datasets"][name]["splits"].keys()
        assert config.datasets[name].palettes.keys() == plain["datasets"][name].get("palettes", {}).keys()
    assert runs["cityscapes_labels"].predict.target_palette == "cityscapes"


@pytest.mark.parametrize("dataset", STYLES)
def test_miniature_has_the_published_layout(tmp_path, dataset):
    splits = dict.fromkeys(yaml.safe_load((ROOT / "config.yaml").read_text())["datasets"][dataset]["splits"], 2)
    archive = tmp_path / "a.tar.gz"
    write_miniature(archive, dataset, splits)
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    assert names[: 1 + len(splits)] == [dataset, *(f"{dataset}/{split}" for split in splits)]
    expected = {"night2day": "14_1148_to_1163.jpg", "edges2shoes": "1_AB.jpg", "edges2handbags": "1_AB.jpg"}
    assert PurePosixPath(names[1 + len(splits)]).name == expected.get(dataset, "1.jpg")
    assert extract(archive, tmp_path / "pairs", splits) == splits
    sizes = set()
    for name in contents(tmp_path / "pairs"):
        with Image.open(tmp_path / "pairs" / name) as pair:
            sizes.add(pair.size)
    assert sizes == {(1200, 600) if dataset == "maps" else (512, 256)}


def test_street_label_maps_have_the_colours_of_cityscapes():
    _, labels = STYLES["cityscapes"](np.random.default_rng(2))
    colours = {tuple(int(channel) for channel in colour) for colour in np.asarray(labels).reshape(-1, 3)}
    assert len(colours) >= 4
    assert colours <= set(CLASSES.values())
