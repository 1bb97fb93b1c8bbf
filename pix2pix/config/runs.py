"""Runs, resolved: the precedence of parameters, seeds, and the weights to download."""

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

from pydantic import ValidationError

from pix2pix.config.datasets import DatasetSettings
from pix2pix.config.entries import Config, explain, nearest, set_in
from pix2pix.config.settings import (
    FidelitySettings,
    GeneratorSettings,
    PredictSettings,
    TrainSettings,
    WhereSettings,
)
from pix2pix.config.values import is_address
from pix2pix.system.errors import InputError

Stage = TypeVar("Stage", TrainSettings, PredictSettings, WhereSettings)
LONGEST_NAME = 100  # characters in the name of a downloaded weights file
# run parameters that a dataset may set
OF_DATASET = {"direction", "keep_aspect", "jitter", "flip"}
# parameters without effect if nothing is trained
OF_TRAINING = {*TrainSettings.model_fields, *WhereSettings.model_fields} - {
    *PredictSettings.model_fields,
    "device_target",
}
# the network that a key gives the weights of, and the settings that shape it
INITIAL = {
    "init_ckpt": ("Generator", set(GeneratorSettings.model_fields)),
    "init_d_ckpt": ("Discriminator", {"d_ndf", "d_layers", "conditional", "norm", "pad_mode", "alpha"}),
}
BENCHMARKS = ("facades", "cityscapes", "maps", "night2day", "edges2shoes", "edges2handbags")


@dataclass(frozen=True)
class Download:
    """A weights file that is downloaded and verified before use."""

    path: str
    addresses: tuple[str, ...]
    sha256: str | None


@dataclass(frozen=True)
class Run:
    """A run with every parameter resolved."""

    name: str
    group: str  # the entry under runs:, which differs from the name if there are several seeds
    dataset: str
    ckpt: str | None  # a path; None: trained by the workflow
    download: Download | None  # the source of ckpt, if it has to be downloaded
    train: TrainSettings
    predict: PredictSettings
    where: WhereSettings
    # settings of prediction that are taken from the checkpoint; those in `predict` are only placeholders
    from_ckpt: frozenset[str] = frozenset()
    # the weights that init_ckpt and init_d_ckpt give by address, and those that they give by the name of a run
    init_downloads: tuple[Download, ...] = ()
    init_runs: tuple[tuple[str, str], ...] = ()  # key and run


def read_config(config: dict[str, Any], reserved: Collection[str] = ()) -> tuple[Config, dict[str, Run], list[str]]:
    """Validate the whole configuration and resolve every run.

    A run's parameters come from these sources, from lowest to highest precedence: built-in defaults,
    `defaults`, the dataset's direction, keep_aspect, jitter and flip, the run's own entry, and the top level
    (`--config lr=0.001`).

    Args:
        config: the content of config.yaml, merged with all overrides.
        reserved: names that runs must not have, since they are already targets.

    Returns:
        the configuration, its runs by name, and notes: about runs that are skipped because the top
        level does not fit them (`--config epoch_num=50` and the demo's short schedule), and about
        settings without effect.

    Raises:
        InputError: with one line per mistake, naming the key, the value and what is allowed.
    """
    try:
        settings = Config.model_validate(config)
    except ValidationError as error:
        raise InputError("\n".join(explain(e, ()) for e in error.errors())) from None
    _check_names(settings, reserved)
    runs: dict[str, Run] = {}
    left_out = []
    for name in settings.runs:
        _resolve(settings, name, {})
        try:
            seeded = _seeded(_resolve(settings, name, set_in(settings)), settings.seeds)
        except InputError as error:
            left_out.append(f"{error} (this run is skipped)")
            continue
        for run in seeded:
            if run.name != name and run.name in settings.runs:
                raise InputError(
                    f"config: seeds: run {name} would create {run.name}, but another run has that name: rename it"
                )
            runs[run.name] = run
    if left_out and all(run.ckpt for run in runs.values()):
        raise InputError(left_out[0])
    return settings, runs, _without_effect(settings) + left_out


