"""A training may start from the weights of checkpoints instead of random ones."""

import shutil

import mindspore as ms
import numpy as np
import pytest
import yaml
from conftest import TINY_RUN, planned, script
from PIL import Image

import pix2pix
from pix2pix.config.settings import TrainSettings
from pix2pix.data.loader import to_array, to_pixels
from pix2pix.model.checkpoint import read_checkpoint
from pix2pix.training.fingerprint import differences, fingerprint_of
from pix2pix.training.step import Trainer, load_initial_weights

TINY = {key: value for key, value in TINY_RUN.items() if key != "val_pic_size"}
FLAGS = [word for key, value in TINY.items() for word in (f"--{key}", value)]


@pytest.fixture
def run(finished):
    return finished[0] / "results" / "roofs"


@pytest.fixture
def records(finished):
    return finished[0] / "data/roofs/train.mindrecord"


def train(tmp_path, records, *flags):
    names = {"ckpt_dir": "ckpt", "train_fakeimg_dir": "fake_img", "loss_show_dir": "loss_show", "state_dir": "state"}
    folders = [word for name, folder in names.items() for word in (f"--{name}", tmp_path / folder)]
    return script("train", records, *folders, *FLAGS, *flags)


def published(path, to):
    """A checkpoint like the published ones: names with a prefix, and no description."""
    arrays = read_checkpoint(path).arrays
    written = [{"name": f"net_generator.{name}", "data": ms.Tensor(array)} for name, array in arrays.items()]
    ms.save_checkpoint(written, str(to))
    return to


def test_before_the_first_step_the_output_is_that_of_the_checkpoint(run, tmp_path):
    ckpt = published(run / "ckpt/Generator_2.ckpt", tmp_path / "-Generator_200.ckpt")
    discriminator = run / "ckpt/Discriminator_2.ckpt"
    settings = TrainSettings(**TINY, init_ckpt=str(ckpt), init_d_ckpt=str(discriminator))
    trainer = Trainer(settings)
    load_initial_weights(trainer)
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    expected = pix2pix.load_generator(ckpt)(image)
    batch = to_array(Image.fromarray(image), 3)[np.newaxis]
    assert np.array_equal(to_pixels(trainer.generate(ms.Tensor(batch)).asnumpy()[0]), expected)
    for name, array in read_checkpoint(discriminator).arrays.items():
        own = trainer.parameters()[f"discriminator.{name}"].asnumpy()
        assert np.array_equal(own, array)


def test_a_training_with_a_small_learning_rate_stays_near_the_checkpoint(run, records, tmp_path):
    shutil.copy(run / "ckpt/Generator_2.ckpt", tmp_path / "a b.ckpt")
    result = train(tmp_path, records, "--lr", 1e-9, "--init_ckpt", tmp_path / "a b.ckpt")
    assert result.returncode == 0, result.stdout
    assert f"init_ckpt: the generator starts from {tmp_path}/a b.ckpt" in result.stdout
    before, after = (
        read_checkpoint(path).arrays for path in (tmp_path / "a b.ckpt", tmp_path / "ckpt/Generator_2.ckpt")
    )
    weights = [name for name in before if name.endswith(".weight")]
    assert max(np.abs(before[name] - after[name]).max() for name in weights) < 1e-6


@pytest.mark.parametrize(
    ("key", "name", "flags", "expected"),
    [
        ("init_ckpt", "Generator_2", ["--g_ngf", 8], "was trained with g_ngf 4, but g_ngf is set to 8"),
        ("init_d_ckpt", "Discriminator_2", ["--d_ndf", 8], "was trained with d_ndf 4, but d_ndf is set to 8"),
        ("init_ckpt", "Discriminator_2", [], "no float32 model.model.0.weight"),
        ("init_d_ckpt", "Generator_2", [], "no float32 features.0.weight"),
        ("init_ckpt", "missing", [], "No such file"),
    ],
)
def test_weights_of_another_network_give_one_line(run, records, tmp_path, key, name, flags, expected):
    result = train(tmp_path, records, f"--{key}", run / f"ckpt/{name}.ckpt", *flags)
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1].startswith(f"error: {run}/ckpt/{name}.ckpt: {expected}")
    assert not (tmp_path / "ckpt").exists()


def test_content_of_the_weights_is_part_of_the_fingerprint(run, records, tmp_path):
    def fingerprint(**changes):
        return fingerprint_of(TrainSettings(**TINY, **changes), [records], [], 1)

    copy = str(shutil.copy(run / "ckpt/Generator_2.ckpt", tmp_path / "copy.ckpt"))
    plain, tuned = fingerprint(), fingerprint(init_ckpt=str(run / "ckpt/Generator_2.ckpt"))
    assert differences(tuned, fingerprint(init_ckpt=copy)) == {}
    assert set(differences(plain, tuned)) == set(differences(tuned, plain)) == {"init_ckpt"}
    earlier = {key: value for key, value in plain.items() if not key.startswith("init_")} | {"init_type": "normal"}
    earlier["init_gain"] = 0.02
    assert differences(earlier, plain) == {}
    assert set(differences(earlier, tuned)) == {"init_ckpt"}


def test_workflow_trains_or_downloads_first_what_is_needed(tmp_path, tiny_config):
    config = yaml.safe_load(tiny_config.read_text())
    config["runs"] |= {
        "tuned": TINY_RUN | {"dataset": "roofs", "init_ckpt": "roofs", "init_d_ckpt": "roofs"},
        "fetched": TINY_RUN | {"dataset": "roofs", "init_ckpt": "https://example.org/Generator_2.ckpt"},
    }
    (tmp_path / "tuning.yaml").write_text(yaml.safe_dump(config))
    targets = [f"results/{run}/ckpt/Generator_2.ckpt" for run in ("tuned", "fetched")]
    assert planned(tmp_path, *targets, "--configfile", "tuning.yaml") == {
        "extract": 1, "mindrecord": 1, "download_weights": 1, "train": 3,
    }  # fmt: skip
