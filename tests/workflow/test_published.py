"""Published checkpoints are downloaded, loaded with any prefix and used for prediction without training."""

import json
from collections.abc import Iterator
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
import yaml
from conftest import ROOT, draw_pairs, planned, script, snakemake
from downloads import Server, serving, whole
from PIL import Image

from pix2pix.config.runs import BENCHMARKS, read_config
from pix2pix.config.settings import PredictSettings
from pix2pix.data.loader import to_array
from pix2pix.data.records import write_records
from pix2pix.model.checkpoint import load_network, stored_parameters
from pix2pix.model.networks import Generator, compile_forward
from pix2pix.system.checksum import sha256_of
from pix2pix.system.errors import InputError

PREFIXES = ("net_generator.", "optimizerg.net_generator.", "loss_net_g.net_generator.")
SMALL = PredictSettings(g_ngf=4, g_layers=3, val_pic_size=32)


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as running:
        yield running


def write_published(path: Path, settings: PredictSettings, prefix: str = PREFIXES[0]) -> Generator:
    """Create a generator with random weights, and write its checkpoint like the reference implementation."""
    generator = Generator(settings, settings.val_pic_size)
    draw = np.random.default_rng(5)
    parameters = stored_parameters(generator)
    for parameter in parameters:
        parameter.set_data(ms.Tensor(draw.normal(0.02, 0.05, parameter.shape).astype(np.float32)))
    ms.save_checkpoint([{"name": prefix + each.name, "data": each} for each in parameters], str(path))
    return generator


def test_published_checkpoints_are_runs_with_direction_b_to_a():
    _, runs, _ = read_config(yaml.safe_load((ROOT / "config.yaml").read_text()))
    for name in BENCHMARKS:
        run = runs[f"{name}_published"]
        assert (run.dataset, run.predict.direction) == (name, "BtoA")
        epochs = runs[name].train.epoch_num
        assert run.ckpt == f"data/weights/{name}_published/Generator_{epochs}.ckpt"
        [address] = run.download.addresses
        folder = name.replace("edges2", "edge2")
        assert address == f"https://download.mindspore.cn/vision/pix2pix/{folder}/Generator_{epochs}.ckpt"


def test_published_run_predicts_and_is_evaluated_without_training(server, tmp_path):
    settings = PredictSettings(direction="BtoA")
    generator = write_published(tmp_path / "Generator_200.ckpt", settings, PREFIXES[1])
    server.answers = [whole((tmp_path / "Generator_200.ckpt").read_bytes())]
    folder = draw_pairs(tmp_path / "pairs", train=1, val=1, size=256)
    config = {
        "datasets": {"facades": {"folder": str(folder), "splits": {"train": 1, "val": 1, "test": 1}}},
        "runs": {"facades_published": {"ckpt": server.url.replace("x.tar.gz", "facades/Generator_200.ckpt")}},
    }
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump(config))
    (folder / "test").mkdir()
    (folder / "test" / "1.png").write_bytes((folder / "val" / "1.png").read_bytes())
    target = "results/facades_published/metrics.json"
    jobs = planned(tmp_path, target, "--configfile", str(mine))
    assert jobs == {"download_weights": 1, "extract": 1, "mindrecord": 1, "predict": 1, "evaluate": 1}
    snakemake(tmp_path, target, "--configfile", str(mine))
    # the network's floating-point output for the right half, before conversion to an image
    with Image.open(folder / "val" / "1.png") as pair:
        x = to_array(pair.convert("RGB").crop((256, 0, 512, 256)), 3)[np.newaxis]
    own = compile_forward(generator)(ms.Tensor(x)).asnumpy()[0]
    levels = (own.transpose(1, 2, 0) + 1) * 127.5
    with Image.open(tmp_path / "results" / "facades_published" / "predict" / "prediction" / "1.png") as image:
        assert np.abs(np.asarray(image) - levels).max() <= 0.5 + 127.5 * 1e-5
    facts = json.loads((tmp_path / target).read_text())
    assert facts["checkpoint"] == "Generator_200.ckpt"
    assert facts["checkpoint_sha256"] == sha256_of(tmp_path / "Generator_200.ckpt")
    assert (facts["direction"], facts["n"]) == ("BtoA", 1)
    assert (tmp_path / "data/weights/facades_published/Generator_200.ckpt.sha256").exists()


