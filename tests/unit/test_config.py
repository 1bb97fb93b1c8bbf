"""The configuration: precedence, and one clear line per mistake."""

import argparse
import json

import jsonschema
import pytest
import yaml
from conftest import ROOT

from pix2pix.config.documentation import PARAMETERS, SCHEMA, parameters_text, schema_text
from pix2pix.config.flags import add_flags, as_flags, read_flags
from pix2pix.config.paths import listing_of
from pix2pix.config.runs import BENCHMARKS, read_config
from pix2pix.config.settings import TrainSettings
from pix2pix.system.errors import InputError

BOTH = {"folder_a": "a", "folder_b": "b"}


@pytest.fixture
def shipped() -> dict:
    return yaml.safe_load((ROOT / "config.yaml").read_text())


def message(config: dict) -> str:
    with pytest.raises(InputError) as caught:
        read_config(config)
    return str(caught.value)


def test_shipped_config_has_the_six_benchmarks_with_the_reference_values(shipped):
    config, runs, _ = read_config(shipped)
    table = {
        "facades": ("BtoA", {"train": 400, "val": 100, "test": 106}, 200, 1, True),
        "cityscapes": ("BtoA", {"train": 2975, "val": 500}, 200, 1, True),
        "maps": ("AtoB", {"train": 1096, "val": 1098}, 200, 1, True),
        "night2day": ("BtoA", {"train": 17823, "val": 10, "test": 2287}, 17, 4, True),
        "edges2shoes": ("AtoB", {"train": 49825, "val": 200}, 15, 4, False),
        "edges2handbags": ("AtoB", {"train": 138567, "val": 200}, 15, 4, False),
    }
    assert set(table) == set(BENCHMARKS)
    for name, (direction, splits, epochs, batch, augmented) in table.items():
        train = runs[name].train
        assert config.datasets[name].splits == splits
        assert (train.direction, train.epoch_num, train.batch_size) == (direction, epochs, batch)
        assert (train.jitter, train.flip) == (augmented, augmented)
        assert runs[name].predict.direction == direction


def test_defaults_in_the_shipped_config_are_those_of_the_models(shipped):
    written = {"lr": 0.5} | shipped["defaults"]
    without = shipped | {"defaults": {}}
    assert read_config(shipped)[1] == read_config(without)[1]
    assert written["lr"] == 0.0002


def test_precedence_is_top_level_run_dataset_defaults():
    config = {
        "all": ["mine"],
        "datasets": {"mine": {"folder": "x", "direction": "BtoA", "flip": False}},
        "defaults": {"lr": 0.1, "beta1": 0.6, "seed": 1, "flip": True},
        "runs": {"mine": {"lr": 0.2, "seed": 2}},
        "seed": 3,
    }
    train = read_config(config)[1]["mine"].train
    assert (train.beta1, train.lr, train.seed, train.direction, train.flip) == (0.6, 0.2, 3, "BtoA", False)


def test_explicit_values_override_built_in_ones():
    config = {
        "all": ["plain"],
        "datasets": {"plain": {"folder": "x"}, "explicit": {"folder": "x", "flip": True, "direction": "AtoB"}},
        "defaults": {"flip": False, "jitter": False, "direction": "BtoA"},
        "runs": {"plain": {}, "explicit": {}},
    }
    _, runs, notes = read_config(config)
    plain, explicit = runs["plain"].train, runs["explicit"].train
    assert (plain.flip, plain.jitter, plain.direction) == (False, False, "BtoA")
    assert (explicit.flip, explicit.jitter, explicit.direction) == (True, False, "AtoB")
    assert notes == [
        "config: defaults.direction: BtoA has no effect on datasets with their own: explicit",
        "config: defaults.flip: False has no effect on datasets with their own: explicit",
    ]


def test_run_with_a_ckpt_and_keys_of_training_is_an_error_that_says_which_is_meant(shipped):
    run = {"dataset": "maps", "ckpt": "g.ckpt", "g_ngf": 32, "seed": 1, "val_pic_size": 512}
    everywhere = {"lr": 0.1, "epoch_num": 8}
    assert read_config(shipped | everywhere | {"runs": shipped["runs"] | {"given": run}})[1]["given"].ckpt == "g.ckpt"
    both = run | {"epoch_num": 50, "lr": 0.1, "device_num": 2}
    text = message(shipped | {"runs": shipped["runs"] | {"given": both}})
    assert (
        "runs.given: has a ckpt, with which nothing is trained, and keys of training (device_num, epoch_num, lr)"
        in text
    )
    assert "write init_ckpt instead of ckpt" in text


