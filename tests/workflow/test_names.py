"""Names and paths with a special meaning for a shell, Snakemake or a command line."""

import shutil

import pytest
import yaml
from conftest import TINY_RUN, copy_checkout, draw_pairs, snakemake

from pix2pix.config.runs import fidelity_weights, read_config
from pix2pix.config.settings import FidelitySettings

WEIGHTS = ["file:///x/a%24(touch%20HIT).pth"]
STRANGE = """-o {z} $(touch HIT) & ; ' " %20 `touch HIT` """.rstrip()


def hits(folder):
    return list(folder.rglob("HIT"))


def test_clone_folder_images_and_title_may_have_any_name(tmp_path):
    checkout = copy_checkout(tmp_path / STRANGE)
    work = tmp_path / "work" / STRANGE
    draw_pairs(work / STRANGE)
    config = {
        "all": ["squares"],
        "datasets": {"squares": {"folder": STRANGE}},
        "runs": {"squares": TINY_RUN},
        "comparisons": {STRANGE: ["squares"]},
    }
    (work / "mine.yaml").write_text(yaml.safe_dump(config))
    snakemake(work, "--configfile", "mine.yaml", checkout=checkout)
    assert "touch HIT" in (work / "results" / "summary.html").read_text()
    assert not hits(tmp_path)


@pytest.mark.parametrize("address", ["", "file://"])
def test_checkpoint_may_have_any_name(finished, tmp_path, address):
    work, own = finished
    shutil.copy(work / "results/roofs/ckpt/Generator_2.ckpt", tmp_path / f"{STRANGE}.ckpt")
    name = f"{STRANGE.replace('%', '%25')}.ckpt" if address else f"{STRANGE}.ckpt"
    dataset = yaml.safe_load(own.read_text())["datasets"]["roofs"]
    run = {"dataset": "roofs", "ckpt": address + name}
    config = {"datasets": {"roofs": dataset}, "runs": {"given": run}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    snakemake(tmp_path, "results/given/predict", "--configfile", "mine.yaml")
    assert (tmp_path / "results/given/predict/prediction/1.png").exists()
    assert not hits(tmp_path)


@pytest.mark.parametrize(
    ("config", "target"),
    [
        ({"runs": {"given": {"dataset": "squares", "ckpt": "g$(touch HIT).ckpt"}}}, "results/given/predict"),
        (
            {"runs": {"given": {"dataset": "squares", "ckpt": "file:///x/a%24(touch%20HIT).ckpt"}}},
            "results/given/predict",
        ),
        (
            {"fidelity": {"weights": WEIGHTS}, "runs": {"given": {"dataset": "squares"}}},
            fidelity_weights(FidelitySettings(weights=WEIGHTS)).path,
        ),
    ],
)
def test_names_are_not_executed_when_a_download_fails(tmp_path, config, target):
    draw_pairs(tmp_path / "squares")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"datasets": {"squares": {"folder": "squares"}}} | config))
    done = snakemake(tmp_path, target, "--configfile", "mine.yaml", check=False)
    assert done.returncode == 1
    assert not hits(tmp_path)


@pytest.mark.parametrize(
    ("address", "file"),
    [
        ("https://x/facades/Generator_200.ckpt", "Generator_200.ckpt"),
        ("https://x/a/weights?download=1", "weights.ckpt"),
        ("https://x/", "_"),
        ("file:///x/-{a}%24(b)%20c.ckpt", "_"),
        ("https://x/..%2f..%2fetc%2fpasswd", "passwd.ckpt"),
        (f"https://x/{'n' * 300}.ckpt", "_"),
    ],
)
def test_downloaded_checkpoint_has_a_plain_name(address, file):
    config = {"all": ["given"], "datasets": {"given": {"folder": "x"}}, "runs": {"given": {"ckpt": address}}}
    path = read_config(config)[1]["given"].download.path
    folder, _, name = path.rpartition("/")
    assert folder == "data/weights/given"
    assert name == file or (file == "_" and name[0] not in "-." and name.isascii() and len(name) < 120)
    assert not set(name) & set(" ${}()%'\"&;/`")


def test_two_names_that_reduce_to_one_stay_distinct():
    names = set()
    for ckpt in ("file:///x/a b.ckpt", "file:///x/a  b.ckpt", "file:///x/a_b.ckpt"):
        config = {"all": ["given"], "datasets": {"given": {"folder": "x"}}, "runs": {"given": {"ckpt": ckpt}}}
        names.add(read_config(config)[1]["given"].download.path)
    assert len(names) == 3
