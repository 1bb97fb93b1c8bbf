"""Checkpoints are validated before use: names, shapes, types, lengths, values, checksum."""

import shutil

import mindspore as ms
import numpy as np
import pytest
from mindspore.train.checkpoint_pb2 import Checkpoint

from pix2pix.config.settings import TrainSettings
from pix2pix.model.checkpoint import load_network, save_network
from pix2pix.model.networks import Discriminator, Generator, initialise
from pix2pix.system.errors import InputError

SMALL = TrainSettings(g_ngf=4, d_ndf=4, g_layers=3, train_pic_size=32, load_size=36)
FIRST = "model.model.0.weight"


@pytest.fixture
def saved(tmp_path):
    """A generator and its checkpoint, with the checksum beside it."""
    generator = Generator(SMALL, 32)
    initialise(generator, SMALL)
    save_network(generator, "", tmp_path / "good.ckpt")
    return generator, tmp_path / "good.ckpt"


def error_of(path) -> str:
    with pytest.raises(InputError) as caught:
        load_network(Generator(SMALL, 32), path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def changed(path, change) -> object:
    """A checkpoint beside `path` with its content altered by `change`, and without a checksum file."""
    checkpoint = Checkpoint()
    checkpoint.ParseFromString(path.read_bytes())
    change(checkpoint)
    other = path.with_name("changed.ckpt")
    other.write_bytes(checkpoint.SerializeToString())
    return other


def first(checkpoint):
    return next(value.tensor for value in checkpoint.value if value.tag == FIRST)


def lengthen(checkpoint):
    first(checkpoint).tensor_content += bytes(4_000_000)


def shorten(checkpoint):
    first(checkpoint).tensor_content = first(checkpoint).tensor_content[:-4]


def give_dims(*dims):
    def change(checkpoint):
        del first(checkpoint).dims[:]
        first(checkpoint).dims.extend(dims)

    return change


def give_type(name):
    def change(checkpoint):
        first(checkpoint).tensor_type = name

    return change


def fill_with_nan(checkpoint):
    for value in checkpoint.value:
        value.tensor.tensor_content = np.full(len(value.tensor.tensor_content) // 4, np.nan, "<f4").tobytes()


def repeat(checkpoint):
    copy = checkpoint.value.add()
    copy.CopyFrom(checkpoint.value[0])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lengthen, f"{FIRST} has 4,000,768 bytes of data for the shape [4, 3, 4, 4]"),
        (shorten, f"{FIRST} has 764 bytes of data for the shape [4, 3, 4, 4]"),
        (give_dims(), f"{FIRST} has 768 bytes of data for the shape []"),
        (give_dims(-4, -3, 4, 4), f"{FIRST} has 768 bytes of data for the shape [-4, -3, 4, 4]"),
        (give_dims(2**40, 2**40), f"{FIRST} has 768 bytes of data for the shape [1099511627776, 1099511627776]"),
        (give_type("Int8"), f"no float32 {FIRST}"),
        (give_type("Float16"), f"no float32 {FIRST}"),
        (give_type("nonsense"), f"no float32 {FIRST}"),
        (fill_with_nan, f"NaN or infinite values in {FIRST}"),
        (repeat, f"contains {FIRST} twice"),
        (lambda checkpoint: checkpoint.ClearField("value"), "contains no float32 parameters"),
    ],
    ids=[
        "longer",
        "shorter",
        "no dims",
        "negative dims",
        "huge dims",
        "int8",
        "float16",
        "type",
        "NaN",
        "twice",
        "empty",
    ],
)
def test_malformed_content_gives_one_line_and_is_never_loaded(saved, change, expected):
    message = error_of(changed(saved[1], change))
    assert expected in message


def test_extra_parameters_of_any_kind_are_ignored(saved):
    def add(checkpoint):
        extra = checkpoint.value.add(tag="net_discriminator.features.0.weight")
        extra.tensor.tensor_type, extra.tensor.tensor_content = "str", b"abc"
        extra.tensor.dims.append(2**50)

    generator, path = saved
    loaded = Generator(SMALL, 32)
    load_network(loaded, changed(path, add))
    for own, other in zip(generator.trainable_params(), loaded.trainable_params(), strict=True):
        assert np.array_equal(own.asnumpy(), other.asnumpy())


def test_pieces_of_one_parameter_are_joined(saved):
    def cut(checkpoint):
        values = list(checkpoint.value)
        checkpoint.ClearField("value")
        for value in values:
            for piece in (value.tensor.tensor_content[:8], value.tensor.tensor_content[8:]):
                part = checkpoint.value.add()
                part.CopyFrom(value)
                part.tensor.tensor_content = piece

    generator, path = saved
    loaded = Generator(SMALL, 32)
    load_network(loaded, changed(path, cut))
    assert np.array_equal(loaded.model.model[0].weight.asnumpy(), generator.model.model[0].weight.asnumpy())


def test_any_single_flipped_bit_is_rejected(saved):
    _, path = saved
    content = path.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(40):
        flipped = bytearray(content)
        flipped[random.integers(len(content))] ^= 1 << random.integers(8)
        path.write_bytes(flipped)
        assert "its sha256 is" in error_of(path)
    path.write_bytes(content)
    load_network(Generator(SMALL, 32), path)


def test_the_bytes_are_identical_to_those_of_mindspore(saved, tmp_path):
    generator, path = saved
    ms.save_checkpoint([{"name": p.name, "data": p} for p in generator.get_parameters()], str(tmp_path / "theirs.ckpt"))
    assert path.read_bytes() == (tmp_path / "theirs.ckpt").read_bytes()


def test_the_checksum_of_mindspore_is_verified(saved, tmp_path):
    generator, _ = saved
    parameters = [{"name": p.name, "data": p} for p in generator.get_parameters()]
    theirs = tmp_path / "theirs.ckpt"
    ms.save_checkpoint(parameters, str(theirs), crc_check=True)
    load_network(Generator(SMALL, 32), theirs)
    content = bytearray(theirs.read_bytes())
    content[200] ^= 1
    theirs.write_bytes(content)
    assert "not a valid MindSpore checkpoint" in error_of(theirs)


def test_a_checkpoint_copied_without_its_checksum_is_accepted(saved):
    generator, path = saved
    copy = path.with_name("copy.ckpt")
    shutil.copyfile(path, copy)
    loaded = Generator(SMALL, 32)
    load_network(loaded, copy)
    assert np.array_equal(loaded.model.model[0].weight.asnumpy(), generator.model.model[0].weight.asnumpy())


@pytest.mark.parametrize("d_layers", [0, 1, 3])
@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_convolutions_of_the_discriminator_have_a_bias_only_with_instance_norm(norm, d_layers):
    settings = SMALL.model_copy(update={"norm": norm, "d_layers": d_layers})
    names = [parameter.name for parameter in Discriminator(settings).trainable_params()]
    biases, convolutions = (sum(name.endswith(end) for name in names) for end in (".bias", ".weight"))
    assert biases == (convolutions if norm == "instance" else 0)
