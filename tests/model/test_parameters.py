"""Each parameter of networks, losses, optimizer and loader does what its description states."""

import io

import mindspore as ms
import numpy as np
import pytest
from PIL import Image

from pix2pix.config.settings import TrainSettings
from pix2pix.data.loader import batches, sample_epoch, to_pixels
from pix2pix.data.records import write_records
from pix2pix.model.layers import PatchLogits
from pix2pix.model.networks import Discriminator, Generator, compile_forward, initialise
from pix2pix.training.optimizer import learning_rate
from pix2pix.training.step import Trainer

SMALL = {"g_ngf": 4, "d_ndf": 4, "g_layers": 5, "d_layers": 1, "load_size": 40, "train_pic_size": 32}


def settings(**changes) -> TrainSettings:
    return TrainSettings(**SMALL | changes)


def pair(channels=(3, 3), size=32):
    random = np.random.default_rng(0)
    return [ms.Tensor(random.uniform(-1, 1, (1, n, size, size)).astype(np.float32)) for n in channels]


def one_step(changes: dict, steps: int = 1) -> tuple[np.ndarray, Trainer]:
    """The losses of the last step and the trainer after it; lr is taken from the settings."""
    chosen = settings(**changes)
    trainer = Trainer(chosen)
    x, y = pair((chosen.g_in_planes, chosen.g_out_planes))
    for _ in range(steps):
        losses = trainer.step(x, y, ms.Tensor(chosen.lr, ms.float32)).asnumpy()
    return losses, trainer


def generated(seed: int = 0, **changes) -> np.ndarray:
    chosen = settings(**changes)
    ms.set_seed(seed)
    generator = Generator(chosen, chosen.train_pic_size)
    initialise(generator, chosen)
    generator.sample_dropout(seed)
    return compile_forward(generator)(pair((chosen.g_in_planes,))[0]).asnumpy()


@pytest.fixture(scope="module")
def base() -> tuple[np.ndarray, Trainer]:
    return one_step({})


def test_loss_weights(base):
    d, _, gan, l1 = base[0]
    for name, value in (("lambda_gan", 2.0), ("lambda_l1", 7.0), ("lambda_dis", 3.0)):
        losses = one_step({name: value})[0]
        weights = {"lambda_gan": 0.5, "lambda_l1": 100.0, "lambda_dis": 0.5} | {name: value}
        assert losses[0] == pytest.approx(d * weights["lambda_dis"] / 0.5, rel=1e-5)
        assert losses[1] == pytest.approx(weights["lambda_gan"] * gan + weights["lambda_l1"] * l1, rel=1e-5)


def test_the_first_adam_step_is_lr_and_later_ones_depend_on_betas(base):
    before = Trainer(settings()).generator.model.model[0].weight.asnumpy()
    for lr in (0.0002, 0.01):
        after = one_step({"lr": lr})[1].generator.model.model[0].weight.asnumpy()
        # Adam's first step is lr times the gradient's sign
        assert np.median(np.abs(after - before)) == pytest.approx(lr, rel=0.01)
    second = base[1].generator_adam
    for name, moments in (("beta1", "first"), ("beta2", "second")):
        other = one_step({name: 0.9})[1].generator_adam
        usual = {"beta1": 0.5, "beta2": 0.999}[name]
        ratio = getattr(other, moments)[0].asnumpy() / getattr(second, moments)[0].asnumpy()
        assert ratio == pytest.approx(np.full_like(ratio, 0.1 / (1 - usual)), rel=1e-2)


def test_order_of_the_updates():
    losses = {order: one_step({"update_order": order, "lr": 0.01})[0] for order in ("simultaneous", "alternating")}
    assert losses["simultaneous"][0] == pytest.approx(losses["alternating"][0])
    assert abs(losses["simultaneous"][2] - losses["alternating"][2]) > 0.01


def test_learning_rate_is_constant_then_falls_to_zero():
    chosen = settings(epoch_num=6, n_epochs=3, n_epochs_decay=3, lr=0.4)
    rates = [learning_rate(epoch, chosen) for epoch in range(1, 8)]
    assert rates == pytest.approx([0.4, 0.4, 0.4, 0.3, 0.2, 0.1, 0.0])
    # whatever the batch size
    assert learning_rate(5, chosen.model_copy(update={"batch_size": 4})) == rates[4]


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"alpha": 0.9}, False),
        ({"norm": "instance"}, False),
        ({"pad_mode": "REFLECT"}, False),
        ({"pad_mode": "SYMMETRIC"}, False),
        ({"skip_connections": False}, False),
        ({"init_gain": 0.2}, False),
        ({"init_type": "xavier"}, False),
        ({"init_type": "constant"}, False),
    ],
)
def test_settings_that_affect_the_output_of_the_generator(changes, same):
    assert np.array_equal(generated(), generated(**changes)) == same


def test_seed_and_dropout():
    assert not np.array_equal(generated(seed=0), generated(seed=1))
    deep = {"g_layers": 6, "train_pic_size": 64, "load_size": 64}
    chosen = settings(dropout=True, **deep)
    ms.set_seed(0)
    generator = Generator(chosen, 64)
    initialise(generator, chosen)
    forward, x = compile_forward(generator), pair((3,), 64)[0]
    outputs = []
    for seed in (1, 2, 1):
        generator.sample_dropout(seed)
        outputs.append(forward(x).asnumpy())
    assert np.array_equal(outputs[0], outputs[2])
    assert not np.array_equal(outputs[0], outputs[1])
    assert set(np.unique(generator.dropouts[0].kept.asnumpy())) == {0.0, 2.0}


