"""Metrics agree with known cases and with scikit-image; a missing image is an error and does not reduce n."""

import csv
import io
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import draw_pairs, script
from PIL import Image, ImageDraw
from pydantic import ValidationError
from skimage.metrics import mean_squared_error, structural_similarity

from pix2pix.config.settings import PredictSettings, TrainSettings
from pix2pix.data.loader import batches, sample_epoch, to_pixels, whole_pairs
from pix2pix.data.records import write_records
from pix2pix.demo.drawing import draw_pair
from pix2pix.demo.houses import KINDS
from pix2pix.evaluation.facts import read_facts
from pix2pix.evaluation.metrics import compare, read_prediction, summarise, summarise_labels
from pix2pix.evaluation.segmentation import CLASSES, IGNORED, ceiling, classify, confusion, label_scores
from pix2pix.system.errors import InputError


def flat(value: int | tuple[int, int, int], size: int = 16) -> np.ndarray:
    return np.full((size, size, 3), value, np.uint8)


def test_identical_images():
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert compare(image, image) == {"l1": 0.0, "psnr": math.inf, "ssim": pytest.approx(1.0)}


def test_a_constant_shift():
    scores = compare(flat(110), flat(100))
    assert scores["l1"] == 10
    assert scores["psnr"] == pytest.approx(10 * math.log10(255**2 / 10**2))
    # two flat images: (2 m1 m2 + c1) / (m1^2 + m2^2 + c1), with c1 = (0.01 * 255)^2
    c1 = (0.01 * 255) ** 2
    assert scores["ssim"] == pytest.approx((2 * 110 * 100 + c1) / (110**2 + 100**2 + c1))


def test_the_difference_of_bytes_does_not_wrap():
    assert compare(flat(0), flat(255))["l1"] == 255
    assert compare(flat(255), flat(0))["psnr"] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_photos_and_label_maps_agree_with_scikit_image(kind):
    photo, labels = draw_pair(kind, np.random.default_rng(0), 256)
    scores = compare(labels, photo)
    assert scores["l1"] == pytest.approx(np.abs(labels.astype(float) - photo).mean())
    assert scores["psnr"] == pytest.approx(10 * math.log10(255**2 / mean_squared_error(photo, labels)))
    channels = [
        structural_similarity(
            photo[..., c], labels[..., c], data_range=255, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False,
        )
        for c in range(3)
    ]  # fmt: skip
    assert scores["ssim"] == pytest.approx(np.mean(channels))


def test_mean_deviation_and_interval():
    scores = np.random.default_rng(1).normal(20, 3, 200)
    summary = summarise(scores.tolist())
    assert summary["mean"] == pytest.approx(scores.mean())
    assert summary["std"] == pytest.approx(scores.std(ddof=1))
    half = 1.96 * summary["std"] / math.sqrt(200)
    assert summary["ci95"] == pytest.approx([scores.mean() - half, scores.mean() + half], abs=0.1)
    assert summarise([3.0]) == {"mean": 3.0, "std": None, "ci95": None}
    assert summarise([2.0, math.inf])["mean"] == math.inf


def test_the_nearest_colour_determines_the_class():
    names = list(CLASSES)
    near = np.array([[(130, 60, 126), (68, 133, 178), (2, 1, 140), (3, 0, 0)]], np.uint8)
    classes = classify(near)[0]
    assert [names[index] for index in classes[:3]] == ["road", "sky", "car"]
    assert classes[3] >= len(names)
    assert len(set(CLASSES.values()) | set(IGNORED.values())) == len(CLASSES) + len(IGNORED) == 29


def test_a_known_confusion_matrix():
    road, sky, car, void = CLASSES["road"], CLASSES["sky"], CLASSES["car"], (0, 0, 0)
    target = np.array([[road] * 4 + [sky] * 4 + [car] * 2 + [void] * 2], np.uint8)
    found = np.array([[road] * 3 + [sky] + [sky] * 2 + [void] * 2 + [car] * 2 + [road, sky]], np.uint8)
    scores = label_scores(confusion(found, target))
    # 7 of 10 evaluated pixels are correct; road 3 of 4, sky 2 of 4, car 2 of 2
    assert scores["pixel_accuracy"] == pytest.approx(0.7)
    assert scores["class_accuracy"] == pytest.approx((3 / 4 + 2 / 4 + 2 / 2) / 3)
    # unions: road 4, sky 5 (one road pixel was predicted as sky), car 2; predictions on void are not counted
    assert scores["class_iou"] == pytest.approx((3 / 4 + 2 / 5 + 2 / 2) / 3)


