"""The exported files: written, loaded again and compared with predictions."""

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path

import mindspore as ms
import numpy as np
from safetensors.numpy import load_file, save_file

from pix2pix.config.settings import GeneratorSettings
from pix2pix.config.values import height_and_width
from pix2pix.data.images import open_rgb
from pix2pix.data.loader import to_pixels
from pix2pix.evaluation.tiles import Forward, translate_padded
from pix2pix.export.torch_names import torch_weights
from pix2pix.model.checkpoint import load_network, stored_parameters
from pix2pix.model.networks import Generator, compile_forward
from pix2pix.system.errors import InputError
from pix2pix.system.files import natural_order

PACKAGES = ("onnx", "onnxruntime")
COMPARED = 4  # images
SHARE_OFF = 1e-3  # of the values may be off by one level: both programs round other last bits


def check_packages() -> None:
    """Check that the optional packages are installed.

    Raises:
        InputError: they are not.
    """
    if missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        raise InputError(
            f"export needs {' and '.join(missing)}, an extra that is not installed: pip install --editable '.[export]'"
        )


def export_files(
    settings: GeneratorSettings,
    ckpt: Path,
    size: int | tuple[int, int] | str,
    about: str,
    predictions: Path,
    folder: Path,
) -> dict[str, str]:
    """Write Generator.onnx, Generator.mindir and Generator.safetensors to `folder`, and compare each with predictions.

    Args:
        settings: the architecture.
        ckpt: the checkpoint.
        size: val_pic_size of the predictions, which is also the size of images that the MindIR takes.
        about: a description, stored in the metadata of the files.
        predictions: the folder of predictions made with the checkpoint.

    Returns:
        for each file, a sentence on how it compares.

    Raises:
        InputError: the generator has dropout, the predictions have no common size, or an exported file gives other
            images than the predictions.
    """
    if settings.dropout:
        raise InputError(
            f"{ckpt}: was trained with dropout, which is on at prediction too (the noise of the paper); other programs "
            "switch it off, so their images would differ: it cannot be exported"
        )
    if isinstance(size, str):
        raise InputError(
            "val_pic_size: native: a MindIR file takes images of one size, and is compared with predictions of that "
            "size: export a run of the same ckpt with a val_pic_size in pixels"
        )
    generator = Generator(settings, size)
    load_network(generator, ckpt)
    weights = {parameter.name: parameter.asnumpy() for parameter in stored_parameters(generator)}
    height, width = height_and_width(size)
    pairs = _pairs(predictions)
    found = {}
    for name, export in EXPORTS.items():
        forward = export(settings, weights, generator, (1, settings.g_in_planes, height, width), about, folder / name)
        found[name] = ALSO_CHECKED.get(name, "") + _compare(
            folder / name, forward, settings.g_in_planes, (height, width), pairs
        )
    return found


def _onnx(settings, weights, generator, shape, about, path: Path) -> Forward:
    # imported here, since it needs an optional package
    model = importlib.import_module("pix2pix.export.onnx_graph").onnx_model(settings, weights, about)
    path.write_bytes(model.SerializeToString())
    session = importlib.import_module("onnxruntime").InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda x: ms.Tensor(session.run(None, {"input": x.asnumpy()})[0])


def _mindir(settings, weights, generator, shape, about, path: Path) -> Forward:
    ms.export(generator, ms.Tensor(np.zeros(shape, np.float32)), file_name=str(path), file_format="MINDIR")
    loaded, original = ms.nn.GraphCell(ms.load(str(path))), compile_forward(generator)

    def forward(x: ms.Tensor) -> ms.Tensor:
        output = loaded(x)
        # the same operations on the same image, which predict translates together with others
        if not np.array_equal(output.asnumpy(), original(x).asnumpy()):
            raise InputError(
                f"{path.name}: gives other outputs than the generator that it was exported from; report it"
            )
        return output

    return forward


def _safetensors(settings, weights, generator, shape, about, path: Path) -> Forward:
    renamed = torch_weights(weights)
    save_file(renamed, path, {"format": "pt", "pix2pix": about})
    stored = load_file(path)
    if any(not np.array_equal(stored[name], array) for name, array in renamed.items()):
        raise InputError(f"{path.name}: does not contain the weights that were written; check the disk")
    # the same weights in the network that they came from
    return compile_forward(generator)


EXPORTS: dict[str, Callable[..., Forward]] = {
    "Generator.onnx": _onnx,
    "Generator.mindir": _mindir,
    "Generator.safetensors": _safetensors,
}
# what the model card says of them before the comparison with predictions
ALSO_CHECKED = {"Generator.mindir": "outputs equal to those of the generator, to the last bit, one image at a time; "}


def _pairs(predictions: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Inputs and predictions of some images, evenly spread."""
    names = sorted((file.stem for file in (predictions / "prediction").glob("*.png")), key=natural_order)
    if not names:
        raise InputError(f"{predictions}: has no predictions to compare with; delete it and predict again")
    chosen = sorted({round(index) for index in np.linspace(0, len(names) - 1, min(COMPARED, len(names)))})

    def read(kind: str, name: str) -> np.ndarray:
        try:
            return np.asarray(open_rgb(predictions / kind / f"{name}.png"))
        except (OSError, InputError) as error:
            raise InputError(f"{error}; delete {predictions} and predict again") from None

    return [(read("input", names[index]), read("prediction", names[index])) for index in chosen]


def _compare(
    path: Path, forward: Forward, channels: int, size: tuple[int, int], pairs: list[tuple[np.ndarray, np.ndarray]]
) -> str:
    outputs = [to_pixels(translate_padded(forward, x, channels, *size)) for x, _ in pairs]
    off = np.concatenate([np.abs(out.astype(int) - y).ravel() for out, (_, y) in zip(outputs, pairs, strict=True)])
    share = np.count_nonzero(off) / off.size
    if off.max() > 1 or share > SHARE_OFF:
        raise InputError(
            f"{path.name}: gives other images than predict: {100 * share:.2g} % of the values differ, by up to "
            f"{off.max()} levels of 255; delete the predictions and make them again, or report it"
        )
    if not off.any():
        return f"equal to {len(pairs)} predictions"
    return f"equal to {len(pairs)} predictions, but for one level of 255 in {100 * share:.2g} % of the values"