def test_initial_weights():
    chosen = settings(g_ngf=32, init_gain=0.05)
    weights = {}
    for kind in ("normal", "xavier", "constant"):
        network = Generator(chosen, 32)
        initialise(network, chosen.model_copy(update={"init_type": kind}))
        weights[kind] = network.model.model[1].model[1].weight.asnumpy()
    assert weights["normal"].std() == pytest.approx(0.05, rel=0.02)
    fan_in, fan_out = 32 * 16, 64 * 16
    assert np.abs(weights["xavier"]).max() == pytest.approx(0.05 * (6 / (fan_in + fan_out)) ** 0.5, rel=0.01)
    assert (weights["constant"] == np.float32(0.05)).all()


@pytest.mark.parametrize(("d_layers", "patch"), [(0, 1), (1, 16), (3, 70), (5, 286)])
def test_the_patch_size_of_the_discriminator_is_that_of_the_paper(d_layers, patch):
    size = 320 if patch > 70 else 128
    sizes = {"load_size": size, "train_pic_size": size}
    chosen = settings(
        d_layers=d_layers, d_ndf=2, norm="instance", init_type="constant", init_gain=0.1, alpha=1.0, **sizes
    )
    # without normalisation, a logit depends only on its patch: measured by the gradient of the middle logit
    discriminator = Discriminator(chosen)
    initialise(discriminator, chosen)
    layers = [layer for layer in discriminator.cells_and_names() if isinstance(layer[1], ms.nn.Conv2d | PatchLogits)]
    convolutions = ms.nn.SequentialCell([layer for _, layer in layers])

    def middle(x):
        logits = convolutions(x)
        return logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2]

    # compiled, as everywhere: outside a graph, this MindSpore version does not work with numpy 2
    seen = ms.jit(ms.grad(middle))(ms.Tensor(np.zeros((1, 6, size, size), np.float32))).asnumpy()
    seen = np.abs(seen).sum((0, 1, 3))
    # outside the patch, the convolution in tiles leaves rounding errors
    rows = np.flatnonzero(seen > 1e-5 * seen.max())
    assert rows[-1] - rows[0] + 1 == patch


def test_widths_planes_and_conditions():
    trainer = Trainer(settings(g_ngf=6, d_ndf=10, g_in_planes=1))
    assert trainer.generator.model.model[0].weight.shape == (6, 1, 4, 4)
    assert trainer.discriminator.features[0].weight.shape == (10, 4, 4, 4)
    unconditional = one_step({"conditional": False})[1]
    assert unconditional.discriminator.features[0].weight.shape == (4, 3, 4, 4)
    assert one_step({"g_in_planes": 3, "g_out_planes": 1})[0].shape == (4,)
    assert len(Generator(settings(g_layers=3), 32).trainable_params()) < len(trainer.generator.trainable_params())


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    random = np.random.default_rng(5)
    files = []
    for number in range(1, 6):
        noise = random.integers(0, 256, (30, 80, 3), np.uint8)
        content = io.BytesIO()
        Image.fromarray(noise).save(content, "JPEG")
        files.append(folder / f"{number}.jpg")
        files[-1].write_bytes(content.getvalue())
    write_records(files, folder / "train.mindrecord")
    return files, folder / "train.mindrecord"


@pytest.mark.parametrize("changes", [{}, {"direction": "BtoA"}, {"jitter": False}, {"flip": False}, {"load_size": 32}])
def test_crop_flip_and_direction_match_pillow_pixel_by_pixel(records, changes):
    files, record = records
    chosen = settings(keep_aspect=False, **changes)
    plan = sample_epoch(len(files), 3, chosen)
    loaded = list(batches([record], plan, [[0, 1], [2, 3], [4]], chosen))
    assert [x.shape for x, _ in loaded] == [(2, 3, 32, 32), (2, 3, 32, 32), (1, 3, 32, 32)]
    xs, ys = (np.concatenate(halves) for halves in zip(*loaded, strict=True))
    for position in range(5):
        image = Image.open(files[plan.order[position]])
        halves = [image.crop((0, 0, 40, 30)), image.crop((40, 0, 80, 30))]
        if chosen.direction == "BtoA":
            halves.reverse()
        for half, array in zip(halves, (xs[position], ys[position]), strict=True):
            load = chosen.load_size if chosen.jitter else 32
            half = half.resize((load, load), Image.Resampling.BICUBIC)
            left, top = (int(plan.left[position]), int(plan.top[position])) if chosen.jitter else (0, 0)
            half = half.crop((left, top, left + 32, top + 32))
            if plan.flip[position]:
                half = half.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            assert np.array_equal(to_pixels(array), np.asarray(half))
            assert np.abs(array - (np.asarray(half).transpose(2, 0, 1) / 127.5 - 1)).max() < 1e-6


def test_order_crops_and_flips_depend_only_on_seed_and_epoch():
    plans = {key: sample_epoch(500, key[1], settings(seed=key[0])) for key in ((0, 1), (0, 2), (1, 1))}
    again = sample_epoch(500, 1, settings())
    assert np.array_equal(plans[0, 1].order, again.order)
    assert np.array_equal(plans[0, 1].left, again.left)
    assert sorted(again.order) == list(range(500))
    assert not np.array_equal(plans[0, 1].order, plans[0, 2].order)
    assert not np.array_equal(plans[0, 1].order, plans[1, 1].order)
    assert (again.left.min(), again.left.max(), again.top.max()) == (0, 8, 8)
    assert 0.4 < again.flip.mean() < 0.6
    assert not sample_epoch(500, 1, settings(flip=False)).flip.any()
    assert not sample_epoch(500, 1, settings(jitter=False)).left.any()
