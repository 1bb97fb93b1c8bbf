"""The reader that a source needs."""

from functools import partial
from pathlib import Path

from pix2pix.sources.archive import archive_files
from pix2pix.sources.folder import folder_files
from pix2pix.sources.parquet import Join, parquet_files
from pix2pix.sources.split_file import Reader, by_split_file


def reader_of(source: Path, join: Join, split_file: str | None = None, parquet: bool = False) -> Reader:
    """Return a function that reads an archive, a folder, or parquet files.

    Args:
        source: the path of the archive, folder or parquet file.
        join: makes a pair from two images (pix2pix/sources/parquet.py).
        split_file: the path, in the source, of a file that lists the splits; None: there is a folder per split.
        parquet: whether the source is a parquet file, or a folder of them.
    """
    if parquet:
        read: Reader = partial(parquet_files, join, source)
    else:
        read = partial(folder_files if source.is_dir() else archive_files, source)
    return partial(by_split_file, read, source, split_file) if split_file else read