def test_initial_weights_are_those_of_a_run_a_file_or_an_address(shipped):
    runs = {
        "base": {"dataset": "maps", "g_ngf": 32, "d_ndf": 16, "epoch_num": 50},
        "tuned": {"dataset": "facades", "init_ckpt": "base", "init_d_ckpt": "base"},
        "narrow": {"dataset": "facades", "init_ckpt": "base", "g_ngf": 8},
        "fetched": {"dataset": "facades", "init_ckpt": "https://x/Generator_200.ckpt"},
        "published": {"dataset": "facades", "init_ckpt": "maps_published"},
        "file": {"dataset": "facades", "init_ckpt": "a b.ckpt"},
    }
    config = shipped | {"runs": shipped["runs"] | runs}
    found = read_config(config)[1]
    train = {name: found[name].train for name in runs}
    assert train["tuned"].init_ckpt == "results/base/ckpt/Generator_50.ckpt"
    assert train["tuned"].init_d_ckpt == "results/base/ckpt/Discriminator_50.ckpt"
    assert (train["tuned"].g_ngf, train["tuned"].d_ndf, train["tuned"].epoch_num) == (32, 16, 200)
    assert train["narrow"].g_ngf == 8
    assert train["fetched"].init_ckpt == "data/weights/fetched/Generator/Generator_200.ckpt"
    assert [each.path for each in found["fetched"].init_downloads] == [train["fetched"].init_ckpt]
    assert train["published"].init_ckpt == found["maps_published"].ckpt
    assert train["file"].init_ckpt == "a b.ckpt"
    seeded = read_config(config | {"seeds": [3]})[1]
    assert seeded["tuned_seed3"].train.init_ckpt == "results/base_seed3/ckpt/Generator_50.ckpt"


def test_comparison_with_runs_outside_all_is_noted(shipped):
    config = shipped | {"all": ["maps"], "comparisons": {"both": ["maps", "demo"], "benchmarks": ["maps", "facades"]}}
    notes = read_config(config)[2]
    assert notes == ["config: comparisons.both: is skipped, since `all` lacks demo: add it"]


def test_shipped_configuration_has_nothing_without_effect(shipped):
    assert read_config(shipped)[2] == []


