"""Unpacks archives into files under the root.

No file gets its final name before the stream has been read to its (verified) end.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO

from oidl.dataset.streams import Stream, chunks, gunzipped, translating_archive_errors
from oidl.dataset.tar import members
from oidl.errors import MetadataError
from oidl.net.part import writing


def unpack(
    stream: Stream,
    staging: Path,
    destination: Path,
    *,
    name: str = "the archive",
    on_name: Callable[[str], None] = lambda name: None,
) -> tuple[Path, ...]:
    """Unpacks a `.tar.gz`; returns the paths of its files under `destination`.

    The files are first written to `staging`, a separate directory on the same
    filesystem, and moved when the stream has been read to its end; `staging` is
    always removed. `on_name` is called with the name of every file when it is
    begun. Raises `MetadataError` for a damaged or hostile archive, and
    `DiskError`. Every file must be in a directory: an archive may not write to
    the root itself.
    """
    names: list[PurePosixPath] = []
    try:
        with writing(staging):
            shutil.rmtree(staging, ignore_errors=True)  # left by a killed run
            staging.mkdir(parents=True)
        with translating_archive_errors(name):
            content = gunzipped(stream)
        for member, file in members(content, name):
            if len(member.parts) < 2:  # next to the state database, or in its place
                raise MetadataError(f"{name} is refused: its member {member} is in no directory of the dataset")
            on_name(str(member))
            _copy(file, staging / member, name)
            names.append(member)
        if not names:
            raise MetadataError(f"{name} contains no files")
        with writing(destination):
            return _move_files(names, staging, destination, name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _copy(content: IO[bytes], path: Path, name: str) -> None:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            for chunk in chunks(content, name):
                file.write(chunk)


def _move_files(names: list[PurePosixPath], staging: Path, destination: Path, name: str) -> tuple[Path, ...]:
    root = destination.resolve()
    for member in names:
        if not (root / member).parent.resolve().is_relative_to(root):
            raise MetadataError(
                f"{name} is refused: {destination / member.parent} is a link that leads out of {destination}",
                hint="nothing was unpacked; remove the link or choose another --root-dir",
            )
    for member in names:
        (root / member).parent.mkdir(parents=True, exist_ok=True)
        os.replace(staging / member, root / member)
    return tuple(destination / member for member in names)
