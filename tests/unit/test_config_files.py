"""Configuration files and the paths in them: one clear line per mistake."""

import re

import pytest

from pix2pix.config.paths import check_paths
from pix2pix.config.runs import read_config
from pix2pix.config.yaml_file import check_yaml
from pix2pix.system.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("runs: {a: {}}\nall: [a]\nruns: {b: {}}\n", "the key runs is given in line 1 and again in line 3, and only"),
        ("runs:\n  a: {lr: 1, seed: 2, lr: 3}\n", "the key lr is given in line 2 and again in line 2"),
        ("__use_yte__: true\nseed: ?1 + 1\n", "__use_yte__: would run Python code in this file: remove it"),
        ("runs: &a [*a]\n", "a part of it contains itself"),
        ("runs: [\n", "is not YAML"),
    ],
)
def test_mistake_in_a_file_is_reported_in_one_line(tmp_path, text, expected):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {expected}')}.*$"):
        check_yaml(path)


def test_keys_that_are_merged_or_not_text_are_no_mistake(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("a: &a {lr: 1}\nb:\n  <<: *a\n  lr: 2\nc:\n  <<: *a\n2020-01-01: 1\n")
    check_yaml(path)


def test_path_that_the_system_refuses_is_reported_in_one_line():
    config = {"datasets": {"x": {"folder": "x" * 300}}, "runs": {"demo": {"dataset": "x"}}}
    with pytest.raises(InputError, match=r"^config: x+: File name too long; correct the path or its permissions$"):
        check_paths(read_config(config)[0])
