"""FID and KID of predictions against their targets, through torch-fidelity (an optional extra)."""

import importlib.util
from pathlib import Path

from pix2pix.system.checksum import verify
from pix2pix.system.errors import InputError

INCEPTION = "inception-v3-compat"
FEATURES = 2048
KID_SUBSET = 1000
EXPLAINED = {
    "fid": "Frechet inception distance (Heusel et al. 2017): between the Gaussians of 2048 Inception features of "
    "predictions and targets, by torch-fidelity (TensorFlow's network and resizing to 299 pixels); lower is better; "
    f"biased upwards where n is below {FEATURES}: compare it at equal n only",
    "kid": "kernel inception distance (Binkowski et al. 2018): unbiased squared maximum mean discrepancy of the same "
    f"features, cubic polynomial kernel; over {KID_SUBSET} images drawn 100 times, or over all where there are no "
    "more; lower is better, and it can fall below 0",
}


def measure(folder: Path, weights: Path, sha256: str, network: str = INCEPTION) -> dict[str, object]:
    """FID and KID between the images in `folder`/prediction and their targets in `folder`/target.

    Args:
        folder: a run's predictions: prediction/{name}.png for each target/{name}.png, 8-bit RGB.
        weights: of the Inception network; loaded with pickle, hence only if their checksum is
        sha256: this one.
        network: the name of a feature extractor that torch-fidelity knows.

    Returns:
        n, and metrics: fid and kid, each with mean, std (KID: over the draws) and ci95 (none).

    Raises:
        InputError: the extra is not installed, an image is missing or too many, the weights are others.
    """
    verify(weights, sha256)
    if importlib.util.find_spec("torch_fidelity") is None:
        raise InputError(
            "FID and KID need an extra that is not installed here: pip install --editable '.[fidelity]', "
            "or run Snakemake with --software-deployment-method conda"
        )
    names = {kind: {file.name for file in (folder / kind).glob("*.png")} for kind in ("prediction", "target")}
    if odd := sorted(names["prediction"] ^ names["target"]):
        kind = "target" if odd[0] in names["prediction"] else "prediction"
        raise InputError(f"{folder / kind / odd[0]}: the {kind} is missing; delete {folder} and predict again")
    n = len(names["target"])
    if n < 2:
        raise InputError(f"{folder}: FID and KID need two images or more, not {n}")
    return {"n": n, "metrics": _distances(folder, n, weights, network)}


def _distances(folder: Path, n: int, weights: Path, network: str) -> dict[str, dict]:
    # an extra that most do without, and seconds to import
    from torch_fidelity import calculate_metrics  # noqa: PLC0415

    draws = 100 if n > KID_SUBSET else 1
    scores = calculate_metrics(
        input1=str(folder / "prediction"),
        input2=str(folder / "target"),
        fid=True,
        kid=True,
        feature_extractor=network,
        feature_extractor_weights_path=str(weights),
        kid_subsets=draws,
        kid_subset_size=min(n, KID_SUBSET),
        cuda=False,
        cache=False,
        verbose=False,
    )
    deviation = scores["kernel_inception_distance_std"] if draws > 1 else None
    return {
        "fid": {"mean": scores["frechet_inception_distance"], "std": None, "ci95": None},
        "kid": {"mean": scores["kernel_inception_distance_mean"], "std": deviation, "ci95": None},
    }