def test_learning_rate_read_as_text_by_yaml_is_a_number(shipped):
    assert yaml.safe_load("2e-4") == "2e-4"
    assert read_config(shipped | {"lr": "2e-4"})[1]["facades"].train.lr == 0.0002


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"epoch_nun": 3}, "config: epoch_nun: unknown key; did you mean 'epoch_num'?"),
        (
            {"runs": {"facades": {"lamda_l1": 3}}},
            "config: runs.facades.lamda_l1: unknown key; did you mean 'lambda_l1'?",
        ),
        ({"datasets": {"maps": {"mirror": []}}}, "config: datasets.maps.mirror: unknown key; did you mean 'mirrors'?"),
        ({"defaults": {"dlayers": 3}}, "config: defaults.dlayers: unknown key; did you mean 'd_layers'?"),
        (
            {"runs": {"mine": None}},
            "config: runs.mine: None is not allowed: write lines of `key: value` below it, or {}",
        ),
        ({"batch_size": 0}, "config: batch_size: 0 is not allowed: input should be greater than or equal to 1"),
        ({"lr": "fast"}, "config: lr: 'fast' is not allowed: input should be a valid number"),
        ({"val_pic_size": [256]}, "val_pic_size: must be a number of pixels from 1, or [height, width] or native, not"),
        ({"train_pic_size": "native"}, "train_pic_size: must be a number of pixels from 1, or [height, width], not"),
        ({"val_pic_size": "native", "tile_size": 100}, "tile_size (100) is not a multiple of 2^g_layers"),
        ({"load_size": [286, 0]}, "load_size: must be a number of pixels from 1, or [height, width], not [286, 0]"),
        ({"train_pic_size": "wide"}, "train_pic_size: must be a number of pixels from 1, or [height, width]"),
        ({"defaults": {"val_pic_size": [256, 300]}}, "val_pic_size ([256,300]) is not a multiple of 2^g_layers (256)"),
        (
            {"defaults": {"train_pic_size": [256, 512]}},
            "load_size (286) is smaller than train_pic_size ([256,512]): raise it",
        ),
        ({"norm": "layer"}, "config: norm: 'layer' is not allowed: input should be 'batch' or 'instance'"),
        ({"g_in_planes": 2}, "config: g_in_planes: must be 1 (greyscale) or 3 (RGB)"),
        ({"all": ["facade"]}, "config: all: no run is named 'facade'; did you mean 'facades'?"),
        ({"runs": {"mine": {"dataset": "facade"}}}, "no dataset is named 'facade'; did you mean 'facades'?"),
        ({"defaults": {"train_pic_size": 200}}, "train_pic_size (200) is not a multiple of 2^g_layers (256)"),
        ({"defaults": {"load_size": 255}}, "load_size (255) is smaller than train_pic_size (256)"),
        ({"defaults": {"epoch_num": 201}}, "epoch_num (201) is more than n_epochs + n_epochs_decay (100 + 100)"),
        ({"defaults": {"conditional": False, "d_in_planes": 6}}, "d_in_planes (6) must be 3"),
        ({"runs": {"maps": {"predict_split": "test"}}}, "has no split 'test'; it has train, val"),
        (
            {"datasets": {"x": {"folder": "a", "mirrors": ["file://b"]}}},
            "datasets.x: mirrors, folder, parquet, folder_a with folder_b, pairs and drawn are mutually exclusive",
        ),
        ({"datasets": {"x": {"folder_a": "a"}}}, "datasets.x: folder_a and folder_b belong together: add the other"),
        ({"datasets": {"x": {"splits": {"train": 0.8, "val": 0.2}}}}, "fractions and lists need folder_a and folder_b"),
        ({"datasets": {"x": BOTH | {"splits": {"train": 0.8, "val": 0.1}}}}, "splits: the fractions must add up to"),
        (
            {"datasets": {"x": BOTH | {"splits": {"train": 0.8, "val": None}}}},
            "splits: must all be numbers of pairs",
        ),
        ({"datasets": {"x": BOTH | {"splits": {"train": 0, "val": 1}}}}, "config: datasets.x.splits.train: 0 is not"),
        ({"runs": {"my-run": {"dataset": "maps"}}}, "config: runs.my-run: 'my-run' is not allowed"),
        ({"all": []}, "config: all: [] is not allowed"),
        ({"all": ["maps", "maps"]}, "config: all: 'maps' is listed more than once: keep one"),
        ({"mirrors": []}, "config: mirrors: [] is not allowed"),
        ({"mirrors": ["http://[::1"]}, "config: mirrors.0: 'http://[::1' is not an address: Invalid IPv6 URL"),
        ({"runs": {"mine": {"ckpt": ["http://[::1"]}}}, "config: runs.mine.ckpt: 'http://[::1' is not an address"),
        ({"mirrors": ["ftp://x"]}, "config: mirrors.0: 'ftp://x' must start with http://, https:// or file://"),
        ({"fidelity": {"weights": ["ftp://x"]}}, "config: fidelity.weights.0: 'ftp://x' must start with http://"),
        ({"runs": {"mine": {"ckpt": "ftp://x"}}}, "config: runs.mine.ckpt: 'ftp://x' must start with http://"),
        ({"runs": {"mine": {"ckpt": ""}}}, "config: runs.mine.ckpt: must be a path, but is empty"),
        ({"runs": {"mine": {"ckpt": []}}}, "config: runs.mine.ckpt: must be a list of addresses"),
        ({"runs": {"mine": {"ckpt": 3}}}, "config: runs.mine.ckpt: must be a path or an address, not 3"),
        ({"datasets": {"x": {"folder": ""}}}, "config: datasets.x.folder: must be a path, but is empty"),
        ({"datasets": {"x": {"folder": "a", "sha256": "0" * 64}}}, "config: datasets.x: sha256 applies to an archive"),
        ({"datasets": {"x": {"drawn": True}}}, "config: datasets.x: drawn needs exactly the splits train and val"),
        ({"datasets": {"x": {"splits": {"train": 2 * 10**9}}}}, "datasets.x.splits.train: 2000000000 is not allowed"),
        ({"comparisons": {"": ["maps"]}}, "config: comparisons.: '' is not allowed"),
        ({"comparisons": {"x": []}}, "config: comparisons.x: [] is not allowed"),
        ({"seeds": [0, 1, 0]}, "config: seeds: 0 is listed more than once: keep one"),
        ({"seeds": [0], "runs": {"maps_seed0": {"dataset": "maps"}}}, "run maps would create maps_seed0"),
        ({"runs": {"maps": {"init_ckpt": "maps"}}}, "runs.maps.init_ckpt: maps would start from its own weights"),
        (
            {"runs": {"maps": {"init_ckpt": "x", "dataset": "maps"}, "x": {"init_ckpt": "maps", "dataset": "maps"}}},
            "would start from its own weights",
        ),
        (
            {"runs": {"maps": {"init_d_ckpt": "maps_published"}}},
            "runs.maps.init_d_ckpt: run maps_published has a ckpt, and so no discriminator",
        ),
        ({"epoch_num": True}, "config: epoch_num: must be a number, not true"),
        ({"runs": {"maps": {"lr": True}}}, "config: runs.maps.lr: must be a number, not true"),
        ({"seeds": [True]}, "config: seeds: must be a number, not true"),
        ({"datasets": {"x": {"splits": {"val": True}}}}, "config: datasets.x.splits: must be a number, not true"),
        ({"hosts": "-oProxyCommand=x"}, "config: hosts: '-oProxyCommand=x' is not allowed"),
    ],
)
def test_mistake_is_reported_with_its_key_and_remedy(shipped, change, expected):
    for key, value in change.items():
        shipped[key] = shipped[key] | value if isinstance(value, dict) else value
    text = message(shipped)
    assert expected in text
    assert all(line.startswith("config: ") for line in text.splitlines())