@pytest.mark.parametrize("prefix", ["", *PREFIXES])
def test_loaded_network_gives_the_same_output_with_any_prefix(tmp_path, prefix):
    original = write_published(tmp_path / "a.ckpt", SMALL, prefix)
    loaded = Generator(SMALL, 32)
    load_network(loaded, tmp_path / "a.ckpt")
    x = ms.Tensor(np.random.default_rng(0).uniform(-1, 1, (1, 3, 32, 32)).astype(np.float32))
    difference = np.abs(compile_forward(loaded)(x).asnumpy() - compile_forward(original)(x).asnumpy()).max()
    assert difference <= 1e-5


@pytest.mark.parametrize(
    ("content", "change", "expected"),
    [
        (
            lambda good: good[: len(good) // 2],
            {},
            "not a valid MindSpore checkpoint (truncated, damaged, or",
        ),
        (lambda good: good[:-3], {}, "not a valid MindSpore checkpoint (truncated, damaged, or"),
        (lambda good: b"PK\x03\x04" + bytes(500), {}, "not a valid MindSpore checkpoint"),
        (lambda good: good, {"g_ngf": 8}, "model.model.0.weight is 4x3x4x4, not 8x3x4x4"),
        (lambda good: good, {"g_layers": 4}, "was it trained with the same g_layers and norm?"),
    ],
    ids=["truncated", "last bytes missing", "not a checkpoint", "other widths", "other depth"],
)
def test_checkpoint_that_does_not_fit_gives_one_line(tmp_path, content, change, expected):
    write_published(tmp_path / "good.ckpt", SMALL)
    bad = tmp_path / "bad.ckpt"
    bad.write_bytes(content((tmp_path / "good.ckpt").read_bytes()))
    with pytest.raises(InputError) as caught:
        load_network(Generator(SMALL.model_copy(update=change), 32), bad)
    assert str(caught.value).startswith(f"{bad}: ")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_program_exits_with_that_line_and_leaves_nothing(tmp_path):
    draw_pairs(tmp_path / "pairs", train=1, val=1)
    write_records([tmp_path / "pairs" / "val" / "1.png"], tmp_path / "val.mindrecord")
    (tmp_path / "bad.ckpt").write_bytes(bytes(500))
    out = tmp_path / "out"
    small = ["--g_ngf", 4, "--g_layers", 3, "--val_pic_size", 32]
    result = script(
        "predict", tmp_path / "val.mindrecord", "--ckpt", tmp_path / "bad.ckpt", "--predict_dir", out, *small
    )
    assert result.returncode == 1
    assert [line for line in result.stdout.splitlines() if "bad.ckpt" in line] == result.stdout.splitlines()[-1:]
    assert result.stdout.splitlines()[-1].startswith(f"error: {tmp_path}/bad.ckpt: not a valid MindSpore checkpoint")
    assert "Traceback" not in result.stdout
    assert not out.exists()


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            {"ckpt": ["mine.ckpt"]},
            "runs.x.ckpt: must be a list of addresses that start with http://, https:// or file://",
        ),
        ({"ckpt": "mine.ckpt", "ckpt_sha256": "a" * 64}, "runs.x: ckpt_sha256: needs a ckpt that is an address"),
        ({"ckpt": "http://a/b.ckpt", "ckpt_sha256": "abc"}, "config: runs.x.ckpt_sha256: 'abc' is not allowed"),
    ],
)
def test_invalid_checkpoint_setting_is_reported(entry, expected):
    config = {"all": ["x"], "datasets": {"x": {"folder": "pairs"}}, "runs": {"x": entry}}
    with pytest.raises(InputError) as caught:
        read_config(config)
    assert expected in str(caught.value)
