"""The JSON schema and docs/parameters.md, generated from the settings models.

`python -m pix2pix.config.documentation` (make reference) writes both; a test checks that they are up to date.
"""

import json
from pathlib import Path

from pydantic import BaseModel

from pix2pix.config.datasets import DatasetSettings, KeepSettings
from pix2pix.config.entries import Config, InputSettings
from pix2pix.config.settings import GeneratorSettings, PredictSettings, TrainSettings, WhereSettings
from pix2pix.system.files import replacing

SCHEMA = Path("workflow/schemas/config.schema.json")
PARAMETERS = Path("docs/parameters.md")
INTRODUCTION = """# Parameters

Every key of config.yaml, with its default. A run's parameters come from these sources, from lowest to
highest precedence: the defaults below, `defaults:` in config.yaml, the dataset's direction,
keep_aspect, jitter and flip, the run's own entry under `runs:`, and the top level of the configuration, which is where
`--config lr=0.001` sets them. An unknown key, a wrong type or a value out of range is an error that
names the key.

    snakemake --cores 4 facades --config epoch_num=50 seed=1
    snakemake --cores 4 mine --configfile mine.yaml

The programs in scripts/ accept the same names as flags (`python scripts/train.py --help`).
"""
RUN_INTRODUCTION = """\
A run, under `runs:`, is one training on a dataset. Its keys are `dataset` (default: the dataset with the
run's name), any parameter below, and optionally `ckpt`, an existing generator checkpoint. With a `ckpt`
nothing is trained, and the parameters of the generator are taken from the checkpoint; if the run's entry
states one that contradicts the checkpoint, that is an error."""

KEEP_INTRODUCTION = """\
What stays on disk, under `keep:`. A change triggers no rerun, and what was dropped is made again only when something
that needs it reruns. What a finished job left is dropped when that job runs again."""


def schema_text() -> str:
    """The JSON schema of config.yaml, for editors and other programs."""
    return json.dumps(Config.model_json_schema(), indent=2) + "\n"


def parameters_text() -> str:
    """docs/parameters.md."""
    own = set(GeneratorSettings.model_fields)
    trained = {name for name in TrainSettings.model_fields if name not in own}
    sections: tuple[tuple[str, str, type[BaseModel], set[str]], ...] = (
        ("Datasets", "A dataset, under `datasets:`, is a source of paired images.", DatasetSettings, set()),
        ("Disk", KEEP_INTRODUCTION, KeepSettings, set()),
        (
            "Inputs",
            "Images without targets, under `inputs:`, that the generators of runs translate.",
            InputSettings,
            set(),
        ),
        ("Runs: the generator", RUN_INTRODUCTION, GeneratorSettings, set()),
        ("Runs: training", "A change retrains only the affected runs.", TrainSettings, own),
        ("Runs: prediction", "A change reruns prediction, but not training.", PredictSettings, own | trained),
        ("Runs: devices and execution", "A change does not trigger a rerun.", WhereSettings, set()),
    )
    parts = [f"\n## {title}\n\n{text}\n\n{_table(model, left_out)}" for title, text, model, left_out in sections]
    return INTRODUCTION + "".join(parts)


def _table(model: type[BaseModel], left_out: set[str]) -> str:
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        if name not in left_out:
            default = None if field.is_required() else field.get_default()
            default = default.model_dump() if isinstance(default, BaseModel) else default
            shown = "required" if field.is_required() else f"`{json.dumps(default)}`"
            rows.append(f"| `{name}` | {shown} | {field.description} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    """Write both files below the working directory."""
    for path, text in ((SCHEMA, schema_text()), (PARAMETERS, parameters_text())):
        with replacing(path) as scratch:
            scratch.write_text(text)


if __name__ == "__main__":
    main()
