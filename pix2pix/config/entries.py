"""config.yaml as it is written: its keys, before runs are resolved."""

import difflib
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, create_model, model_validator
from pydantic_core import ErrorDetails

from pix2pix.config.datasets import DatasetSettings, KeepSettings, Tolerance, archive_ending
from pix2pix.config.settings import FidelitySettings, PredictSettings, TrainSettings, WhereSettings
from pix2pix.config.values import Addresses, Checkpoint, Name, Names, PathName, Seeds, Sha256, Strict, is_address

STAGES = (TrainSettings, PredictSettings, WhereSettings)


def _optional_fields() -> dict[str, Any]:
    fields = {name: field for stage in STAGES for name, field in stage.model_fields.items()}
    return {
        name: (
            Annotated[(field.annotation, *field.metadata, Field())] | None,
            Field(None, description=field.description),
        )
        for name, field in fields.items()
    }


if TYPE_CHECKING:

    class Overrides(Strict):
        """Every parameter of a run; None if not given."""

        seed: int | None = None

else:
    Overrides = create_model("Overrides", __base__=Strict, **_optional_fields())


class RunSettings(Overrides):
    """An entry under `runs:`: the dataset's name and the parameters that differ from the defaults."""

    dataset: Name | None = Field(None, description="a name under datasets; null: the dataset with the run's name")
    ckpt: Checkpoint = Field(
        None,
        description="a generator checkpoint to predict with, without training: a path, an address "
        "(http://, https://, file://), or a list of addresses tried in order",
    )
    ckpt_sha256: Sha256 | None = Field(
        None,
        description="checksum of a ckpt given by address; null: the checksum of the first download is recorded "
        "and later downloads are compared with it",
    )

    @model_validator(mode="after")
    def _one_checkpoint(self) -> "RunSettings":
        if self.ckpt_sha256 and not self.addresses:
            raise ValueError("ckpt_sha256: needs a ckpt that is an address")
        return self

    @property
    def path(self) -> str | None:
        """The checkpoint's path; None if it is an address, or trained here."""
        return self.ckpt if isinstance(self.ckpt, str) and not self.addresses else None

    @property
    def addresses(self) -> tuple[str, ...]:
        """The checkpoint's addresses; empty if it is a path, or trained here."""
        given = [self.ckpt] if isinstance(self.ckpt, str) else self.ckpt or []
        return tuple(given) if all(map(is_address, given)) else ()


class InputSettings(Strict):
    """An entry under `inputs:`: lone images, without targets, that runs translate."""

    folder: PathName = Field(description="a folder of images; those in its subfolders are not used")
    runs: Names = Field(description="the runs whose generators translate the images")
    size: Annotated[int, Field(ge=0)] = Field(
        0,
        description="resize images to this many pixels, measured along the longer side, before translation; "
        "0: translate them at their own size",
    )


class Config(Overrides):
    """The whole of config.yaml. A parameter at the top level overrides that of every run."""

    all: Names = Field(["demo"], description="the runs that `snakemake` produces without a target")
    mirrors: Addresses = Field([], description="addresses of archives, unless a dataset has its own mirrors")
    datasets: dict[Name, DatasetSettings] = Field({}, description="paired images, by name")
    defaults: Overrides = Field(default_factory=Overrides, description="default parameters of all runs")
    runs: dict[Name, RunSettings] = Field({}, description="runs, by name")
    inputs: dict[Name, InputSettings] = Field({}, description="images to translate, by name")
    seeds: Seeds = Field([], description="train each run once per seed, as RUN_seed0, RUN_seed1, ...")
    comparisons: dict[Annotated[str, Field(min_length=1)], Names] = Field(
        {}, description="runs that the summary compares with one another, by title"
    )
    keep: KeepSettings = Field(
        KeepSettings(), description="what stays on disk when nothing needs it any more; a change triggers no rerun"
    )
    fidelity: FidelitySettings = Field(default_factory=FidelitySettings, description="FID and KID")

    @model_validator(mode="after")
    def _one_ending(self) -> "Config":
        archive_ending(self.mirrors)
        return self


def set_in(model: BaseModel) -> dict[str, Any]:
    """The parameters that an entry gives."""
    return {k: v for k in Overrides.model_fields if (v := getattr(model, k)) is not None}


def explain(error: ErrorDetails, prefix: tuple[str, ...]) -> str:
    """One line for a mistake in the configuration, naming the key and what is allowed."""
    where = (*prefix, *(str(part) for part in error["loc"] if part != "[key]"))
    key = ".".join(where)
    if error["type"] == "extra_forbidden":
        return f"config: {key}: unknown key{nearest(where[-1], _keys_at(where))}"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"config: {key}: {message}" if key else f"config: {message}"
    if error["type"] in ("dict_type", "model_type"):
        return (
            f"config: {key}: {error['input']!r} is not allowed: write lines of `key: value` below it, or {{}} for none"
        )
    return f"config: {key}: {error['input']!r} is not allowed: {message[0].lower()}{message[1:]}"


def _keys_at(where: tuple[str, ...]) -> list[str]:
    """The valid keys at the place of an unknown key."""
    model: type[BaseModel] = Config
    if where[0] == "keep":
        model = KeepSettings
    elif where[0] == "datasets" and "tolerate" in where[:-1]:
        model = Tolerance
    elif where[0] == "datasets":
        model = DatasetSettings
    elif where[0] == "runs":
        model = RunSettings
    elif where[0] == "defaults":
        model = Overrides
    elif where[0] == "inputs":
        model = InputSettings
    elif where[0] == "fidelity":
        model = FidelitySettings
    return list(model.model_fields)


def nearest(word: str, words: Any) -> str:
    """The known word that is most like `word`, as the end of a message."""
    near = difflib.get_close_matches(word, list(words), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(words)}"
