"""config.yaml as a whole: datasets, runs, and what is laid over what."""

import difflib
import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, Field, ValidationError, create_model, model_validator
from pydantic_core import ErrorDetails

from pix2pix.config.settings import (
    DatasetSettings,
    FidelitySettings,
    PredictSettings,
    Strict,
    TrainSettings,
    WhereSettings,
)
from pix2pix.config.values import Addresses, Checkpoint, Name, Names, Seeds, Sha256, is_address
from pix2pix.system.errors import InputError

STAGES = (TrainSettings, PredictSettings, WhereSettings)
Stage = TypeVar("Stage", TrainSettings, PredictSettings, WhereSettings)
LONGEST_NAME = 100  # characters of a downloaded file of weights
# what a dataset may say of its runs
OF_DATASET = {"direction", "jitter", "flip"}
# what does nothing where nothing is trained
OF_TRAINING = {*TrainSettings.model_fields, *WhereSettings.model_fields} - {
    *PredictSettings.model_fields,
    "device_target",
}
BENCHMARKS = ("facades", "cityscapes", "maps", "night2day", "edges2shoes", "edges2handbags")


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
        """Every parameter of a run, each None where it is not given."""

        seed: int | None = None

else:
    Overrides = create_model("Overrides", __base__=Strict, **_optional_fields())


