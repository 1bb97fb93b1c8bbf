"""Colour-coded label maps: the class of each pixel, and the agreement of predicted maps with their targets.

Classes, colours and ignored labels are those of the Cityscapes benchmark (Cordts et al. 2016, "The
Cityscapes Dataset for Semantic Urban Scene Understanding"; labels.py of its published scripts).
"""

import io

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import get_sampling
from scipy.ndimage import uniform_filter
from scipy.spatial import KDTree

from pix2pix.config.values import Direction
from pix2pix.data.images import halves, open_rgb

CLASSES = {
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "pole": (153, 153, 153),
    "traffic light": (250, 170, 30),
    "traffic sign": (220, 220, 0),
    "vegetation": (107, 142, 35),
    "terrain": (152, 251, 152),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "rider": (255, 0, 0),
    "car": (0, 0, 142),
    "truck": (0, 0, 70),
    "bus": (0, 60, 100),
    "train": (0, 80, 100),
    "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
}
# not evaluated: pixels whose target has one of these colours are not counted
IGNORED = {
    "unlabeled, ego vehicle, rectification border, out of roi, static": (0, 0, 0),
    "dynamic": (111, 74, 0),
    "ground": (81, 0, 81),
    "parking": (250, 170, 160),
    "rail track": (230, 150, 140),
    "guard rail": (180, 165, 180),
    "bridge": (150, 100, 100),
    "tunnel": (150, 120, 90),
    "caravan": (0, 0, 90),
    "trailer": (0, 0, 110),
}
SPECKS = 5  # pixels
COLOURS = np.array([*CLASSES.values(), *IGNORED.values()])
EXPLAINED = {
    "pixel_accuracy": "share of evaluated pixels with the correct class; higher is better",
    "class_accuracy": "the same per class of the target, averaged over the classes that occur in the targets",
    "class_iou": "intersection over union per class, averaged over the classes that occur in targets or predictions",
    "classes": "each pixel has the class of the nearest palette colour (Euclidean in RGB); pixels of all images "
    f"are counted together; {len(CLASSES)} classes are evaluated: {', '.join(CLASSES)}; pixels are ignored if their "
    f"target is one of: {', '.join(IGNORED)}; predicting one of these is an error",
    "ceilings": "what a perfect prediction would score: targets stored as JPEG have wrong colours at the edges of "
    "classes, which count as errors. An estimate: the classes of each target, with specks removed by a majority vote "
    f"over {SPECKS} x {SPECKS} pixels, in exact colours, are compared with themselves after JPEG compression with the "
    "file's own tables; 1 if targets are not JPEG",
}


def classify(image: np.ndarray) -> np.ndarray:
    """The index of each pixel's nearest palette colour, (H, W, 3) uint8 to (H, W) int; ignored labels come last."""
    colours, where = np.unique(image.reshape(-1, 3), axis=0, return_inverse=True)
    return KDTree(COLOURS).query(colours)[1][where.reshape(image.shape[:2])]


def confusion(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Count pixels by class: two images (H, W, 3) uint8 to (19, 20) int64, rows targets, columns predictions.

    The last column counts pixels that are predicted as an ignored label.
    """
    number = len(CLASSES)
    found, right = classify(prediction), classify(target)
    evaluated = right < number
    cells = right[evaluated] * (number + 1) + np.minimum(found[evaluated], number)
    return np.bincount(cells, minlength=number * (number + 1)).reshape(number, number + 1)


def ceiling(pair: bytes, direction: Direction) -> np.ndarray:
    """The confusion matrix between a perfect prediction and the target after JPEG (see EXPLAINED): (19, 20) int64.

    Args:
        pair: the contents of the image file, A on the left and B on the right.
        direction: determines which half is the target.
    """
    left, right = halves(open_rgb(pair))
    target = np.asarray(right if direction == "AtoB" else left)
    with Image.open(io.BytesIO(pair)) as source:
        if source.format != "JPEG":
            return confusion(target, target)
        clean = COLOURS[_majority(classify(target))].astype(np.uint8)
        stored = io.BytesIO()
        tables = {"qtables": getattr(source, "quantization", None), "subsampling": get_sampling(source)}
        Image.fromarray(clean).save(stored, "JPEG", **tables)
    return confusion(clean, np.asarray(open_rgb(stored.getvalue())))


def _majority(classes: np.ndarray) -> np.ndarray:
    """The most frequent class around each pixel: (H, W) int to (H, W) int."""
    found = np.unique(classes)
    shares = [uniform_filter((classes == each).astype(np.float32), SPECKS) for each in found]
    return found[np.argmax(shares, axis=0)]


def label_scores(matrix: np.ndarray) -> dict[str, float]:
    """pixel_accuracy, class_accuracy and class_iou, in [0, 1], of a (C, C + 1) confusion matrix; NaN without pixels."""
    hits = np.diag(matrix).astype(float)
    targets, predictions = matrix.sum(1), matrix[:, :-1].sum(0)
    union = targets + predictions - hits
    with np.errstate(invalid="ignore"):
        accuracies, overlaps = hits / targets, hits / union
    return {
        "pixel_accuracy": float(hits.sum() / matrix.sum()) if matrix.any() else float("nan"),
        "class_accuracy": float(np.mean(accuracies[targets > 0])) if matrix.any() else float("nan"),
        "class_iou": float(np.mean(overlaps[union > 0])) if matrix.any() else float("nan"),
    }


def class_overlaps(matrix: np.ndarray) -> dict[str, float | None]:
    """Intersection over union by class name; None for a class that does not occur."""
    hits = np.diag(matrix).astype(float)
    union = matrix.sum(1) + matrix[:, :-1].sum(0) - hits
    pairs = zip(CLASSES, hits, union, strict=True)
    return {name: float(hit / all_) if all_ else None for name, hit, all_ in pairs}
