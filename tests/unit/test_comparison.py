"""Comparison of runs: rows, intervals, published results and self-contained pages."""

import csv
import math

import numpy as np
import pytest
import yaml
from conftest import ROOT, script
from measured import entry
from PIL import Image

from pix2pix.config.runs import read_config
from pix2pix.evaluation.comparison import compare_runs, rows_of
from pix2pix.evaluation.facts import TITLES, Metric
from pix2pix.evaluation.published import published_for, read_published
from pix2pix.pages.run_page import describe_run
from pix2pix.pages.summary import mark_best, place_intervals, write_page, write_table
from pix2pix.system.errors import InputError

PUBLISHED = ROOT / "workflow" / "published.yaml"


def test_several_seeds_become_one_row_with_an_interval_over_the_seeds(make_run):
    runs = [make_run(f"a_seed{seed}", "a", seed) for seed in (1, 2, 3)]
    [row] = rows_of(runs)
    score = row.scores["l1"]
    # means 21, 22, 23: t(0.975, 2) = 4.302653, standard error 1 / sqrt(3)
    assert (row.name, row.spread, score.mean, score.std) == ("a", "3 seeds", 22, 1)
    assert (score.low, score.high) == pytest.approx((22 - 4.302653 / math.sqrt(3), 22 + 4.302653 / math.sqrt(3)))
    assert row.scores["psnr"].mean == math.inf


def test_one_run_keeps_its_interval_over_the_images(make_run):
    [row] = rows_of([make_run("a")])
    score = row.scores["l1"]
    assert (score.mean, score.std, score.low, score.high, row.spread) == (20, 3, 19, 21, "images")


def test_only_runs_of_the_same_task_are_compared(make_run):
    runs = [make_run("a"), make_run("b", direction="AtoB"), make_run("c"), make_run("d", dataset="maps")]
    plain = compare_runs(runs, {})
    assert [[row.name for row in each.rows] for each in plain] == [["a", "c"], ["b"], ["d"]]
    titled = compare_runs(runs, {"Losses": ["c", "a"]})
    assert [(each.title, [row.name for row in each.rows]) for each in titled] == [
        ("Losses", ["c", "a"]), ("facades, AtoB", ["b"]), ("maps, BtoA", ["d"]),
    ]  # fmt: skip


def test_comparisons_that_differ_in_size_alone_have_different_titles(make_run):
    runs = [make_run("a", val_pic_size=128), make_run("b", val_pic_size=[128, 64]), make_run("c", dataset="maps")]
    titles = [each.title for each in compare_runs(runs, {})]
    assert titles == ["facades, BtoA: val/, 128x128 pixels", "facades, BtoA: val/, 64x128 pixels", "maps, BtoA"]