def _check_names(settings: Config, reserved: Collection[str]) -> None:
    """Check that runs and inputs have names of their own, and that the runs that are named exist."""
    for name in set(reserved) & settings.runs.keys():
        raise InputError(f"config: runs.{name}: is a reserved name; choose another")
    for name in settings.inputs.keys() & {*reserved, *settings.runs}:
        raise InputError(f"config: inputs.{name}: is a reserved name, or that of a run; choose another")
    named = {"all": settings.all} | {f"inputs.{name}.runs": each.runs for name, each in settings.inputs.items()}
    named |= {f"comparisons.{title}": runs for title, runs in settings.comparisons.items()}
    for key, names in named.items():
        for name in names:
            if name not in settings.runs:
                raise InputError(f"config: {key}: no run is named {name!r}{nearest(name, settings.runs)}")
    if settings.seeds and settings.seed is not None:
        raise InputError("config: seeds: cannot be combined with seed at the top level: keep one")


def _without_effect(config: Config) -> list[str]:
    """Return a note for each setting without effect."""
    notes = []
    for key in sorted(OF_DATASET & set_in(config.defaults).keys()):
        value = getattr(config.defaults, key)
        written = {name: getattr(each, key) for name, each in config.datasets.items() if key in each.model_fields_set}
        if own := [name for name, of_dataset in written.items() if of_dataset != value]:
            notes.append(f"config: defaults.{key}: {value} has no effect on datasets with their own: {', '.join(own)}")
    for title, names in config.comparisons.items():
        missing = [name for name in names if name not in config.all]
        if missing and not set(names) <= set(BENCHMARKS):
            notes.append(f"config: comparisons.{title}: is skipped, since `all` lacks {', '.join(missing)}: add it")
    return notes


def _resolve(config: Config, name: str, top_level: dict[str, Any], chain: tuple[str, ...] = ()) -> Run:
    """Resolve a run; `chain` are the runs that start from its weights, directly or not."""
    entry = config.runs[name]
    if entry.ckpt and (training := sorted(OF_TRAINING & set_in(entry).keys())):
        raise InputError(
            f"config: runs.{name}: has a ckpt, with which nothing is trained, and keys of training "
            f"({', '.join(training)}): to train from these weights, write init_ckpt instead of ckpt; to predict with "
            "them, remove the keys"
        )
    dataset_name = entry.dataset or name
    if dataset_name not in config.datasets:
        near = nearest(dataset_name, config.datasets)
        raise InputError(f"config: runs.{name}.dataset: no dataset is named {dataset_name!r}{near}")
    dataset = config.datasets[dataset_name]
    built_in = {key: DatasetSettings.model_fields[key].default for key in OF_DATASET}
    of_dataset = {key: getattr(dataset, key) for key in OF_DATASET & dataset.model_fields_set}
    stated = set_in(entry) | top_level
    values = built_in | set_in(config.defaults) | of_dataset | stated
    initial = {} if entry.ckpt else _initial_weights(config, name, values, top_level, chain)
    values |= {k: v for each in initial.values() for k, v in each.architecture.items() if k not in stated}
    values |= {key: each.path for key, each in initial.items()}
    values.setdefault("target_palette", dataset.palettes.get("right" if values["direction"] == "AtoB" else "left"))
    from_ckpt = _from_ckpt(values, set_in(entry), top_level) if entry.ckpt else frozenset()
    try:
        # the least depth puts the fewest conditions on sizes: the checkpoint's own is checked when it is read
        predict = _part(PredictSettings, {**values, "g_layers": 2} if "g_layers" in from_ckpt else values)
        train = _part(TrainSettings, {} if entry.ckpt else values)
        where = _part(WhereSettings, values)
    except ValidationError as error:
        raise InputError("\n".join(explain(e, ("runs", name)) for e in error.errors())) from None
    if predict.predict_split not in dataset.splits:
        raise InputError(
            f"config: runs.{name}.predict_split: dataset {dataset_name} has no split {predict.predict_split!r}; "
            f"it has {', '.join(dataset.splits)}"
        )
    addresses = entry.addresses
    if entry.path and "{" in entry.path:
        # Snakemake would treat braces in the path as a wildcard, so the workflow uses a copy of the file
        addresses = (f"file://{quote(entry.path)}",)
    download = _download(name, addresses, entry.ckpt_sha256, ".ckpt") if addresses else None
    ckpt = download.path if download else entry.path
    downloads = tuple(each.download for each in initial.values() if each.download)
    runs = tuple((key, each.run) for key, each in initial.items() if each.run)
    return Run(name, name, dataset_name, ckpt, download, train, predict, where, from_ckpt, downloads, runs)


