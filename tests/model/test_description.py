"""A checkpoint tells its architecture: described by training, or read off the parameters."""

import json
import shutil

import mindspore as ms
import numpy as np
import pytest
import yaml
from conftest import TINY_RUN, script, snakemake

from pix2pix.config.settings import GeneratorSettings, TrainSettings
from pix2pix.model.checkpoint import load_network, save_network
from pix2pix.model.description import describe, generator_settings
from pix2pix.model.networks import Generator, initialise
from pix2pix.system.errors import InputError

SMALL = {"g_ngf": 4, "g_layers": 4}
UNSEEN = {"alpha", "dropout"}  # these leave no trace in the parameters


def write_generator(path, prefix="", about=None, **settings):
    """Write the checkpoint of a new generator; published ones have a prefix and no description."""
    generator = GeneratorSettings(**{**SMALL, **settings})
    network = Generator(generator, 32)
    initialise(network, TrainSettings(**generator.model_dump(), train_pic_size=64, load_size=64))
    if prefix:
        ms.save_checkpoint([{"name": prefix + p.name, "data": p} for p in network.get_parameters()], str(path))
    else:
        save_network(network, "", path, about)
    return generator


@pytest.mark.parametrize("prefix", ["", "loss_net_g.net_generator."])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"g_ngf": 5, "g_layers": 2},
        {"g_layers": 5, "norm": "instance", "g_in_planes": 1},
        {"skip_connections": False, "g_out_planes": 1},
        {"alpha": 0.1, "dropout": True, "g_layers": 6},
    ],
)
def test_architecture_is_read_off_the_parameters(tmp_path, settings, prefix):
    generator = write_generator(tmp_path / "g.ckpt", prefix, **settings)
    unseen = {key: value for key, value in settings.items() if key in UNSEEN}
    found, description = generator_settings(tmp_path / "g.ckpt", unseen)
    assert (found, description) == (generator, None)
    load_network(Generator(found, 64), tmp_path / "g.ckpt")


@pytest.mark.parametrize("pad_mode", ["REFLECT", "SYMMETRIC"])
def test_mirrored_padding_without_a_description_has_to_be_said(tmp_path, pad_mode):
    generator = write_generator(tmp_path / "g.ckpt", "x.", pad_mode=pad_mode)
    with pytest.raises(InputError, match="was trained with pad_mode REFLECT or SYMMETRIC and does not say which"):
        generator_settings(tmp_path / "g.ckpt", {})
    assert generator_settings(tmp_path / "g.ckpt", {"pad_mode": pad_mode})[0] == generator


def test_description_is_stored_like_a_text_of_mindspore(tmp_path):
    settings = TrainSettings(**SMALL, alpha=0.3, dropout=True, train_pic_size=32, direction="BtoA")
    about = describe(settings, [tmp_path / "data" / "höfe" / "train.mindrecord"], 7)
    write_generator(tmp_path / "ours.ckpt", about=about, alpha=0.3, dropout=True)
    parameters = ms.load_checkpoint(str(tmp_path / "ours.ckpt"))
    assert parameters.pop("pix2pix") == about
    written = [{"name": name, "data": value} for name, value in parameters.items()]
    ms.save_checkpoint(written, str(tmp_path / "theirs.ckpt"), append_dict={"pix2pix": about})
    assert (tmp_path / "ours.ckpt").read_bytes() == (tmp_path / "theirs.ckpt").read_bytes()
    found, description = generator_settings(tmp_path / "theirs.ckpt", {})
    assert found == GeneratorSettings(**SMALL, alpha=0.3, dropout=True)
    assert (description.dataset, description.epochs, description.direction) == ("höfe", 7, "BtoA")


@pytest.mark.parametrize("about", ["{}", "[]", "\N{SNOWMAN}", '{"version": "9", "generator": {"new_key": 1}}'])
def test_damaged_description_gives_one_line(tmp_path, about):
    write_generator(tmp_path / "g.ckpt", about=about)
    with pytest.raises(InputError) as caught:
        generator_settings(tmp_path / "g.ckpt", {})
    assert "its description is damaged or from a later version" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_parameters_of_another_network_give_one_line(tmp_path):
    parameter = ms.Parameter(ms.Tensor(np.zeros((4, 6, 4, 4), np.float32)))
    ms.save_checkpoint([{"name": "features.0.weight", "data": parameter}], str(tmp_path / "d.ckpt"))
    with pytest.raises(InputError, match="its parameters are not those of a pix2pix generator"):
        generator_settings(tmp_path / "d.ckpt", {})


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--g_ngf", 8], "was trained with g_ngf 4, but g_ngf is set to 8: remove it or set it to 4"),
        (["--norm", "instance"], "was trained with norm batch, but norm is set to instance"),
        (["--alpha", 0.1], "was trained with alpha 0.2, but alpha is set to 0.1"),
        (["--direction", "BtoA"], "was trained with direction AtoB, but direction is set to BtoA"),
    ],
)
def test_flag_that_contradicts_the_checkpoint_is_an_error(finished, tmp_path, flags, line):
    work, _ = finished
    ckpt = work / "results/roofs/ckpt/Generator_2.ckpt"
    records = work / "data/roofs/val.mindrecord"
    result = script("predict", records, "--ckpt", ckpt, "--predict_dir", tmp_path / "out", *flags)
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1].startswith(f"error: {ckpt}: {line}")
    assert not (tmp_path / "out").exists()


def test_run_with_a_ckpt_needs_no_architecture_and_predicts_the_same(finished, tmp_path):
    work, own = finished
    config = yaml.safe_load(own.read_text())
    shutil.copy(work / "results/roofs/ckpt/Generator_2.ckpt", tmp_path / "mine.ckpt")
    config |= {"runs": {"given": {"dataset": "roofs", "ckpt": "mine.ckpt"}}, "all": ["given"]}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    snakemake(tmp_path, "given", "--configfile", "mine.yaml", "--config", "g_ngf=32")
    for name in ("1", "2", "3"):
        image = f"predict/prediction/{name}.png"
        assert (tmp_path / "results/given" / image).read_bytes() == (work / "results/roofs" / image).read_bytes()
    facts = json.loads((tmp_path / "results/given/predict/facts.json").read_text())
    assert {key: facts[key] for key in ("g_ngf", "g_layers", "val_pic_size")} == {
        key: TINY_RUN[key] for key in ("g_ngf", "g_layers", "val_pic_size")
    }
    assert "<dt>g_layers</dt><dd>3 <small>default 8</small></dd>" in (tmp_path / "results/given/run.html").read_text()
