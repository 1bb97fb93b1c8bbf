"""try.html: the generator, a runtime and examples in one file."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pix2pix.browser.palette import find_palette
from pix2pix.evaluation.facts import read_facts
from pix2pix.pages.html import TEMPLATES
from pix2pix.system.errors import InputError
from pix2pix.system.files import natural_order, replacing

RUNTIME = {"runtime": "ort.wasm.bundle.min.mjs", "wasm": "ort-wasm-simd-threaded.wasm"}
EXAMPLES = 6
PALETTE_IMAGES = 40


def read_runtime(folder: Path) -> dict[str, bytes]:
    """The files of onnxruntime-web that the page contains.

    Raises:
        InputError: they are not there.
    """
    try:
        return {name: (folder / file).read_bytes() for name, file in RUNTIME.items()}
    except OSError:
        raise InputError(
            "try.html needs onnxruntime-web, the runtime for browsers, which is not installed: run `make try`"
        ) from None


def write_page(
    run: str, generator: dict[str, Any], model: bytes, runtime: dict[str, bytes], predictions: Path, path: Path
) -> None:
    """Write the page.

    Args:
        run: the run's name.
        generator: its architecture: g_in_planes and g_out_planes are used.
        model: the ONNX file.
        runtime: what `read_runtime` returned.
        predictions: the folder of its predictions, for examples and the palette.
        path: the page.

    Raises:
        InputError: the folder has no images, a damaged one, or images of several sizes.
    """
    facts = read_facts(predictions)
    size = facts["val_pic_size"]
    if isinstance(size, str):
        raise InputError(f"{predictions}: have no common size (val_pic_size: {size}), which try.html needs")
    files = sorted((predictions / "input").glob("*.png"), key=lambda file: natural_order(file.stem))
    if not files:
        raise InputError(f"{predictions}: has no inputs; delete the folder and predict again")
    about = {
        "size": [size, size] if isinstance(size, int) else list(size),  # height and width
        "keepAspect": facts.get("keep_aspect", False),
        "planesIn": generator["g_in_planes"],
        "planesOut": generator["g_out_planes"],
    }
    palette = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in find_palette(_spread(files, PALETTE_IMAGES))]
    packed = {name: _packed(data) for name, data in (runtime | {"model": model}).items()}
    text = TEMPLATES.get_template("try.html").render(
        run=run,
        about=base64.b64encode(json.dumps(about).encode()).decode(),
        palette=palette,
        packed=packed,
        examples=[(file.stem, _uri(file)) for file in _chosen(files, EXAMPLES)],
    )
    with replacing(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def _packed(data: bytes) -> str:
    # mtime: the same bytes give the same page
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def _uri(file: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"


def _chosen(files: list[Path], number: int) -> list[Path]:
    return [files[index] for index in sorted({round(at) for at in np.linspace(0, len(files) - 1, number)})]


def _spread(files: list[Path], number: int) -> list[np.ndarray]:
    images = []
    for file in _chosen(files, number):
        try:
            with Image.open(file) as image:
                images.append(np.asarray(image.convert("RGB")))
        except OSError as error:
            raise InputError(f"{file}: cannot be read ({error}); delete its folder and predict again") from None
    return images
