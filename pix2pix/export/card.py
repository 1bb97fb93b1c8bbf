"""The model card: a README.md that says what the generator is and how to load each file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pix2pix import __version__
from pix2pix.config.values import height_and_width
from pix2pix.model.description import Description

TEMPLATE = """---
tags: [pix2pix, image-to-image]
---
# {run}

A pix2pix generator (U-Net, Isola et al. 2017) that maps images to images, {trained},
exported by version {version} of this project.

![inputs, predictions and targets](grid.png)

## Scores

On {n} images of the split {split} of {dataset} ({direction}), at {size} pixels:

| metric | mean | 95 % interval |
|---|---:|---|
{scores}

{definitions}

## Files

| file | contents | compared |
|---|---|---|
| Generator.onnx | ONNX opset 17; batch, height and width are free | {onnx} |
| Generator.mindir | MindSpore MindIR, for one image of {size} pixels | {mindir} |
| Generator.safetensors | weights, under the names of timings/torch_pix2pix.py | {safetensors} |

All three take float32 in [-1, 1], shape (N, {g_in_planes}, H, W), with H and W multiples of {unit}, and return
(N, {g_out_planes}, H, W) in the same range. An 8-bit value v is v / 127.5 - 1. Each image is normalised with its own
statistics, so a PyTorch network has to be in training mode, and takes one image at a time.

ONNX:

    import numpy as np, onnxruntime
    from PIL import Image
    x = np.asarray(Image.open("input.png").convert({mode}), np.float32) / 127.5 - 1
    x = x.{batch}
    y = onnxruntime.InferenceSession("Generator.onnx").run(None, {{"input": x}})[0]

MindSpore:

    import mindspore as ms
    network = ms.nn.GraphCell(ms.load("Generator.mindir"))
    y = network(ms.Tensor(x)).asnumpy()

PyTorch:

{torch}

And the image, for all three:

    pixels = ((y[0].transpose(1, 2, 0) + 1) * 127.5).round().clip(0, 255).astype("uint8")
    Image.fromarray(pixels{squeeze}).save("output.png")

## Settings

{settings}

## Licence

The weights were learned from the images of {learned_from}, whose terms may limit what can be done with them. The code
of this project is under the MIT licence, which does not cover the weights. State the licence that you give them here.
"""
TORCH = """    import torch
    from safetensors.torch import load_file
    from torch_pix2pix import generator          # timings/torch_pix2pix.py
    network = generator({g_ngf}, {g_layers}).train()
    network.load_state_dict(load_file("Generator.safetensors"))
    y = network(torch.from_numpy(x)).detach().numpy()"""
NO_TORCH = """    # timings/torch_pix2pix.py has the default architecture; this one differs: {different}"""
IN_TORCH = {"g_in_planes": 3, "g_out_planes": 3, "alpha": 0.2, "norm": "batch", "pad_mode": "CONSTANT",
            "skip_connections": True}  # fmt: skip


def write_card(
    path: Path,
    run: str,
    report: Mapping[str, Any],
    settings: Mapping[str, Any],
    description: Description | None,
    compared: Mapping[str, str],
) -> None:
    """Write the card.

    Args:
        path: README.md.
        run: the run's name.
        report: metrics.json.
        settings: the architecture.
        description: what the checkpoint says about its training, if it does.
        compared: for each exported file, how it compares with predictions.
    """
    different = ", ".join(f"{name} {settings[name]}" for name, usual in IN_TORCH.items() if settings[name] != usual)
    grey = settings["g_in_planes"] == 1
    path.write_text(
        TEMPLATE.format(
            run=run,
            dataset=report["dataset"],
            direction=report["direction"],
            trained=_trained(description),
            learned_from=description.dataset if description else "a dataset",
            version=__version__,
            n=report["n"],
            split=report["predict_split"],
            size="{1}x{0}".format(*height_and_width(report["val_pic_size"])),
            scores="\n".join(_row(name, score) for name, score in report["metrics"].items()),
            definitions="\n".join(f"- {name}: {text}" for name, text in report["definitions"].items()),
            onnx=compared["Generator.onnx"],
            mindir=compared["Generator.mindir"],
            safetensors=compared["Generator.safetensors"],
            unit=2 ** settings["g_layers"],
            mode='"L"' if grey else '"RGB"',
            batch="reshape(1, 1, *x.shape)" if grey else "transpose(2, 0, 1)[None]",
            squeeze="[:, :, 0]" if settings["g_out_planes"] == 1 else "",
            torch=(NO_TORCH if different else TORCH).format(**settings, different=different),
            settings="\n".join(f"- {name}: {value}" for name, value in settings.items()),
            g_in_planes=settings["g_in_planes"],
            g_out_planes=settings["g_out_planes"],
        ),
        encoding="utf-8",
    )


def _trained(description: Description | None) -> str:
    # a run with a ckpt may predict another dataset than its generator was trained on
    if not description:
        return "whose checkpoint does not say what it was trained on"
    return f"trained on the dataset {description.dataset}\n({description.direction}, {description.epochs} epochs)"


def _row(name: str, score: Mapping[str, Any]) -> str:
    mean = "unknown" if score["mean"] is None else f"{score['mean']:.4g}"
    interval = "" if score["ci95"] is None else " to ".join(f"{end:.4g}" for end in score["ci95"])
    return f"| {name} | {mean} | {interval} |"
