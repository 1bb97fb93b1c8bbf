"""The configurations and commands of docs/own-data.md, as they stand in the page, with small images and networks.

The first section is the fixture `finished`; the others continue in a copy of its folder, most of them in one call of
Snakemake.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import own_data
import pytest
import warm
import yaml
from conftest import ROOT, TINY_RUN, draw_pairs, planned, snakemake
from PIL import Image
from safetensors.numpy import load_file

from pix2pix.config.runs import read_config
from pix2pix.data.records import iterate
from pix2pix.model.checkpoint import read_checkpoint

SCHEDULE = {"epoch_num", "n_epochs", "n_epochs_decay", "batch_size"}
SIZES = {"load_size", "train_pic_size", "val_pic_size"}
ODD = "-o {z} $(touch HIT) ' %20"  # a folder that the list names
EXPORTED = {"Generator.onnx", "Generator.mindir", "Generator.safetensors", "README.md", "grid.png"}
RUNTIME = ROOT / "workflow/try/runtime"


def draw_halves(work: Path, number: int, places: tuple[str, str], wide: bool = False) -> None:
    """Draw pairs and write their halves, 32 x 32 or 64 x 32 pixels, to the files {places}.format(n)."""
    drawn = draw_pairs(work / f"{places[1].partition('/')[0]} drawn", train=number)
    for place, left in zip(places, (0, 32), strict=True):
        for n in range(1, number + 1):
            file = work / place.format(n)
            file.parent.mkdir(parents=True, exist_ok=True)
            with Image.open(drawn / "train" / f"{n}.png") as pair:
                half = pair.crop((left, 0, left + 32, 32))
                (half.resize((64, 32)) if wide else half).save(file)


def names(work: Path, dataset: str) -> set[str]:
    files = [work / f"data/{dataset}/{split}.mindrecord" for split in ("train", "val")]
    return {name for file in files for name, _ in iterate([file])}


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def draw_inputs(work: Path, data: Path) -> None:
    """Draw what the sections name: photos and drawings, a list of pairs, few pairs of chalets, and holiday pictures."""
    draw_halves(work, 14, ("photos/{:04}.jpg", "drawings/{:04}.png"), wide=True)
    (work / "photos/lonely.jpg").write_bytes(b"without a partner")
    draw_halves(work, 6, (f"{ODD.replace('{z}', '{{z}}')}/{{}}.png", "maps/{}.png"))
    splits = {n: "val" if n > 4 else "train" for n in range(1, 7)}
    rows = [f"{ODD}/{n}.png,maps/{n}.png,{split}" for n, split in splits.items()]
    (work / "roads.csv").write_text("\n".join(["a,b,split", *rows, "lost.png,maps/1.png,val"]))
    draw_pairs(data / "chalets", train=3, val=1)
    photo = Image.fromarray(np.random.default_rng(2).integers(0, 256, (20, 31, 3), np.uint8))
    for folder in (data / "holiday", work / "holiday"):
        folder.mkdir()
        photo.save(folder / "a b.jpg")
        photo.crop((0, 0, 9, 20)).save(folder / "ümlaut.png")
    photo.save(work / "portrait.jpg")


def small(title: str, data: Path, given: set[str]) -> list[dict]:
    """The configurations of a section, and one with the keys `given` of TINY_RUN for each of its runs but roofs."""
    configs = own_data.configs(title, data)
    runs = {name for config in configs for name in config.get("runs", {})} - {"roofs"}
    return [*configs, {"runs": {name: {key: TINY_RUN[key] for key in given} for name in sorted(runs)}}]


@pytest.fixture(scope="module")
def work(finished, tmp_path_factory) -> tuple[Path, Path, tuple[str, ...]]:
    """The folder after the commands of the sections, the folder in place of /data, and the arguments of Snakemake."""
    folder = tmp_path_factory.mktemp("sections") / "work"
    data = tmp_path_factory.mktemp("my {pictures}'s")
    shutil.copytree(finished[0], folder)
    draw_inputs(folder, data)
    [_, rectangles] = own_data.configs("Sizes", data)
    titles = {
        "Pairs in two folders": set(TINY_RUN) - SIZES,
        "A list of pairs": set(TINY_RUN),
        "Fine-tuning": SCHEDULE | SIZES,
        "Translating images without targets": set(),
    }
    found = [config for title, given in titles.items() for config in small(title, data, given)] + [rectangles]
    files = [f"{number}.yaml" for number in range(len(found))]
    for file, config in zip(files, found, strict=True):
        (folder / file).write_text(yaml.safe_dump(config))
    titles = [*titles, "Exporting a generator"] + ["In the browser"] * RUNTIME.exists()
    commands = [own_data.command(title) for title in titles]
    assert all(words[1] == "--configfile" and len(words) == 3 for words in commands)
    # of the list, only the records: training on them is like training on others
    targets = [words[0] for words in commands if words[0] != "roads"]
    targets += [f"data/roads/{split}.mindrecord" for split in ("train", "val")]
    arguments = (*targets, "--configfile", str(finished[1]), *files)
    snakemake(folder, *arguments)
    return folder, data, arguments


def test_pairs_in_two_folders_and_rectangular_sizes(work):
    folder = work[0]
    assert names(folder, "streets") == {f"{n:04}" for n in range(1, 15)}
    predicted = {file.stem: size_of(file) for file in (folder / "results/streets/predict/prediction").iterdir()}
    held_out = [name for name, _ in iterate([folder / "data/streets/val.mindrecord"])]
    assert predicted == dict.fromkeys(held_out, (512, 256))
    assert (folder / "data/streets/unpaired.csv").read_text().splitlines() == [
        "left_out",
        "photos/lonely.jpg: has no partner in drawings",
    ]


def test_list_of_pairs(work):
    folder = work[0]
    assert names(folder, "roads") == {"1", "2", "3", "4", "5", "6"}
    assert not list(folder.rglob("HIT"))


def test_fine_tuning(work):
    folder = work[0]
    log = (folder / "logs/train/chalets_2.log").read_text()
    assert "init_ckpt: the generator starts from results/roofs/ckpt/Generator_2.ckpt" in log
    assert "init_d_ckpt: the discriminator starts from results/roofs/ckpt/Discriminator_2.ckpt" in log
    # the architecture is that of roofs
    tuned = read_checkpoint(folder / "results/chalets/ckpt/Generator_2.ckpt").arrays
    assert tuned["model.model.0.weight"].shape == (TINY_RUN["g_ngf"], 3, 4, 4)
    assert json.loads((folder / "results/chalets/metrics.json").read_text())["n"] == 1


def test_translation_as_a_target(work):
    folder = work[0]
    made = {}
    for run in ("roofs", "roofs_backwards"):
        result = folder / "results" / run / "translate/holiday"
        made[run] = {name: (result / f"prediction/{name}.png").read_bytes() for name in ("a b", "ümlaut")}
        assert size_of(result / "prediction/a b.png") == (31, 20)
        page = (result / "index.html").read_text()
        assert 'href="input/a%20b.png"' in page
        assert 'href="prediction/a%20b.png"' in page
        assert "2 images: input and prediction." in page
    assert made["roofs"] != made["roofs_backwards"]


def test_translation_as_a_program(work):
    folder = work[0]
    program, *arguments = own_data.command("Translating images without targets", "python")
    status, output = warm.run(ROOT / program, arguments, folder)
    assert status == 0, output
    assert "WARNING" not in output, "MindSpore has nothing against several sizes"
    sizes = {file.name: size_of(file) for file in (folder / "sketched").iterdir()}
    assert sizes == {"a b.png": (31, 20), "ümlaut.png": (9, 20), "portrait.png": (31, 20)}
    as_target = folder / "results/roofs/translate/holiday/prediction"
    for name in ("a b.png", "ümlaut.png"):
        assert (folder / "sketched" / name).read_bytes() == (as_target / name).read_bytes()


def test_export_has_files_that_load_as_its_card_says(work, tmp_path):
    folder = work[0]
    run, made = folder / "results/roofs", folder / "results/roofs/export"
    assert {path.name for path in made.iterdir() if path.name[0] != "."} == EXPORTED
    assert all(path.stat().st_mode & 0o040 for path in made.iterdir()), "readable for the group"
    card = (made / "README.md").read_text()
    assert "trained on the dataset roofs\n(AtoB, 2 epochs)" in card
    scores = json.loads((run / "metrics.json").read_text())["metrics"]
    assert f"| l1 | {scores['l1']['mean']:.4g} |" in card
    assert "to the last bit, one image at a time; equal to 3 predictions" in card
    about = onnxruntime.InferenceSession(made / "Generator.onnx").get_modelmeta().custom_metadata_map["pix2pix"]
    assert json.loads(about)["generator"]["g_ngf"] == 4
    assert load_file(made / "Generator.safetensors")["model.0.weight"].shape == (4, 3, 4, 4)
    # the lines of the card, as a user would paste them
    parts = [part.splitlines() for part in card.split("\n\n")]
    code = [[line[4:] for line in block] for block in parts if all(line.startswith("    ") for line in block)]
    onnx_lines, mindspore_lines, _, save_lines = code
    with Image.open(run / "predict/prediction/1.png") as image:
        expected = np.asarray(image).astype(int)
    for lines in ([*onnx_lines, *save_lines], [*onnx_lines, *mindspore_lines, *save_lines]):
        copy = shutil.copytree(made, tmp_path / str(len(lines)))
        shutil.copy(run / "predict/input/1.png", copy / "input.png")
        subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=copy, check=True)
        with Image.open(copy / "output.png") as image:
            assert np.abs(np.asarray(image) - expected).max() <= 1


def test_page_with_the_generator(work):
    if not RUNTIME.exists():
        pytest.skip("no runtime for try.html; to install it: make try")
    assert "<h1>" in (work[0] / "results/roofs/try.html").read_text()


def test_what_runs_again_when_images_change(work):
    folder, data, arguments = work
    assert planned(folder, *arguments) == {}
    (folder / "drawings/lonely.png").write_bytes(b"its partner")
    with open(folder / ODD / "1.png", "ab") as file:
        file.write(b" ")
    shutil.copy(folder / "portrait.jpg", data / "holiday")
    again = planned(folder, *arguments)
    chosen = ("pair", "extract", "mindrecord", "train", "translate", "export")
    assert {rule: again.get(rule) for rule in chosen} == {
        "pair": 2, "extract": 2, "mindrecord": 4, "train": 1, "translate": 2, "export": None,
    }  # fmt: skip


def test_predictions_at_the_size_of_each_image(finished, tmp_path):
    folder = shutil.copytree(finished[0], tmp_path / "work")
    [native] = own_data.configs("Predictions at the size of each image", folder)
    (folder / "native.yaml").write_text(yaml.safe_dump(native))
    snakemake(folder, "results/roofs/predict", "--configfile", str(finished[1]), "native.yaml")
    assert json.loads((folder / "results/roofs/predict/facts.json").read_text())["val_pic_size"] == "native"
    assert size_of(folder / "results/roofs/predict/prediction/1.png") == (32, 32)


def test_sizes_for_quick_experiments(finished):
    [quick, _] = own_data.configs("Sizes", Path("/data"))
    config = yaml.safe_load(finished[1].read_text())
    train = read_config(config | quick | {"all": ["roofs"]})[1]["roofs"].train
    assert (train.load_size, train.train_pic_size, train.g_layers) == (143, 128, 7)