def test_a_class_that_is_only_predicted_counts_in_iou():
    matrix = confusion(
        np.array([[CLASSES["bus"], CLASSES["road"]]], np.uint8), np.array([[CLASSES["road"]] * 2], np.uint8)
    )
    assert label_scores(matrix) == {"pixel_accuracy": 0.5, "class_accuracy": 0.5, "class_iou": 0.25}


def test_label_scores_count_the_pixels_of_all_images_together():
    road, sky = (np.full((4, 4, 3), CLASSES[name], np.uint8) for name in ("road", "sky"))
    summary = summarise_labels(np.array([confusion(road, road), confusion(road, sky)]))
    assert summary["pixel_accuracy"]["mean"] == 0.5
    assert summary["class_iou"]["mean"] == pytest.approx((16 / 32 + 0) / 2)
    # pseudovalues 1 and 0: half the interval is t(1, .975) = 12.706 times .5
    assert summary["pixel_accuracy"]["ci95"] == [0.0, 1.0]


def test_the_interval_of_label_scores_is_that_of_the_mean_if_all_images_count_equally():
    road, sky = CLASSES["road"], CLASSES["sky"]
    shares = [3, 9, 14, 7, 10, 12, 8, 11, 5, 15]
    target = np.full((4, 4, 3), road, np.uint8)
    matrices = []
    for right in shares:
        found = np.array([road] * right + [sky] * (16 - right), np.uint8).reshape(4, 4, 3)
        matrices.append(confusion(found, target))
    found = summarise_labels(np.array(matrices))["pixel_accuracy"]
    assert found["ci95"] == pytest.approx(summarise([share / 16 for share in shares])["ci95"])


def test_the_interval_covers_the_true_mean_of_ten_scores_at_its_nominal_rate():
    samples = np.random.default_rng(0).normal(20, 3, (2000, 10))
    covered = [low < 20 < high for low, high in (summarise(list(scores))["ci95"] for scores in samples)]
    assert 0.94 <= np.mean(covered) <= 0.96


def test_the_ceiling_is_the_score_of_exact_colours_against_their_own_jpeg():
    image = Image.new("RGB", (512, 256), CLASSES["sky"])
    draw = ImageDraw.Draw(image)
    draw.rectangle((256, 150, 511, 255), CLASSES["road"])
    for left in range(270, 500, 20):
        draw.rectangle((left, 60, left + 5, 200), CLASSES["pole"])
    clean = np.asarray(image)[:, 256:]
    exact, lossy = io.BytesIO(), io.BytesIO()
    image.save(exact, "PNG")
    image.save(lossy, "JPEG", quality=75)
    assert label_scores(ceiling(exact.getvalue(), "AtoB"))["class_iou"] == 1
    stored = np.asarray(Image.open(lossy).convert("RGB"))[:, 256:]
    truth = label_scores(confusion(clean, stored))
    estimate = label_scores(ceiling(lossy.getvalue(), "AtoB"))
    assert truth["class_iou"] < 0.9
    for name, value in truth.items():
        assert estimate[name] == pytest.approx(value, abs=0.05), name


def test_resizing_a_label_target_adds_no_colours(tmp_path):
    pair = np.zeros((32, 64, 3), np.uint8)
    pair[:, 32:48], pair[:, 48:] = CLASSES["road"], CLASSES["sky"]
    pair[10:20, 32:] = CLASSES["car"]
    (tmp_path / "val").mkdir()
    Image.fromarray(pair).save(tmp_path / "val" / "1.png")
    write_records([tmp_path / "val" / "1.png"], tmp_path / "val.mindrecord")
    for labels, colours in ((True, 3), (False, 4)):
        [(_, _, target)] = whole_pairs([tmp_path / "val.mindrecord"], 48, "AtoB", labels)
        found = np.unique(target.reshape(-1, 3), axis=0)
        assert (len(found) == 3) == labels
        assert len(found) >= colours
    settings = TrainSettings(
        load_size=47, train_pic_size=32, g_layers=3, d_layers=1, target_palette="cityscapes", flip=False
    )
    [(_, y)] = batches([tmp_path / "val.mindrecord"], sample_epoch(1, 1, settings), [[0]], settings)
    assert len(np.unique(to_pixels(y[0]).reshape(-1, 3), axis=0)) == 3


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("facts.json", {"val_pic_size": "large"}),
        ("facts.json", {"direction": 5}),
        ("facts.json", {"checkpoint_sha256": None}),
        ("facts.json", [1, 2]),
        ("facts.json", "{"),
    ],
)
def test_invalid_edits_of_facts_give_one_line(measured, tmp_path, name, edit):
    shutil.copytree(measured, tmp_path / "copy")
    file = tmp_path / "copy" / "predict" / name
    content = json.loads(file.read_text())
    if isinstance(edit, dict):
        edit = content | edit
    file.write_text(edit if isinstance(edit, str) else json.dumps(edit))
    result = evaluate(tmp_path / "copy", tmp_path)
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1].startswith(f"error: {file}: damaged (")
    assert result.stdout.splitlines()[-1].endswith("predict again")
    assert "Traceback" not in result.stdout


