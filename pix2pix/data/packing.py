"""Extracted pairs: one file per pair, or one uncompressed zip file per split, to have few files.

PAIRS/train/1.jpg   or   1.jpg in PAIRS/train.zip
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from pix2pix.system.errors import InputError
from pix2pix.system.files import natural_order

Write = Callable[[str, str, bytes], object]  # split, name of the file, content; from any thread


@contextmanager
def as_files(folder: Path, splits: Iterable[str]) -> Iterator[Write]:
    """Yield a function that writes pairs to `folder`/{split}/."""
    for split in splits:
        (folder / split).mkdir(parents=True)
    yield lambda split, name, data: (folder / split / name).write_bytes(data)


@contextmanager
def as_zips(folder: Path, splits: Iterable[str]) -> Iterator[Write]:
    """Yield a function that writes pairs to `folder`/{split}.zip."""
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        packed = {split: stack.enter_context(ZipFile(folder / f"{split}.zip", "w")) for split in splits}
        lock = threading.Lock()

        def write(split: str, name: str, data: bytes) -> None:
            with lock:
                packed[split].writestr(ZipInfo(name), data)

        yield write


@dataclass(frozen=True)
class PackedPair:
    """A pair in a zip file."""

    packed: ZipFile
    entry: ZipInfo

    @property
    def stem(self) -> str:
        """Its name, without extension."""
        return PurePosixPath(self.entry.filename).stem

    def read_bytes(self) -> bytes:
        """Its content, which zipfile compares with its checksum.

        Raises:
            InputError: it is damaged.
        """
        try:
            return self.packed.read(self.entry)
        except BadZipFile as error:
            folder = Path(str(self.packed.filename)).parent
            raise InputError(f"{self.packed.filename}: is damaged ({error}); delete {folder} and start again") from None


Pair = Path | PackedPair


def size_of(pair: Pair) -> int:
    """The number of bytes of a pair."""
    return pair.entry.file_size if isinstance(pair, PackedPair) else pair.stat().st_size


def split_files(folder: Path, shard: int = 1, shards: int = 1) -> list[Pair]:
    """The pairs in shard `shard` (from 1) of `shards` of the split `folder`, sorted by name.

    `folder` may be replaced by a zip file: `folder`.zip.

    Raises:
        InputError: the zip file is damaged.
    """
    pairs: list[Pair]
    packed = folder.with_name(f"{folder.name}.zip")
    if packed.exists() and not folder.exists():
        try:
            reading = ZipFile(packed)
        except BadZipFile as error:
            raise InputError(f"{packed}: is damaged ({error}); delete {folder.parent} and start again") from None
        pairs = [PackedPair(reading, entry) for entry in reading.infolist()]
    else:
        pairs = list(folder.iterdir())
    pairs.sort(key=lambda pair: natural_order(pair.stem))
    first, last = (len(pairs) * part // shards for part in (shard - 1, shard))
    return pairs[first:last]
