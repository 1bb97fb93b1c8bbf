"""The report, and a small version of the paper's comparisons, from real runs."""

import csv
import json
import re
import zipfile

import pytest
import yaml
from browser import look
from conftest import ROOT, TINY_RUN, draw_pairs, planned, snakemake


@pytest.fixture(scope="module")
def report(finished, tmp_path_factory):
    """report.zip of the finished runs, unpacked."""
    work, config = finished
    folder = tmp_path_factory.mktemp("report")
    snakemake(work, "--configfile", str(config), "--report", str(folder / "report.zip"))
    with zipfile.ZipFile(folder / "report.zip") as archive:
        archive.extractall(folder)
    return folder / "report"


def test_report_contains_overview_pages_and_grids(report, finished):
    found = {file.name: file for file in report.glob("data/raw/*/*")}
    assert set(found) == {"summary.html", "summary.csv", "run.html", "grid.png"}
    assert len(list(report.glob("data/raw/*/run.html"))) == len(list(report.glob("data/raw/*/grid.png"))) == 2
    page = (report / "report.html").read_text(encoding="utf-8")
    for text in ("Overview", "Runs", "summary: comparison of runs", "grid of inputs, predictions and targets"):
        assert text in page
    assert (finished[0] / "results/summary.html").read_bytes() == found["summary.html"].read_bytes()


def test_report_opens_without_errors_and_shows_the_pages(report, chromium):
    window = look(chromium, report / "report.html")
    window.get_by_text("Overview").first.wait_for()
    assert [line for line in window.messages if "tailwindcss" not in line] == []


def test_run_page_contains_grid_losses_scores_and_settings(finished):
    work, _ = finished
    page = (work / "results/roofs/run.html").read_text(encoding="utf-8")
    sources = [part.partition('"')[0] for part in page.split('src="')[1:]]
    # input, prediction and target of all three images, and samples of both epochs
    assert len(sources) == 3 * 3 + 2
    assert all(source.startswith("data:image/") for source in sources)
    different, _, defaults = page.partition("<h3>Different from the defaults</h3>")[2].partition("<details>")
    assert "<dt>epoch_num</dt><dd>2 <small>default 200</small></dd>" in different
    assert "<dt>update_order</dt><dd>simultaneous</dd>" in defaults
    assert "direction" not in different
    facts = json.loads((work / "results/roofs/predict/facts.json").read_text())
    assert facts["checkpoint_sha256"] in page
    metrics = json.loads((work / "results/roofs/metrics.json").read_text())
    assert re.fullmatch(r"CPU, 1 worker, \d+ threads?", metrics["trained_on"])


def test_reduced_ablation_gives_a_summary_with_all_rows(tmp_path):
    draw_pairs(tmp_path / "pairs", train=3, val=2)
    draw_pairs(tmp_path / "more", train=1, val=2)
    (tmp_path / "more" / "val").rename(tmp_path / "pairs" / "test")
    dataset = {"folder": str(tmp_path / "pairs"), "splits": {"train": 3, "val": 2, "test": 2}}
    runs = ["facades_gan", "facades_encoder_decoder_l1"]
    small = {key: value for key, value in TINY_RUN.items() if key != "d_layers"}
    over = small | {"datasets": {"facades": dataset}, "all": runs, "comparisons": {"Small": runs}, "seeds": [4]}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(over))
    ablation = ROOT / "configs" / "ablation.yaml"
    snakemake(tmp_path, "results/summary.html", "--configfile", str(ablation), str(tmp_path / "small.yaml"))
    with open(tmp_path / "results/summary.csv", newline="") as file:
        assert [(row["run"], row["seed"]) for row in csv.DictReader(file)] == [(f"{run}_seed4", "4") for run in runs]
    page = (tmp_path / "results/summary.html").read_text(encoding="utf-8")
    assert "<h2>Small</h2>" in page
    assert all(f'data-value="{run}"' in page for run in runs)
    # with lambda_gan 0 the generator learns from L1 alone
    with open(tmp_path / "results/facades_encoder_decoder_l1_seed4/history.csv", newline="") as file:
        for row in csv.DictReader(file):
            assert float(row["g_loss"]) == pytest.approx(100 * float(row["g_l1"]), rel=1e-5)
            assert float(row["d_loss"]) > 0


def test_ablation_file_is_planned_and_each_seed_is_a_run(tmp_path):
    ablation = ("--configfile", str(ROOT / "configs" / "ablation.yaml"))
    jobs = planned(tmp_path, *ablation)
    assert (jobs["train"], jobs["predict"], jobs["describe"], jobs["summarize"]) == (23, 23, 23, 1)
    assert planned(tmp_path, "facades_l1", *ablation, "--config", "seeds=[0,1,2]")["train"] == 3
