"""Settings of a dataset: where its paired images come from and how they are read."""

import re
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pix2pix.config.values import (
    KEEP_ASPECT,
    Addresses,
    Direction,
    Pairs,
    Palette,
    PathName,
    Sha256,
    Split,
    SplitFile,
    Strict,
    VariableName,
)

ARCHIVE_NAME = re.compile(r"\.(tar(?:\.\w+)?|tgz|tbz2?|txz|tzst|zip)(?=[?#]|$)")


def archive_addresses(mirrors: Iterable[str], dataset: str) -> list[str]:
    """Addresses of a dataset's archive: replace `{dataset}`, and append {dataset}.tar.gz to folders."""
    addresses = []
    for mirror in mirrors:
        address = mirror.replace("{dataset}", dataset)
        if not ARCHIVE_NAME.search(address):
            folder, mark, query = address.partition("?")
            address = f"{folder.rstrip('/')}/{dataset}.tar.gz{mark}{query}"
        addresses.append(address)
    return addresses


def archive_ending(mirrors: Iterable[str]) -> str:
    """How the name of a dataset's archive ends, for example tar.gz or zip: like that of its mirrors.

    Raises:
        ValueError: the mirrors have different endings.
    """
    endings = {found[1] for address in archive_addresses(mirrors, "x") if (found := ARCHIVE_NAME.search(address))}
    if len(endings) > 1:
        raise ValueError(f"mirrors are copies of one file, but these end in {', '.join(sorted(endings))}")
    return endings.pop() if endings else "tar.gz"


NotNegativeCount = Annotated[int, Field(ge=0)]


class KeepSettings(Strict):
    """What stays on disk when nothing needs it any more; a change triggers no rerun."""

    archive: bool = Field(
        True,
        description="archives that the workflow downloaded or drew, after extraction; one that you put there is always "
        "kept",
    )
    pairs: bool = Field(
        True,
        description="data/{dataset}/pairs/, with one file per pair; false: one zip file per split, which is deleted "
        "when its records are written",
    )
    snapshots: bool = Field(
        True, description="networks in results/{run}/snapshots/ after the end of training; the best one is always kept"
    )


class Tolerance(Strict):
    """Mistakes in a dataset that are accepted, listed in data/{dataset}/left_out.json, and shown beside every score."""

    bad: NotNegativeCount = Field(0, description="number of unreadable images, in all splits, that are left out")
    count: NotNegativeCount = Field(
        0, description="difference between the numbers of declared and found images in a split that is accepted"
    )


class DatasetSettings(Strict):
    """The source of paired images and how to read them."""

    mirrors: Addresses | None = Field(
        None,
        description="addresses of the archive, http(s):// or file://, tried in order; {dataset} is replaced by the "
        "name; one without a .tar or .zip file name is a folder with {dataset}.tar.gz; null: the top-level mirrors",
    )
    folder: PathName | None = Field(None, description="a folder on disk with train/ and val/, instead of an archive")
    parquet: PathName | None = Field(
        None,
        description="a parquet file, or a folder of them, with the columns imageA and imageB, instead of an archive; "
        "needs pyarrow",
    )
    split_file: SplitFile | None = Field(
        None,
        description="a .csv or .json file in the archive or folder that lists the images of each split, which are then "
        "not in a folder per split",
    )
    drawn: bool = Field(False, description="drawn by the built-in program, instead of an archive (the demo)")
    sha256: Sha256 | None = Field(
        None,
        description="checksum of the archive; null: the checksum of the first download is recorded and later "
        "downloads are compared with it",
    )
    token_env: VariableName | None = Field(
        None,
        description="the environment variable with a token for the mirrors, sent as `Authorization: Bearer` over "
        "https only; the token is never printed or stored",
    )
    splits: dict[Split, Pairs | None] = Field(
        {"train": None, "val": None},
        description="the splits and the number of pairs in each; null: at least one",
    )
    tolerate: Tolerance = Field(
        Tolerance(),
        description="bad: number of unreadable images that are left out; count: accepted difference from the number "
        "of pairs in a split; both are listed beside the records and shown beside every score",
    )
    left: str = Field("A", description="content of the left half (A)")
    right: str = Field("B", description="content of the right half (B)")
    palettes: dict[Literal["left", "right"], Palette] = Field(
        {}, description="the halves that are label maps, each with the palette of its classes"
    )
    direction: Direction = Field("AtoB", description="the input half: left for AtoB, right for BtoA")
    keep_aspect: bool = Field(True, description=KEEP_ASPECT)
    jitter: bool = Field(True, description="in training, resize to load_size and take a random crop of train_pic_size")
    flip: bool = Field(True, description="in training, flip pairs horizontally with probability 0.5")

    @model_validator(mode="after")
    def _one_source(self) -> "DatasetSettings":
        if sum([self.mirrors is not None, self.folder is not None, self.parquet is not None, self.drawn]) > 1:
            raise ValueError("mirrors, folder, parquet and drawn are mutually exclusive: keep one")
        if self.drawn and self.split_file:
            raise ValueError("split_file does not apply to drawn: remove it")
        if "train" not in self.splits or "val" not in self.splits:
            raise ValueError("splits needs both train and val")
        if self.drawn and (self.splits.keys() != {"train", "val"} or None in self.splits.values()):
            raise ValueError("drawn needs exactly the splits train and val, each with its number of pairs")
        archive_ending(self.mirrors or [])
        if self.token_env and not self.mirrors:
            raise ValueError("token_env needs mirrors of this dataset, which the token is sent to")
        if self.on_disk is not None and self.sha256 is not None:
            raise ValueError("sha256 applies to an archive, not to a folder: remove it")
        return self

    @property
    def on_disk(self) -> str | None:
        """The folder or parquet files that the user has on disk; None: an archive."""
        return self.folder if self.folder is not None else self.parquet