def test_table_has_a_row_for_each_run_and_each_group_of_seeds(make_run, tmp_path):
    runs = [make_run("a_seed1", "a", 1), make_run("a_seed2", "a", 2), make_run("b")]
    runs[2].metrics["fid"] = Metric.model_validate(entry(99.5, None))
    write_table(runs, tmp_path / "summary.csv")
    with open(tmp_path / "summary.csv", newline="") as file:
        rows = {row["run"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["a_seed1", "a_seed2", "b", "a"]
    assert (rows["a"]["l1_mean"], rows["a"]["interval_over"], rows["a"]["seed"]) == ("21.5", "2 seeds", "")
    assert (rows["b"]["fid_mean"], rows["a_seed1"]["fid_mean"]) == ("99.5", "")
    assert rows["a_seed1"]["checkpoint_sha256"] == "ab" * 32


def test_published_results_are_compared_only_if_split_and_protocol_agree(make_run):
    data = read_published(PUBLISHED)
    metrics = make_run("a").model_dump()["metrics"] | {"fid": entry(130.0, None)}
    same = make_run("a", predict_split="test", n=106, metrics=metrics)
    beside = [each for each in published_for(compare_runs([same], {})[0], data) if each.metrics]
    assert [each.scores for each in beside] == [{"mmagic": [124.9773], "official": [119.135]}]
    assert "resized to 299 pixels by PyTorch" in beside[0].note
    reasons = [each.note for each in published_for(compare_runs([make_run("b", metrics=metrics)], {})[0], data)]
    assert reasons[0] == "split test, here val; number of images 106, here 100"
    unmeasured = make_run("c", predict_split="test", n=106)
    assert published_for(compare_runs([unmeasured], {})[0], data)[0].note == "FID was not measured here"
    cityscapes = make_run("d", dataset="cityscapes", direction="AtoB", n=500)
    [each] = published_for(compare_runs([cityscapes], {})[0], data)
    assert (each.metrics, each.scores["L1+cGAN"]) == ([], [0.83, 0.36, 0.29])


def test_every_published_result_has_a_source_and_a_metric_or_a_reason():
    data = read_published(PUBLISHED)
    for each in data["numbers"]:
        assert each["source"] in data["sources"]
        assert ("differs" in each) != ("metrics" in each)
        assert all(len(values) == len(each["columns"]) for values in each["scores"].values())
        assert set(each.get("metrics", [])) <= set(TITLES)


def test_the_best_mean_is_marked_and_what_overlaps_its_interval(make_run):
    def run(name: str, mean: float | str, interval: list[float] | None) -> object:
        metrics = {name: entry(mean, 1.0, interval) for name in ("l1", "ssim")}
        return make_run(name, metrics=metrics)

    rows = rows_of([run("a", 20, [18, 22]), run("b", 21, [21.5, 23]), run("c", 30, [29, 31]), run("d", 19, None)])
    assert mark_best(rows, "l1") == {"d": "best", "a": "level"}, "lower is better; 19 lies within 18 to 22"
    assert mark_best(rows, "ssim") == {"c": "best"}
    assert mark_best(rows[:2], "l1") == {"a": "best", "b": "level"}
    assert mark_best(rows[:1], "l1") == {} == mark_best(rows, "fid")
    # from 18 to 31: 13 wide
    assert place_intervals(rows, "l1")["a"] == (0.0, pytest.approx(100 * 4 / 13, abs=0.1), pytest.approx(15.4))
    assert place_intervals(rows, "l1")["d"] == (pytest.approx(7.7),) * 3
    assert place_intervals(rows[:1], "l1") == {} == place_intervals(rows_of([run("e", "inf", None)]), "l1")


def test_a_summary_of_23_runs_is_at_most_two_megabytes(make_run, tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    runs = [make_run(f"run_{number}") for number in range(23)]
    for run in runs:
        for file in run.folder.glob("predict/*/*.png"):
            # structure at all scales, like a photograph
            Image.fromarray(noise).resize((256, 256), Image.Resampling.BICUBIC).save(file)
    write_page(runs, {}, read_published(PUBLISHED), tmp_path / "summary.html")
    assert (tmp_path / "summary.html").stat().st_size <= 2e6


def test_a_missing_or_damaged_image_is_named(make_run, tmp_path):
    run = make_run("a")
    file = run.folder / "predict" / "target" / "2.png"
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(InputError, match=r"target/2\.png: the image is damaged; delete .*/a/predict and run"):
        write_page([run], {}, {"numbers": []}, tmp_path / "summary.html")
    (run.folder / "predict" / "prediction" / "1.png").unlink()
    with pytest.raises(InputError, match=r"prediction/1\.png: the image is missing"):
        write_page([run], {}, {"numbers": []}, tmp_path / "summary.html")


def test_page_is_self_contained(make_run, tmp_path):
    # a run may be called input
    runs = [make_run("a_seed1", "a", 1), make_run("a_seed2", "a", 2), make_run("input")]
    write_page(
        runs, {"Losses & <more>": ["a", "input"]}, read_published(PUBLISHED), tmp_path / "results" / "summary.html"
    )
    page = (tmp_path / "results" / "summary.html").read_text(encoding="utf-8")
    sources = [part.partition('"')[0] for part in page.split('src="')[1:]]
    # two examples with input, two rows and target
    assert len(sources) == 2 * 4
    assert all(source.startswith("data:image/") for source in sources)
    assert "Losses &amp; &lt;more&gt;" in page
    assert "Not comparable:" in page
    assert "∞" in page


def test_page_of_a_run_links_to_the_training_that_it_shows(make_run, tmp_path):
    run = make_run("a")
    scores = {name: {"l1": 1.0, "psnr": 20.0, "ssim": 0.5} for name in ("1", "2")}
    for place in ("", "epochs/2/"):
        training = run.folder / place
        training.mkdir(parents=True, exist_ok=True)
        (training / "history.csv").write_text("epoch,d_loss,g_loss\n1,0.5,20\n2,0.25,19\n3,0.125,18\n")
        describe_run(run, scores, {}, training, run.folder / "run.html", epochs=2)
        page = (run.folder / "run.html").read_text(encoding="utf-8")
        assert "2 epochs" in page
        assert "discriminator: from 0.5 to 0.25; least 0.25" in page, "the training went on to a third epoch"
        assert f'href="{place}history.csv"' in page
        assert "training.html" not in page, "it does not exist"
    (training / "training.html").touch()
    describe_run(run, scores, {}, training, run.folder / "run.html")
    assert 'href="epochs/2/training.html"' in (run.folder / "run.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "rows",
    [
        "1,0.5,20,5\n3,0.1,18,5",
        "1,0.5,20,5\n2,0.5,20,-5",
        "1,1,1,1",
        "1,1,1,1\n1,1,1,1",
        "",
        "1,nan,1,1\n2,1,1,1",
        "1,1e308,1,1\n2,-1e308,1,1",
        "1,1,1,inf\n2,1,1,1",
    ],
)
def test_an_edited_history_is_named_with_what_to_do(make_run, rows):
    run = make_run("a")
    scores = {name: {"l1": 1.0, "psnr": 20.0, "ssim": 0.5} for name in ("1", "2")}
    (run.folder / "history.csv").write_text(f"epoch,d_loss,g_loss,seconds\n{rows}\n")
    with pytest.raises(
        InputError, match=r"a/history\.csv: damaged: .*; the same command with --forcerun train writes it again$"
    ):
        describe_run(run, scores, {}, run.folder, run.folder / "run.html", epochs=2)
    assert not (run.folder / "run.html").exists()


def test_an_unknown_run_to_compare_is_named(make_run, tmp_path):
    run = make_run("a")
    flags = ["--csv", tmp_path / "s.csv", "--html", tmp_path / "s.html", "--published", PUBLISHED]
    (run.folder / "metrics.json").write_text(run.model_dump_json(exclude={"folder"}))
    done = script("summarize", run.folder, *flags, "--compare", "T=a,nosuch")
    assert done.returncode == 1
    assert done.stdout == "error: --compare: nosuch is not among the runs a\n"
    assert script("summarize", run.folder, *flags, "--compare", "T=a").returncode == 0


def test_fid_of_few_images_has_a_note_about_bias(make_run, tmp_path):
    run = make_run("a")
    write_page([run], {}, {"numbers": []}, tmp_path / "without.html")
    measured = make_run("a", metrics=run.model_dump()["metrics"] | {"fid": entry(99.5, None)})
    write_page([measured], {}, {"numbers": []}, tmp_path / "with.html")
    assert "biased" not in (tmp_path / "without.html").read_text(encoding="utf-8")
    assert "FID of few images is biased upwards" in (tmp_path / "with.html").read_text(encoding="utf-8")


@pytest.fixture
def ablation() -> dict:
    """config.yaml merged with configs/ablation.yaml, as by --configfile."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    over = yaml.safe_load((ROOT / "configs" / "ablation.yaml").read_text())
    return config | over | {"runs": config["runs"] | over["runs"]}


def test_ablation_file_contains_the_comparisons_of_the_paper(ablation):
    config, runs, notes = read_config(ablation)
    assert notes == []
    for dataset in ("facades", "cityscapes"):
        losses = [runs[name].train for name in config.comparisons[f"Losses on {dataset}"]]
        assert [(train.lambda_l1 > 0, train.lambda_gan > 0, train.conditional) for train in losses] == [
            (True, False, True), (False, True, False), (False, True, True), (True, True, False), (True, True, True),
        ]  # fmt: skip
        generators = [runs[name].train for name in config.comparisons[f"Generators on {dataset}"]]
        assert [(train.skip_connections, train.lambda_gan > 0) for train in generators] == [
            (False, False), (False, True), (True, False), (True, True),
        ]  # fmt: skip
        patches = [runs[name].train.d_layers for name in config.comparisons[f"Patches on {dataset}"]]
        assert patches == [0, 1, 3, 5]
    assert set(config.all) == {name for names in config.comparisons.values() for name in names}


def test_seeds_multiply_only_trained_runs(ablation):
    _, runs, _ = read_config(ablation | {"seeds": [3, 4]})
    assert (runs["facades_seed3"].train.seed, runs["facades_seed4"].predict.seed) == (3, 4)
    assert runs["facades_seed4"].group == "facades"
    assert "facades_published" in runs
    with pytest.raises(InputError, match="seeds: cannot be combined with seed at the top level"):
        read_config(ablation | {"seeds": [1], "seed": 1})
    with pytest.raises(InputError, match=r"comparisons\.x: no run is named 'facade'; did you mean 'facades'"):
        read_config(ablation | {"comparisons": {"x": ["facade"]}})


def test_too_deep_a_discriminator_is_an_error(ablation):
    with pytest.raises(InputError, match=r"d_layers \(5\) is too deep for train_pic_size \(64\)"):
        read_config(
            ablation | {"runs": ablation["runs"] | {"facades": {"d_layers": 5, "train_pic_size": 64, "g_layers": 6}}}
        )
