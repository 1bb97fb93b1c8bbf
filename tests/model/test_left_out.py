"""Three unreadable images and a wrong count, from the archive to the scores and the pages."""

import json

from archives import make_archive, noise_image
from conftest import ROOT, script
from PIL import Image

from pix2pix.data.records import iterate

FACTS = {
    "checkpoint": "g.ckpt",
    "checkpoint_sha256": "ab" * 32,
    "generator_mode": "batch",
    "resize": "bicubic",
    "direction": "AtoB",
    "val_pic_size": 16,
    "predict_split": "val",
    "seed": 0,
}
LINE = "2 unreadable images of train/ left out; 1 unreadable image of val/ left out; val/ has 4 images instead of 5"


def run(name: str, *arguments: object) -> str:
    done = script(name, *arguments)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_scores_and_pages_say_what_was_left_out(tmp_path):
    files = {f"x/{split}/{n}.png": noise_image() for split in ("train", "val") for n in range(4)}
    files |= {"x/train/1.png": b"", "x/train/2.png": b"text", "x/val/3.png": noise_image()[:-99]}
    archive = make_archive(tmp_path / "x.tar.gz", files)
    flags = ["--splits", "train=4", "val=5", "--bad", 3, "--count", 1]
    assert LINE in run("extract", archive, tmp_path / "x/pairs", *flags)
    records, results = tmp_path / "x/val.mindrecord", tmp_path / "results"
    run("mindrecord", tmp_path / "x/pairs", records, "--split", "val")
    for kind in ("input", "prediction", "target"):
        (results / "predict" / kind).mkdir(parents=True)
        for name, _ in iterate([records]):
            Image.new("RGB", (16, 16)).save(results / "predict" / kind / f"{name}.png")
    Image.new("RGB", (48, 16)).save(results / "predict/grid.png")
    (results / "predict/facts.json").write_text(json.dumps(FACTS))
    outputs = ["--csv", results / "metrics.csv", "--json", results / "metrics.json"]
    run("evaluate", records, "--predict_dir", results / "predict", *outputs)
    metrics = json.loads((results / "metrics.json").read_text())
    assert metrics["n"] == 3
    assert list(metrics["left_out"]["images"]) == ["x/train/1.png", "x/train/2.png", "x/val/3.png"]
    assert metrics["left_out"]["counts"] == {"val": {"declared": 5, "found": 4}}
    run("describe", results, results / "run.html", results / "gallery.html")
    pages = ["--csv", results / "summary.csv", "--html", results / "summary.html"]
    run("summarize", results, *pages, "--published", ROOT / "workflow/published.yaml")
    for page in ("run.html", "summary.html"):
        assert f"<strong>The dataset is incomplete:</strong> {LINE}." in (results / page).read_text()
