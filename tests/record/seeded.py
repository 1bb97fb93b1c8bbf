"""Code shared by the writer and the reader of the record: cases, and numbers drawn from seeds (numpy only).

Inputs, initial weights and dropout masks are not stored but drawn here. Arrays are stored as the digests
computed here.
"""

import zlib
from functools import lru_cache

import numpy as np

STEPS = 3
PROJECTIONS = 3
POSITIONS = 300

# the project's default settings that affect a step
DEFAULTS = {
    "batch_size": 1,
    "train_pic_size": 256,
    "g_in_planes": 3,
    "g_out_planes": 3,
    "g_ngf": 64,
    "g_layers": 8,
    "d_in_planes": 6,
    "d_ndf": 64,
    "d_layers": 3,
    "alpha": 0.2,
    "norm": "batch",
    "pad_mode": "CONSTANT",
    "dropout": False,
    "skip_connections": True,
    "conditional": True,
    "lambda_gan": 0.5,
    "lambda_dis": 0.5,
    "lambda_l1": 100.0,
    "lr": 0.0002,
    "beta1": 0.5,
    "beta2": 0.999,
    "update_order": "simultaneous",
}
NARROW = {"g_ngf": 4, "d_ndf": 4}
SMALL = NARROW | {"g_layers": 4, "train_pic_size": 64}

# a case's differences from the defaults
CASES: dict[str, dict] = {
    "defaults": NARROW,
    "alternating": NARROW | {"update_order": "alternating"},
    "batch of 3": SMALL | {"batch_size": 3, "g_layers": 5, "g_ngf": 5, "d_ndf": 6},
    "batch of 2, alternating": SMALL | {"batch_size": 2, "train_pic_size": 32, "update_order": "alternating"},
    "instance norm": SMALL | {"norm": "instance", "batch_size": 2},
    "instance norm, alternating, pixels": SMALL
    | {"norm": "instance", "update_order": "alternating", "d_layers": 0, "train_pic_size": 32},
    "REFLECT": SMALL | {"pad_mode": "REFLECT"},
    "SYMMETRIC": SMALL | {"pad_mode": "SYMMETRIC", "batch_size": 2},
    "SYMMETRIC, instance norm": SMALL | {"pad_mode": "SYMMETRIC", "norm": "instance"},
    "d_layers 0": SMALL | {"d_layers": 0},
    "d_layers 1": SMALL | {"d_layers": 1, "g_layers": 2},
    "d_layers 5": SMALL | {"d_layers": 5, "train_pic_size": 128, "g_layers": 6},
    "unconditional": SMALL | {"conditional": False, "d_in_planes": 3},
    "no skip connections": SMALL | {"skip_connections": False},
    "dropout": SMALL | {"dropout": True, "g_layers": 6, "batch_size": 2},
    "grey to colour": SMALL | {"g_in_planes": 1, "d_in_planes": 4},
    "other factors": SMALL
    | {
        "lambda_gan": 1.0,
        "lambda_dis": 0.3,
        "lambda_l1": 10.0,
        "lr": 0.0005,
        "beta1": 0.7,
        "beta2": 0.99,
        "alpha": 0.1,
    },
}


def drawer(*names: object) -> np.random.RandomState:
    """A separate random number generator for each combination of names."""
    # the legacy generator: numpy guarantees that its numbers never change
    return np.random.RandomState(zlib.crc32("/".join(map(str, names)).encode()))


def images(seed: int, step: int, name: str, channels: int, case: dict) -> np.ndarray:
    """The input (`name` x) or target (y) of a step: (batch_size, channels, S, S), float32 in [-1, 1]."""
    size = case["train_pic_size"]
    drawn = drawer(seed, "pictures", step, name).uniform(-1, 1, (case["batch_size"], channels, size, size))
    return drawn.astype(np.float32)


def starting_value(seed: int, network: str, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A parameter's initial value, float32: filters preserve signal magnitude, gamma is about 1, beta about 0."""
    normal = drawer(seed, network, name).normal(size=shape)
    if name.endswith("gamma"):
        normal = 1 + 0.2 * normal
    elif name.endswith(("beta", "bias")):
        normal = 0.2 * normal
    else:
        normal = normal * (shape[0] * shape[1]) ** -0.25 / shape[2]
    return normal.astype(np.float32)


def mask(seed: int, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A dropout mask, float32: each value is 0 or 2 with probability 0.5."""
    return drawer(seed, "mask", name).randint(2, size=shape).astype(np.float32) * 2


def digest(name: str, array: np.ndarray) -> np.ndarray:
    """The norm of an array and its products with PROJECTIONS standard normal vectors: (1 + PROJECTIONS,).

    The mean square of the differences of these products estimates the squared distance between two arrays.
    """
    flat = np.asarray(array, np.float64).ravel()
    return np.concatenate(([np.linalg.norm(flat)], vectors(name, flat.size) @ flat))


@lru_cache(maxsize=200)
def vectors(name: str, size: int) -> np.ndarray:
    return drawer("projections", name).normal(size=(PROJECTIONS, size))


def sample(image: np.ndarray) -> np.ndarray:
    """The norm of a generated image and POSITIONS of its values: (1 + POSITIONS,)."""
    flat = np.asarray(image, np.float64).ravel()
    return np.concatenate(([np.linalg.norm(flat)], flat[drawer("positions").randint(flat.size, size=POSITIONS)]))
