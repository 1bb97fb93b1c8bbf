"""FID and KID between predictions and targets, computed with torch-fidelity (an optional extra)."""

import importlib.util
from pathlib import Path

from PIL import Image

from pix2pix.system.checksum import verify
from pix2pix.system.errors import InputError

INCEPTION = "inception-v3-compat"
FEATURES = 2048
KID_SUBSET = 1000
BATCH = 64
EXPLAINED = {
    "fid": "Frechet inception distance (Heusel et al. 2017): distance between the Gaussians fitted to 2048 Inception "
    "features of predictions and targets, computed with torch-fidelity (TensorFlow's network and resizing to 299 "
    f"pixels); lower is better; biased upwards if n is below {FEATURES}: compare it only at equal n",
    "kid": "kernel inception distance (Binkowski et al. 2018): unbiased squared maximum mean discrepancy of the same "
    f"features, cubic polynomial kernel; mean over 100 random subsets of {KID_SUBSET} images, or computed once over "
    "all images if there are no more than that; lower is better; can be negative",
}


def measure(folder: Path, weights: Path, sha256: str, network: str = INCEPTION) -> dict[str, object]:
    """Compute FID and KID between the images in `folder`/prediction and `folder`/target.

    Args:
        folder: predictions of a run: prediction/{name}.png for each target/{name}.png, 8-bit RGB.
        weights: the weights of the Inception network; loaded with pickle, hence only after verifying
        sha256: their checksum.
        network: the name of a feature extractor registered in torch-fidelity.

    Returns:
        n, and metrics: fid and kid, each with mean, std (KID: over the subsets) and ci95 (None).

    Raises:
        InputError: the extra is not installed, an image has no counterpart, or the weights have another checksum.
    """
    verify(weights, sha256)
    if importlib.util.find_spec("torch_fidelity") is None:
        raise InputError(
            "FID and KID need an extra that is not installed: pip install --editable '.[fidelity]', "
            "or run Snakemake with --software-deployment-method conda"
        )
    names = {kind: {file.name for file in (folder / kind).glob("*.png")} for kind in ("prediction", "target")}
    if odd := sorted(names["prediction"] ^ names["target"]):
        kind = "target" if odd[0] in names["prediction"] else "prediction"
        raise InputError(f"{folder / kind / odd[0]}: the {kind} is missing; delete {folder} and predict again")
    n = len(names["target"])
    if n < 2:
        raise InputError(f"{folder}: FID and KID need at least two images, not {n}")
    return {"n": n, "metrics": _distances(folder, n, weights, network)}


def _distances(folder: Path, n: int, weights: Path, network: str) -> dict[str, dict]:
    # an optional extra that takes seconds to import
    from torch_fidelity import calculate_metrics  # noqa: PLC0415

    # images of several sizes cannot form a batch
    sizes = set()
    for file in (folder / "target").glob("*.png"):
        with Image.open(file) as image:
            sizes.add(image.size)
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
        batch_size=1 if len(sizes) > 1 else BATCH,
        cuda=False,
        cache=False,
        verbose=False,
    )
    deviation = scores["kernel_inception_distance_std"] if draws > 1 else None
    return {
        "fid": {"mean": scores["frechet_inception_distance"], "std": None, "ci95": None},
        "kid": {"mean": scores["kernel_inception_distance_mean"], "std": deviation, "ci95": None},
    }
