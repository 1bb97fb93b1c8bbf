"""What a checkpoint says about itself: the architecture of its networks, and what they were trained on.

Training writes it into the checkpoint as JSON. If there is none, as in published checkpoints, what can be read off
the names and shapes of the parameters is used.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from pix2pix import __version__
from pix2pix.config.settings import GeneratorSettings, TrainSettings
from pix2pix.config.values import Direction, Palette, Positive
from pix2pix.model.checkpoint import Stored, read_checkpoint
from pix2pix.system.errors import InputError

# a convolution of the generator: any prefix, then one "model." per level of the U-Net
CONVOLUTION = re.compile(r"(?:.*?\.)??model\.((?:model\.\d+\.)*)model\.(\d+)\.weight")
OF_DISCRIMINATOR = {"d_ndf", "d_layers", "conditional"}


class Description(BaseModel):
    """The description in a checkpoint; keys that a later version adds are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: str  # of this project
    dataset: str
    epochs: Positive
    train_pic_size: Any = None
    direction: Direction
    target_palette: Palette | None = None
    generator: GeneratorSettings
    discriminator: dict[str, Any] = {}

    def task(self) -> dict[str, Any]:
        """The settings of prediction, other than the architecture, that are the same as in training."""
        size = {"val_pic_size": self.train_pic_size} if self.train_pic_size else {}
        return size | {"direction": self.direction, "target_palette": self.target_palette}


def describe(settings: TrainSettings, files: list[Path], epochs: int) -> str:
    """The description, as JSON, of networks trained for `epochs` epochs on records that lie in the dataset's folder."""
    return Description(
        version=__version__,
        dataset=files[0].resolve().parent.name,
        epochs=epochs,
        train_pic_size=settings.train_pic_size,
        direction=settings.direction,
        target_palette=settings.target_palette,
        generator=GeneratorSettings(**settings.model_dump(include=set(GeneratorSettings.model_fields))),
        discriminator=settings.model_dump(include=OF_DISCRIMINATOR),
    ).model_dump_json()


def read_description(path: Path, stored: Stored) -> Description | None:
    """The description in a checkpoint; None if it has none.

    Raises:
        InputError: it is damaged, or a later version wrote it.
    """
    if stored.about is None:
        return None
    try:
        return Description.model_validate_json(stored.about)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"{path}: its description is damaged or from a later version of this project "
            f"({'.'.join(map(str, first['loc']))}: {first['msg']}); use the version that trained it"
        ) from None


def infer_generator(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Read the architecture of a generator off the shapes of its parameters.

    Returns:
        every setting but alpha and dropout, which leave no trace. pad_mode is left out if it is one of the two that
        mirror, because these cannot be told apart.

    Raises:
        InputError: the parameters are not those of a U-Net.
    """
    levels: dict[str, dict[int, tuple[int, ...]]] = {}
    for name, shape in shapes.items():
        if (match := CONVOLUTION.fullmatch(name)) and len(shape) == 4:
            levels.setdefault(match[1], {})[int(match[2])] = shape
    ordered = sorted(levels, key=len)
    if len(ordered) < 2 or any(len(level) != 2 for level in levels.values()):
        raise InputError(f"{path}: its parameters are not those of a pix2pix generator (a U-Net)")
    first, (down, up) = min(levels[ordered[0]]), (levels[ordered[0]][index] for index in sorted(levels[ordered[0]]))
    batch_norm = any(name.endswith(".gamma") for name in shapes)
    found: dict[str, Any] = {"g_in_planes": down[1], "g_out_planes": up[1], "g_ngf": down[0], "g_layers": len(ordered)}
    found |= {"norm": "batch" if batch_norm else "instance", "skip_connections": up[0] == 2 * down[0]}
    return found | ({"pad_mode": "CONSTANT"} if first == 0 else {})


def generator_settings(path: Path, given: Mapping[str, Any]) -> tuple[GeneratorSettings, Description | None]:
    """The architecture of the generator in a checkpoint, and the checkpoint's description.

    Args:
        path: the checkpoint.
        given: architecture that the user has stated; it must not contradict the checkpoint, and provides what a
            checkpoint without a description does not tell.

    Raises:
        InputError: the checkpoint is missing, damaged, not of a generator, or contradicts what was given.
    """
    stored = read_checkpoint(path)
    description = read_description(path, stored)
    if description:
        known = description.generator.model_dump()
    else:
        known = infer_generator(path, {name: array.shape for name, array in stored.arrays.items()})
        if "pad_mode" not in known and given.get("pad_mode", "CONSTANT") == "CONSTANT":
            raise InputError(f"{path}: was trained with pad_mode REFLECT or SYMMETRIC and does not say which: set it")
    check_agreement(path, known, given)
    try:
        return GeneratorSettings(**{**given, **known}), description
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{path}: has an unsupported {first['loc'][0]}: {first['msg']}") from None


def check_agreement(path: Path, known: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Check that what a user has given does not contradict what is known of a checkpoint.

    Raises:
        InputError: it does; the message names both values.
    """
    for key in known:
        if key in given and given[key] != known[key]:
            raise InputError(
                f"{path}: was trained with {key} {known[key]}, but {key} is set to {given[key]}: "
                f"remove it or set it to {known[key]}"
            )