@dataclass(frozen=True)
class _Initial:
    """The weights that a training starts from; `architecture` are settings that go with them."""

    path: str
    run: str | None = None
    download: Download | None = None
    architecture: dict[str, Any] = field(default_factory=dict)


def _initial_weights(
    config: Config, name: str, values: dict[str, Any], top_level: dict[str, Any], chain: tuple[str, ...]
) -> dict[str, _Initial]:
    found = {}
    for key, (network, shaped_by) in INITIAL.items():
        given = values.get(key)
        if given is None:
            continue
        if given not in config.runs:
            addresses = (given,) if is_address(given) else (f"file://{quote(given)}",) if "{" in given else ()
            download = _download(f"{name}/{network}", addresses, None, ".ckpt") if addresses else None
            found[key] = _Initial(download.path if download else given, download=download)
            continue
        if given in (name, *chain):
            raise InputError(f"config: runs.{name}.{key}: {given} would start from its own weights: name another run")
        other = _resolve(config, given, top_level, (name, *chain))
        if not other.ckpt:
            path = f"results/{given}/ckpt/{network}_{other.train.epoch_num}.ckpt"
            found[key] = _Initial(path, given, None, other.train.model_dump(include=shaped_by))
        elif network == "Generator":
            found[key] = _Initial(other.ckpt)  # what has to be downloaded is a download of that run
        else:
            raise InputError(f"config: runs.{name}.{key}: run {given} has a ckpt, and so no discriminator")
    return found


def _from_ckpt(values: dict[str, Any], entry: dict[str, Any], top_level: dict[str, Any]) -> frozenset[str]:
    """The settings that a run with a ckpt takes from it: the architecture and the size, unless the user states them.

    A `defaults` or a top level with an architecture is meant for the runs that are trained.
    """
    names = GeneratorSettings.model_fields.keys() - entry.keys()
    size, default = "val_pic_size", PredictSettings.model_fields["val_pic_size"].default
    stated = size in entry or size in top_level or values.get(size, default) != default
    return frozenset(names if stated else {*names, size})


def _part(stage: type[Stage], values: dict[str, Any]) -> Stage:
    return stage(**{key: values[key] for key in stage.model_fields if key in values})


def _seeded(run: Run, seeds: list[int]) -> list[Run]:
    """Return one run per seed, named after it; a run with a ckpt is not repeated."""
    if run.ckpt or not seeds:
        return [run]
    return [
        replace(
            run,
            name=f"{run.group}_seed{seed}",
            train=run.train.model_copy(update={"seed": seed} | _of_seed(run, seed)),
            predict=run.predict.model_copy(update={"seed": seed}),
        )
        for seed in seeds
    ]


def _of_seed(run: Run, seed: int) -> dict[str, str]:
    """The weights to start from, of the runs with this seed."""
    return {
        key: getattr(run.train, key).replace(f"results/{other}/", f"results/{other}_seed{seed}/", 1)
        for key, other in run.init_runs
    }


def fidelity_weights(settings: FidelitySettings) -> Download:
    """The weights for FID and KID, and their addresses."""
    return _download("fidelity", tuple(settings.weights), settings.sha256, ".pth")


def _download(owner: str, addresses: tuple[str, ...], sha256: str | None, ending: str) -> Download:
    """Keep the published file name of weights, in a folder named after the owner.

    Other characters than letters, digits, dots, hyphens and underscores may have a meaning for Snakemake,
    the shell or the file system: they are replaced, and a checksum keeps similar names distinct.
    """
    published = PurePosixPath(unquote(urlsplit(addresses[0]).path)).name.removesuffix(ending)
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", published).lstrip(".-")[:LONGEST_NAME]
    if not stem or stem != published:
        stem = f"{stem}-{hashlib.sha256(published.encode()).hexdigest()[:8]}".lstrip("-")
    return Download(f"data/weights/{owner}/{stem}{ending}", addresses, sha256)
