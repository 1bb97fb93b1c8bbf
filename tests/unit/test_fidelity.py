"""FID and KID: compared with closed forms, with a small network instead of Inception; errors are never silent."""

import itertools
import json
import tomllib

import numpy as np
import pytest
import yaml
from conftest import ROOT, script
from PIL import Image

from pix2pix.config.runs import read_config
from pix2pix.evaluation.fidelity import measure
from pix2pix.system.checksum import sha256_of
from pix2pix.system.errors import InputError

N = 160


def write_images(folder, values: np.ndarray) -> None:
    """Write images of one colour each, (N, 3) uint8."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, colour in enumerate(values):
        Image.new("RGB", (8, 8), tuple(map(int, colour))).save(folder / f"{number}.png")


@pytest.fixture(scope="module")
def network() -> str:
    """A feature extractor whose three features are the mean colour, registered with torch-fidelity."""
    reason = "the extra for FID and KID is not installed: pip install --editable '.[fidelity]'"
    torch_fidelity = pytest.importorskip("torch_fidelity", reason=reason)

    class MeanColour(torch_fidelity.FeatureExtractorBase):
        def __init__(self, name, features_list, feature_extractor_weights_path=None, **_):
            super().__init__(name, features_list)

        @staticmethod
        def get_provided_features_list():
            return ("3",)

        @staticmethod
        def get_default_feature_layer_for_metric(metric):
            return "3"

        @staticmethod
        def can_be_compiled():
            return False

        def forward(self, images):
            return (images.double().mean((2, 3)),)

    torch_fidelity.register_feature_extractor("mean-colour", MeanColour)
    return "mean-colour"


def box(mean: tuple[int, ...], deviation: tuple[int, ...]) -> np.ndarray:
    """N colours on the corners of a box, equally many on each: (N, 3), channels uncorrelated."""
    corners = np.array(list(itertools.product((-1, 1), repeat=3)))
    return np.tile(corners * deviation + mean, (N // 8, 1))


@pytest.fixture
def colours() -> tuple[np.ndarray, np.ndarray]:
    return box((100, 120, 140), (10, 20, 5)), box((110, 120, 130), (5, 20, 15))


@pytest.fixture
def folder(tmp_path, colours):
    write_images(tmp_path / "predict" / "prediction", colours[0])
    write_images(tmp_path / "predict" / "target", colours[1])
    Image.new("RGB", (100, 50)).save(tmp_path / "predict" / "grid.png")
    (tmp_path / "weights.pth").write_bytes(b"not used by the small network")
    return tmp_path / "predict"


def test_distances_match_the_closed_form(folder, colours, network):
    weights = folder.parent / "weights.pth"
    scores = measure(folder, weights, sha256_of(weights), network)
    assert scores["n"] == N
    first, second = colours
    # Frechet distance of two Gaussians whose features are uncorrelated: |m1 - m2|^2 + |s1 - s2|^2,
    # the variances estimated with n - 1
    distance = (10**2 + 0 + 10**2) + (5**2 + 0 + 10**2) * N / (N - 1)
    assert scores["metrics"]["fid"]["mean"] == pytest.approx(distance, rel=1e-9)
    # unbiased squared MMD with the kernel (x.y / 3 + 1)^3 over all pairs of distinct images
    kernel = lambda a, b: (a @ b.T / 3 + 1) ** 3  # noqa: E731
    same = [(kernel(x, x).sum() - np.trace(kernel(x, x))) / (N * (N - 1)) for x in colours]
    kid = sum(same) - 2 * kernel(first, second).mean()
    assert scores["metrics"]["kid"]["mean"] == pytest.approx(kid, rel=1e-5)
    assert scores["metrics"]["kid"]["std"] is None


def test_predictions_equal_to_targets_have_distance_zero(folder, colours, network):
    write_images(folder / "prediction", colours[1])
    weights = folder.parent / "weights.pth"
    assert measure(folder, weights, sha256_of(weights), network)["metrics"]["fid"]["mean"] == pytest.approx(0, abs=1e-6)


def test_missing_prediction_is_an_error(folder, network):
    (folder / "prediction" / "7.png").unlink()
    weights = folder.parent / "weights.pth"
    with pytest.raises(InputError, match=r"7\.png: the prediction is missing"):
        measure(folder, weights, sha256_of(weights), network)


def test_weights_with_another_checksum_are_not_loaded(folder):
    with pytest.raises(InputError, match=r"weights\.pth: its sha256 is"):
        measure(folder, folder.parent / "weights.pth", "0" * 64)


def test_empty_checksum_is_an_error(folder):
    weights = folder.parent / "weights.pth"
    flags = ("--predict_dir", folder, "--weights", weights, "--sha256", "")
    result = script("measure_fidelity", folder.parent / "fidelity.json", *flags)
    assert (result.returncode, result.stdout.count("\n")) == (1, 1)
    assert result.stdout.startswith("error: sha256: '' is not an SHA-256 checksum")


def test_nothing_is_measured_or_downloaded_by_default():
    config, _, _ = read_config(yaml.safe_load((ROOT / "config.yaml").read_text()))
    assert not config.fidelity.enabled


def test_environment_has_the_versions_of_the_extra():
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["fidelity"]
    environment = yaml.safe_load((ROOT / "workflow/envs/fidelity.yaml").read_text())
    assert set(extra) <= set(environment["dependencies"][-1]["pip"])
    assert json.dumps(environment).count("mindspore") == 0