@pytest.mark.parametrize("size", [4, 8])
def test_a_size_below_the_window_of_ssim_is_refused_before_anything_is_predicted(size):
    with pytest.raises(ValidationError, match=rf"val_pic_size \({size}\) is smaller than the SSIM window"):
        PredictSettings(val_pic_size=size, g_layers=2)
    small = {"train_pic_size": size, "load_size": size, "g_layers": 2, "d_layers": 0}
    with pytest.raises(ValidationError, match="SSIM window"):
        TrainSettings(eval_epoch_freq=1, **small)
    TrainSettings(**small)


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> Path:
    """Records, and predictions identical to the targets, except for one that is 10 levels brighter."""
    folder = tmp_path_factory.mktemp("measured")
    draw_pairs(folder / "pairs", train=1, val=3)
    assert script("mindrecord", folder / "pairs", folder / "val.mindrecord", "--split", "val").returncode == 0
    (folder / "predict" / "prediction").mkdir(parents=True)
    for number in (1, 2, 3):
        with Image.open(folder / "pairs" / "val" / f"{number}.png") as pair:
            target = np.asarray(pair.crop((32, 0, 64, 32))) + (10 if number == 2 else 0)
        Image.fromarray(target.astype(np.uint8)).save(folder / "predict" / "prediction" / f"{number}.png")
    facts = {
        "checkpoint": "G.ckpt", "checkpoint_sha256": "ab", "generator_mode": "batch", "resize": "none",
        "direction": "AtoB", "val_pic_size": 32, "predict_split": "val", "seed": 7, "target_palette": "cityscapes",
    }  # fmt: skip
    (folder / "predict" / "facts.json").write_text(json.dumps(facts))
    return folder


def evaluate(folder: Path, out: Path, *flags: str):
    return script(
        "evaluate", folder / "val.mindrecord", "--predict_dir", folder / "predict",
        "--csv", out / "metrics.csv", "--json", out / "metrics.json", "--run", "mine", "--dataset", "squares", *flags,
    )  # fmt: skip


def test_the_files_contain_every_image_and_what_the_scores_depend_on(measured, tmp_path):
    assert evaluate(measured, tmp_path).returncode == 0
    with open(tmp_path / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["name"], float(row["l1"])) for row in rows] == [("1", 0), ("2", 10), ("3", 0)]
    report = json.loads((tmp_path / "metrics.json").read_text())
    known = {"n": 3, "run": "mine", "dataset": "squares", "direction": "AtoB", "seed": 7, "checkpoint_sha256": "ab"}
    assert known.items() <= report.items()
    assert report["metrics"]["l1"]["mean"] == pytest.approx(10 / 3)
    assert report["metrics"]["psnr"]["mean"] == "inf"
    assert set(report["metrics"]) == {"l1", "psnr", "ssim", "pixel_accuracy", "class_accuracy", "class_iou"}
    assert set(report["metrics"]) <= set(report["definitions"]) | {"classes"}


def test_a_missing_prediction_is_an_error_not_a_smaller_n(measured, tmp_path):
    shutil.copytree(measured, tmp_path / "copy")
    (tmp_path / "copy" / "predict" / "prediction" / "2.png").unlink()
    result = evaluate(tmp_path / "copy", tmp_path)
    assert result.returncode == 1
    [line] = [line for line in result.stdout.splitlines() if line.startswith("error: ")]
    assert "2.png: the prediction is missing" in line
    assert not (tmp_path / "metrics.json").exists()


def test_predictions_of_another_size_damaged_or_without_facts_are_errors(tmp_path):
    (tmp_path / "prediction").mkdir()
    Image.new("RGB", (30, 32)).save(tmp_path / "prediction" / "1.png")
    (tmp_path / "prediction" / "2.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"1\.png: 30x32 pixels, not 32x32"):
        read_prediction(tmp_path, "1", 32, 32)
    with pytest.raises(InputError, match=r"2\.png: the prediction is damaged"):
        read_prediction(tmp_path, "2", 32, 32)
    with pytest.raises(InputError, match=r"facts\.json: missing or not readable; delete .* and predict again"):
        read_facts(tmp_path)
