"""Settings of a dataset: where its paired images come from and how they are read."""

import re
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pix2pix.config.values import (
    KEEP_ASPECT,
    Addresses,
    Direction,
    Palette,
    PathName,
    Sha256,
    Split,
    SplitFile,
    SplitPart,
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
        description="archives that the workflow downloaded or made, after extraction; one that you put there is always "
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


ROUNDING = 1e-6  # in the sum of fractions


class DatasetSettings(Strict):
    """The source of paired images and how to read them."""

    mirrors: Addresses | None = Field(
        None,
        description="addresses of the archive, http(s):// or file://, tried in order; {dataset} is replaced by the "
        "name; one without a .tar or .zip file name is a folder with {dataset}.tar.gz; null: the top-level mirrors",
    )
    folder: PathName | None = Field(None, description="a folder on disk with train/ and val/, instead of an archive")
    folder_a: PathName | None = Field(
        None, description="a folder of images A, instead of an archive; their partners in folder_b have the same names"
    )
    folder_b: PathName | None = Field(None, description="the folder of images B")
    pairs: PathName | None = Field(
        None,
        description="a CSV file with the columns a, b (paths of images, relative to the file) and split, instead of "
        "an archive",
    )
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
    splits: dict[Split, SplitPart] = Field(
        {"train": None, "val": None},
        description="the splits and the number of pairs in each; null: at least one; for folder_a and folder_b also "
        "fractions that add up to 1, or a list of names (a path) for each; for pairs also fractions",
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

    @property
    def split_kind(self) -> Literal["folders", "fractions", "lists"]:
        """How pairs are assigned to splits: by folders (or the column of a list), by fractions, or by lists."""
        if any(isinstance(part, str) for part in self.splits.values()):
            return "lists"
        return "fractions" if any(isinstance(part, float) for part in self.splits.values()) else "folders"

    @property
    def counts(self) -> dict[Split, int | None]:
        """The declared number of pairs of each split."""
        return {split: part if isinstance(part, int) else None for split, part in self.splits.items()}

    @property
    def lists(self) -> list[str]:
        """The files that list pairs or names."""
        names = [part for part in self.splits.values() if isinstance(part, str)]
        return [self.pairs, *names] if self.pairs else names

    @property
    def separate(self) -> bool:
        """Whether A and B lie in separate files."""
        return self.folder_a is not None or self.pairs is not None

    @model_validator(mode="after")
    def _one_source(self) -> "DatasetSettings":
        folders = self.folder_a is not None or self.folder_b is not None
        given = [self.mirrors, self.folder, self.parquet, self.folder_a or self.folder_b, self.pairs]
        if sum(each is not None for each in given) + self.drawn > 1:
            raise ValueError(
                "mirrors, folder, parquet, folder_a with folder_b, pairs and drawn are mutually exclusive: keep one"
            )
        if folders and None in (self.folder_a, self.folder_b):
            raise ValueError("folder_a and folder_b belong together: add the other")
        if self.split_file and (self.drawn or self.separate):
            raise ValueError("split_file applies to an archive, a folder or parquet files: remove it")
        if "train" not in self.splits or "val" not in self.splits:
            raise ValueError("splits needs both train and val")
        if self.drawn and (self.splits.keys() != {"train", "val"} or None in self.splits.values()):
            raise ValueError("drawn needs exactly the splits train and val, each with its number of pairs")
        archive_ending(self.mirrors or [])
        if self.token_env and not self.mirrors:
            raise ValueError("token_env needs mirrors of this dataset, which the token is sent to")
        if (self.on_disk is not None or self.separate) and self.sha256 is not None:
            raise ValueError("sha256 applies to an archive, not to a folder: remove it")
        self._check_parts()
        return self

    def _check_parts(self) -> None:
        if self.split_kind == "folders":
            return
        if not self.separate:
            raise ValueError("splits: fractions and lists need folder_a and folder_b, or pairs")
        if self.split_kind == "lists" and self.pairs:
            raise ValueError("splits: lists of names need folder_a and folder_b; pairs has a column split instead")
        if len({type(part) for part in self.splits.values()}) > 1:
            raise ValueError("splits: must all be numbers of pairs (or null), all fractions, or all lists")
        if self.split_kind == "fractions" and abs(sum(map(float, self.splits.values())) - 1) > ROUNDING:  # type: ignore[arg-type]
            raise ValueError("splits: the fractions must add up to 1")

    @property
    def on_disk(self) -> str | None:
        """The folder or parquet files that the user has on disk; None: an archive."""
        return self.folder if self.folder is not None else self.parquet
