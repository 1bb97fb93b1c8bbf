"""Sequential reading of the files in a folder."""

import os
import stat
from pathlib import Path

from pix2pix.sources.members import LARGEST_FILE, Files, Refuse, Wanted, inside, too_large

FOLDER_DEPTH = 3  # top folder, split, file: deeper files are not used


def folder_files(folder: Path, wanted: Wanted, refuse: Refuse) -> Files:
    """Yield the name and content of each `wanted` file in a folder, sorted; links are followed.

    `refuse` is called with a line for each broken link and each entry that is neither a file nor a
    folder.

    Raises:
        OSError: a folder or a file cannot be read.
    """
    for found, folders, files in os.walk(folder, onerror=_stop, followlinks=True):
        base = Path(found).relative_to(folder)
        folders.sort()
        if len(base.parts) >= FOLDER_DEPTH:
            folders.clear()
        for name in sorted(files):
            path = folder / base / name
            member = inside(str(base / name), refuse)
            if member is None or not wanted(member):
                continue
            if not path.exists():
                refuse(f"{member}: is a broken link")
            elif not stat.S_ISREG(path.stat().st_mode):
                refuse(f"{member}: is neither a file nor a folder")
            elif path.stat().st_size > LARGEST_FILE:
                refuse(too_large(str(member), path.stat().st_size))
            else:
                yield member, path.read_bytes()


def _stop(error: OSError) -> None:
    """Raise an error that os.walk would ignore."""
    raise error