def test_run_that_does_not_fit_the_top_level_is_skipped_and_noted(shipped):
    _, runs, notes = read_config(shipped | {"epoch_num": 50})
    assert set(runs) == set(shipped["runs"]) - {"demo"}
    assert len(notes) == 1
    assert notes[0].startswith("config: runs.demo: epoch_num (50) is more than")
    with pytest.raises(InputError, match=r"train_pic_size \(200\)"):
        read_config(shipped | {"train_pic_size": 200})


def test_size_is_written_the_same_way_in_a_file_and_as_a_flag(shipped):
    sizes = {"load_size": [286, 572], "train_pic_size": [256, 512], "val_pic_size": [256, 256]}
    run = read_config(shipped | sizes)[1]["facades"]
    assert (run.train.load_size, run.train.train_pic_size) == ((286, 572), (256, 512))
    # a square is one number, however it is written, so that nothing is made again
    assert run.predict.val_pic_size == 256
    jsonschema.validate(shipped | sizes, json.loads(schema_text()))
    parser = argparse.ArgumentParser()
    add_flags(parser, TrainSettings)
    flags = as_flags(run.train)
    assert flags[flags.index("--train_pic_size") + 1] == "[256,512]"
    assert read_flags(parser.parse_args(flags), TrainSettings) == run.train


def test_only_the_benchmarks_are_squashed(shipped):
    config = shipped | {"datasets": shipped["datasets"] | {"mine": {"folder": "x"}}}
    runs = read_config(config | {"runs": shipped["runs"] | {"mine": {}}})[1]
    assert {name: run.train.keep_aspect for name, run in runs.items() if name in BENCHMARKS} == dict.fromkeys(
        BENCHMARKS, False
    )
    assert not runs["facades_published"].predict.keep_aspect
    assert runs["mine"].train.keep_aspect
    assert runs["mine"].predict.keep_aspect


def test_schema_and_parameter_table_match_the_models(shipped):
    assert (ROOT / SCHEMA).read_text() == schema_text(), "run `make reference`"
    assert (ROOT / PARAMETERS).read_text() == parameters_text(), "run `make reference`"
    jsonschema.validate(shipped, json.loads(schema_text()))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(shipped | {"epoch_nun": 3}, json.loads(schema_text()))


def test_numbers_inside_braces_on_the_command_line_are_numbers():
    # Snakemake passes --config 'datasets={own: {splits: {train: 3}}}' as text
    own = {"mirrors": ["file:///own.tar.gz"], "splits": {"train": "3", "val": "null"}}
    config, runs, _ = read_config(
        {"datasets": {"own": own}, "runs": {"own": {"val_pic_size": ["256", "512"]}}, "all": ["own"]}
    )
    assert config.datasets["own"].counts == {"train": 3, "val": None}
    assert runs["own"].predict.val_pic_size == (256, 512)


def test_a_link_to_itself_is_part_of_the_listing(tmp_path):
    before = listing_of(str(tmp_path), (".",))
    listing_of.cache_clear()
    (tmp_path / "1.png").symlink_to("1.png")
    assert listing_of(str(tmp_path), (".",)) != before