class RunSettings(Overrides):
    """What is trained on a dataset: the dataset's name and the parameters that differ."""

    dataset: Name | None = Field(None, description="a name under datasets; null: the one named like the run")
    ckpt: Checkpoint = Field(
        None,
        description="a generator's checkpoint, with which the run predicts without training: a path, or an address "
        "(http://, https://, file://), or several that are tried in order",
    )
    ckpt_sha256: Sha256 | None = Field(
        None,
        description="checksum of a ckpt given by address; null: that of the first download is kept and compared",
    )

    @model_validator(mode="after")
    def _one_checkpoint(self) -> "RunSettings":
        if self.ckpt_sha256 and not self.addresses:
            raise ValueError("ckpt_sha256: needs a ckpt that is an address")
        return self

    @property
    def path(self) -> str | None:
        """The checkpoint's path; None if it is an address or is trained."""
        return self.ckpt if isinstance(self.ckpt, str) and not self.addresses else None

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where the checkpoint is downloaded from; empty if it is a path or is trained."""
        given = [self.ckpt] if isinstance(self.ckpt, str) else self.ckpt or []
        return tuple(given) if all(map(is_address, given)) else ()


class Config(Overrides):
    """The whole of config.yaml. A parameter at the top level is laid over every run."""

    all: Names = Field(["demo"], description="the runs that a plain `snakemake` makes")
    mirrors: Addresses = Field([], description="where archives come from, unless a dataset has mirrors of its own")
    datasets: dict[Name, DatasetSettings] = Field({}, description="paired images, by name")
    defaults: Overrides = Field(default_factory=Overrides, description="parameters of runs that do not say otherwise")
    runs: dict[Name, RunSettings] = Field({}, description="what is trained, by name")
    seeds: Seeds = Field([], description="train each run once for each of these seeds, as RUN_seed0, RUN_seed1, ...")
    comparisons: dict[Annotated[str, Field(min_length=1)], Names] = Field(
        {}, description="runs that the summary compares with one another, by a title"
    )
    fidelity: FidelitySettings = Field(default_factory=FidelitySettings, description="FID and KID")


@dataclass(frozen=True)
class Download:
    """A file of weights that is fetched, whole and checked, before it is used."""

    path: str
    addresses: tuple[str, ...]
    sha256: str | None


@dataclass(frozen=True)
class Run:
    """One run with everything resolved."""

    name: str
    group: str  # the entry under runs: it differs from the name where there are several seeds
    dataset: str
    ckpt: str | None  # a path; None: trained here
    download: Download | None  # where ckpt comes from, if it is not there already
    train: TrainSettings
    predict: PredictSettings
    where: WhereSettings


def read_config(config: dict[str, Any], reserved: Collection[str] = ()) -> tuple[Config, dict[str, Run], list[str]]:
    """Check the whole configuration and resolve every run.

    A run's parameters are, from weakest to strongest: built-in defaults, `defaults`, the dataset's
    direction, jitter and flip where it has them, the run's own entry, the top level (so
    `--config lr=0.001` wins).

    Args:
        config: the content of config.yaml, with what is laid over it.
        reserved: names that no run may have, since they are targets already.

    Returns:
        the configuration, its runs by name, and notes: on each run that had to be left out because
        the top level does not fit it (`--config epoch_num=50` and the demo's short schedule), and on
        what is written and has no effect.

    Raises:
        InputError: with a line for each mistake, naming the key, the value and what is allowed.
    """
    try:
        settings = Config.model_validate(config)
    except ValidationError as error:
        raise InputError("\n".join(_explain(e, ()) for e in error.errors())) from None
    for name in set(reserved) & settings.runs.keys():
        raise InputError(f"config: runs.{name}: is the name of a rule; choose another")
    named = {"all": settings.all} | {f"comparisons.{title}": runs for title, runs in settings.comparisons.items()}
    for key, names in named.items():
        for name in names:
            if name not in settings.runs:
                raise InputError(f"config: {key}: no run is named {name!r}{_nearest(name, settings.runs)}")
    if settings.seeds and settings.seed is not None:
        raise InputError("config: seeds: excludes seed at the top level: keep one")
    runs: dict[str, Run] = {}
    left_out = []
    for name in settings.runs:
        _resolve(settings, name, {})
        try:
            seeded = _seeded(_resolve(settings, name, _set(settings)), settings.seeds)
        except InputError as error:
            left_out.append(f"{error} (this run is left out)")
            continue
        for run in seeded:
            if run.name != name and run.name in settings.runs:
                raise InputError(
                    f"config: seeds: one of run {name} is named {run.name}, as another run is: rename that"
                )
            runs[run.name] = run
    if not runs and left_out:
        raise InputError(left_out[0])
    return settings, runs, _without_effect(settings) + left_out


def _without_effect(config: Config) -> list[str]:
    """A note for each thing that is written and changes nothing."""
    notes = []
    for key in sorted(OF_DATASET & _set(config.defaults).keys()):
        value = getattr(config.defaults, key)
        written = {name: getattr(each, key) for name, each in config.datasets.items() if key in each.model_fields_set}
        if own := [name for name, of_dataset in written.items() if of_dataset != value]:
            notes.append(f"config: defaults.{key}: {value} has no effect on datasets with their own: {', '.join(own)}")
    for name, run in config.runs.items():
        if run.ckpt and (idle := sorted(OF_TRAINING & _set(run).keys())):
            notes.append(f"config: runs.{name}: no effect has {', '.join(idle)}: with a ckpt nothing is trained")
    for title, names in config.comparisons.items():
        missing = [name for name in names if name not in config.all]
        if missing and not set(names) <= set(BENCHMARKS):
            notes.append(f"config: comparisons.{title}: is not made, as `all` lacks {', '.join(missing)}: add there")
    return notes


def _resolve(config: Config, name: str, top_level: dict[str, Any]) -> Run:
    entry = config.runs[name]
    dataset_name = entry.dataset or name
    if dataset_name not in config.datasets:
        near = _nearest(dataset_name, config.datasets)
        raise InputError(f"config: runs.{name}.dataset: no dataset is named {dataset_name!r}{near}")
    dataset = config.datasets[dataset_name]
    built_in = {key: DatasetSettings.model_fields[key].default for key in OF_DATASET}
    of_dataset = {key: getattr(dataset, key) for key in OF_DATASET & dataset.model_fields_set}
    values = built_in | _set(config.defaults) | of_dataset | _set(entry) | top_level
    values.setdefault("target_palette", dataset.palettes.get("right" if values["direction"] == "AtoB" else "left"))
    try:
        train, predict = _part(TrainSettings, values), _part(PredictSettings, values)
        where = _part(WhereSettings, values)
    except ValidationError as error:
        raise InputError("\n".join(_explain(e, ("runs", name)) for e in error.errors())) from None
    if predict.predict_split not in dataset.splits:
        raise InputError(
            f"config: runs.{name}.predict_split: dataset {dataset_name} has no split {predict.predict_split!r}; "
            f"it has {', '.join(dataset.splits)}"
        )
    addresses = entry.addresses
    if entry.path and "{" in entry.path:
        # Snakemake would take what stands in braces for a wildcard, so the workflow uses a copy
        addresses = (f"file://{quote(entry.path)}",)
    download = _download(name, addresses, entry.ckpt_sha256, ".ckpt") if addresses else None
    ckpt = download.path if download else entry.path
    return Run(name, name, dataset_name, ckpt, download, train, predict, where)


def _part(stage: type[Stage], values: dict[str, Any]) -> Stage:
    return stage(**{key: values[key] for key in stage.model_fields if key in values})


def _seeded(run: Run, seeds: list[int]) -> list[Run]:
    """The run once for each seed, under a name that tells it; a run that trains nothing stays one."""
    if run.ckpt or not seeds:
        return [run]
    return [
        replace(
            run,
            name=f"{run.group}_seed{seed}",
            train=run.train.model_copy(update={"seed": seed}),
            predict=run.predict.model_copy(update={"seed": seed}),
        )
        for seed in seeds
    ]


def fidelity_weights(settings: FidelitySettings) -> Download:
    """The weights for FID and KID, and where they come from."""
    return _download("fidelity", tuple(settings.weights), settings.sha256, ".pth")


def _download(owner: str, addresses: tuple[str, ...], sha256: str | None, ending: str) -> Download:
    """Weights keep the name that they are published under, in a folder of their owner.

    A name that is more than letters, digits, dots, dashes and lines would mean something to Snakemake, a
    shell or a file system: it is reduced to these, and told from others like it by a checksum.
    """
    published = PurePosixPath(unquote(urlsplit(addresses[0]).path)).name.removesuffix(ending)
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", published).lstrip(".-")[:LONGEST_NAME]
    if not stem or stem != published:
        stem = f"{stem}-{hashlib.sha256(published.encode()).hexdigest()[:8]}".lstrip("-")
    return Download(f"data/weights/{owner}/{stem}{ending}", addresses, sha256)


def _set(model: BaseModel) -> dict[str, Any]:
    return {k: v for k in Overrides.model_fields if (v := getattr(model, k)) is not None}


def _explain(error: ErrorDetails, prefix: tuple[str, ...]) -> str:
    where = (*prefix, *(str(part) for part in error["loc"] if part != "[key]"))
    key = ".".join(where)
    if error["type"] == "extra_forbidden":
        return f"config: {key}: unknown key{_nearest(where[-1], _keys_at(where))}"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"config: {key}: {message}" if key else f"config: {message}"
    return f"config: {key}: {error['input']!r} is not allowed: {message[0].lower()}{message[1:]}"


def _keys_at(where: tuple[str, ...]) -> list[str]:
    """The keys that may stand where an unknown one was found."""
    model: type[BaseModel] = Config
    if where[0] == "datasets":
        model = DatasetSettings
    elif where[0] == "runs":
        model = RunSettings
    elif where[0] == "defaults":
        model = Overrides
    elif where[0] == "fidelity":
        model = FidelitySettings
    return list(model.model_fields)


def _nearest(word: str, words: Any) -> str:
    near = difflib.get_close_matches(word, list(words), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(words)}"
