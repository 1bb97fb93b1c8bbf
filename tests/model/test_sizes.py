"""Images that are not square, or of another aspect ratio than the size asked for."""

import csv
import json
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from conftest import script
from PIL import Image

from pix2pix.config.settings import TrainSettings
from pix2pix.data.loader import batches, sample_epoch, to_pixels, whole_pairs
from pix2pix.data.packing import split_files
from pix2pix.data.records import write_records
from pix2pix.evaluation.tiles import translate_whole
from pix2pix.model.networks import Generator, compile_forward

NETWORK = ("--g_layers", 3, "--g_ngf", 4)
TRAIN = (*NETWORK, "--epoch_num", 1, "--n_epochs", 1, "--d_ndf", 4, "--d_layers", 1)


def ramps(height: int, width: int) -> Image.Image:
    """A half whose red and green are its coordinates, so that every crop of it shows where it is from."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack((255 * x // width, 255 * y // height, 0 * x), axis=-1).astype(np.uint8))


def write_pairs(folder: Path, sizes: list[tuple[int, int]]) -> Path:
    """Write records of pairs with these halves (height, width), the right one a copy of the left."""
    (folder / "val").mkdir(parents=True)
    for number, (height, width) in enumerate(sizes):
        pair = Image.new("RGB", (2 * width, height))
        for left in (0, width):
            pair.paste(ramps(height, width), (left, 0))
        pair.save(folder / "val" / f"{number}.png")
    write_records(split_files(folder / "val"), folder / "val.mindrecord")
    return folder / "val.mindrecord"


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> Path:
    """A wide, a high and a square pair, in val.mindrecord."""
    return write_pairs(tmp_path_factory.mktemp("shapes"), [(48, 96), (96, 48), (64, 64)])


@pytest.fixture(scope="module")
def ckpt(records) -> Path:
    """A generator trained on rectangles, with a note about the squashed halves and an evaluation on val/."""
    folder = records.parent / "run"
    folders = [f"--{flag}={folder / flag}" for flag in ("ckpt_dir", "train_fakeimg_dir", "loss_show_dir", "state_dir")]
    sizes = ("--load_size", "[40,72]", "--train_pic_size", "[32,64]", "--keep_aspect", "false")
    done = script(
        "train", records, *folders, *TRAIN, *sizes, "--eval_epoch_freq", 1, "--held_out", records, "--batch_size", 2
    )
    assert done.returncode == 0, done.stdout
    note = f"{records}: halves of 96x48 pixels are squashed to 72x40; keep_aspect: true keeps their aspect ratio"
    assert done.stdout.splitlines().count(note) == 1
    assert (folder / "train_fakeimg_dir" / "epoch_0001.png").exists()
    return folder / "ckpt_dir" / "Generator_1.ckpt"


def predict(records: Path, ckpt: Path, folder: Path, *flags: object) -> dict[str, tuple[int, int]]:
    """Predict and evaluate; return the size (width, height) of each prediction, which its target has too."""
    done = script("predict", records, "--ckpt", ckpt, "--predict_dir", folder / "predict", *NETWORK, *flags)
    assert done.returncode == 0, done.stdout
    out = ("--csv", folder / "metrics.csv", "--json", folder / "metrics.json")
    done = script("evaluate", records, "--predict_dir", folder / "predict", *out)
    assert done.returncode == 0, done.stdout
    sizes = {}
    for file in (folder / "predict" / "prediction").iterdir():
        with Image.open(file) as prediction, Image.open(folder / "predict" / "target" / file.name) as target:
            assert prediction.size == target.size
            sizes[file.stem] = prediction.size
    with open(folder / "metrics.csv", newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == sorted(sizes)
    return sizes


def test_rectangles_are_trained_and_predicted(records, ckpt, tmp_path):
    flags = ("--val_pic_size", "[32,64]", "--keep_aspect", "false")
    assert predict(records, ckpt, tmp_path, *flags) == dict.fromkeys("012", (64, 32))
    report = json.loads((tmp_path / "metrics.json").read_text())
    assert (report["val_pic_size"], report["n"]) == ([32, 64], 3)
    assert report["resize"].startswith("each half to 64x32 pixels")


def test_predictions_keep_the_aspect_ratio_of_each_image(records, ckpt, tmp_path):
    sizes = predict(records, ckpt, tmp_path, "--val_pic_size", "[32,64]")
    assert sizes == {"0": (64, 32), "1": (16, 32), "2": (32, 32)}
    # the one that fills the size is the same with and without keep_aspect
    predict(records, ckpt, tmp_path / "squashed", "--val_pic_size", "[32,64]", "--keep_aspect", "false")
    images = [folder / "predict/prediction/0.png" for folder in (tmp_path, tmp_path / "squashed")]
    assert images[0].read_bytes() == images[1].read_bytes()


def settings(**changes) -> TrainSettings:
    return TrainSettings(**{"load_size": 40, "train_pic_size": 32, "g_layers": 3, "d_layers": 1} | changes)


def test_training_crops_a_part_with_the_aspect_ratio_of_the_image(records):
    chosen = settings(flip=False)
    slopes, corners = set(), set()
    for epoch in range(1, 30):
        plan = sample_epoch(3, epoch, chosen)
        for x, y in batches([records], plan, [[0], [1], [2]], chosen):
            crop = to_pixels(x[0]).astype(int)
            assert np.array_equal(crop, to_pixels(y[0]))
            across, down = crop[16, 28, 0] - crop[16, 4, 0], crop[28, 16, 1] - crop[4, 16, 1]
            slopes.add((round(across / 24), round(down / 24)))
            corners.add(crop[16, 0, 0])
    # levels per pixel: a side of 40 pixels has 255/40 = 6.4, one of 80 pixels has 3.2
    assert slopes == {(3, 6), (6, 3), (6, 6)}
    # the part may be anywhere: of 80 columns, the first in a crop of 32 is one of 0 to 48
    assert min(corners) < 255 * 3 // 80
    assert max(corners) > 255 * 45 // 80


def test_crops_of_images_with_the_aspect_ratio_of_the_size_do_not_depend_on_keep_aspect(tmp_path):
    record = write_pairs(tmp_path, [(64, 64)] * 3)
    loaded = []
    for keep in (True, False):
        chosen = settings(keep_aspect=keep)
        plan = sample_epoch(3, 1, chosen)
        loaded.append(np.concatenate([x for x, _ in batches([record], plan, [[0, 1], [2]], chosen)]))
    assert np.array_equal(*loaded)


def test_without_jitter_the_middle_is_used(records):
    chosen = settings(jitter=False, flip=False)
    plan = sample_epoch(3, 1, chosen)
    plan.order.sort()
    [x, _], *_ = batches([records], plan, [[0], [1], [2]], chosen)
    crop = to_pixels(x[0]).astype(int)
    # 48 x 96 becomes 32 x 64, of which columns 16 to 47 are used
    assert abs(crop[16, 0, 0] - 255 * 16.5 / 64) < 3
    assert abs(crop[16, -1, 0] - 255 * 47.5 / 64) < 3


def test_image_too_thin_to_be_compared_is_named(tmp_path):
    record = write_pairs(tmp_path, [(8, 64)])
    [(name, x, y)] = whole_pairs([record], 32, "AtoB", keep_aspect=True)
    assert (name, x.shape, y.shape) == ("0", (4, 32, 3), (4, 32, 3))
    facts = {
        "checkpoint": "G.ckpt", "checkpoint_sha256": "ab", "generator_mode": "batch", "resize": "none", "seed": 0,
        "direction": "AtoB", "val_pic_size": 32, "keep_aspect": True, "predict_split": "val",
    }  # fmt: skip
    (tmp_path / "predict/prediction").mkdir(parents=True)
    (tmp_path / "predict/facts.json").write_text(json.dumps(facts))
    Image.fromarray(y).save(tmp_path / "predict/prediction/0.png")
    done = script(
        "evaluate", record, "--predict_dir", tmp_path / "predict", "--csv", tmp_path / "a", "--json", tmp_path / "b"
    )
    assert done.returncode == 1
    assert "error: 0: is compared at 32x4 pixels, less than the SSIM window (11 pixels)" in done.stdout


def test_images_are_predicted_at_their_own_size(ckpt, tmp_path):
    record = write_pairs(tmp_path / "own", [(50, 70), (64, 128), (200, 40), (66, 66)])
    flags = ("--val_pic_size", "native", "--tile_size", 128)
    sizes = predict(record, ckpt, tmp_path, *flags)
    assert sizes == {"0": (70, 50), "1": (128, 64), "2": (40, 200), "3": (66, 66)}
    # the one that needs no padding is the same as at its size
    alone = write_pairs(tmp_path / "one", [(64, 128)])
    predict(alone, ckpt, tmp_path / "fixed", "--val_pic_size", "[64,128]")
    images = [tmp_path / "predict/prediction/1.png", tmp_path / "fixed/predict/prediction/0.png"]
    assert images[0].read_bytes() == images[1].read_bytes()
    with Image.open(tmp_path / "predict/target/2.png") as target:
        assert np.array_equal(np.asarray(target), np.asarray(ramps(200, 40)))
    report = json.loads((tmp_path / "metrics.json").read_text())
    assert (report["val_pic_size"], report["n"]) == ("native", 4)


def blur(x: ms.Tensor) -> ms.Tensor:
    """A local function in place of a generator: the mean over 3 x 3 pixels."""
    padded = np.pad(x.asnumpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), "edge")
    return ms.Tensor(np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3)).mean((-1, -2)))


@pytest.mark.parametrize("shape", [(130, 130), (300, 64), (500, 333), (129, 700), (40, 50), (2, 131)])
def test_tiles_are_blended_without_seams(shape):
    image = np.asarray(ramps(*shape))
    seen = []

    def forward(x: ms.Tensor) -> ms.Tensor:
        seen.append(x.shape[2:])
        return blur(x)

    output = translate_whole(forward, image, 3, 3, 128)
    assert output.shape == (3, *shape)
    assert max(max(size) for size in seen) <= 128
    assert all(side % 64 == 0 for size in seen for side in size)
    whole = blur(ms.Tensor(image.transpose(2, 0, 1)[np.newaxis] / np.float32(127.5) - 1)).asnumpy()[0]
    # at the edges of the image there is padding, and at those of a tile its neighbour has most of the weight
    inside = np.abs(output - whole)[:, 2:-2, 2:-2]
    assert inside.size == 0 or inside.max() < 1e-3 * 2


def test_dropout_works_at_every_size(tmp_path):
    generator = Generator(settings(dropout=True, g_ngf=4, g_layers=6, train_pic_size=64, load_size=64), 192)
    forward = compile_forward(generator)
    image = np.asarray(ramps(100, 300))
    outputs = [
        translate_whole(forward, image, 3, 6, 192, lambda tile, seed=seed: generator.sample_dropout(seed, tile))
        for seed in (0, 0, 1)
    ]
    assert np.array_equal(outputs[0], outputs[1])
    assert np.abs(outputs[0] - outputs[2]).max() > 0
