"""Archives unpacked into files under the root.

Nothing lands under a final name before the stream has been read to its (verified) end.
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
    """The files of a `.tar.gz`, as they stand now under `destination`.

    They are written to `staging` first, a directory of its own on the same
    filesystem, and moved when the stream has been read to its end; `staging`
    is gone afterwards, come what may. `on_name` is told of every file as it is begun.
    Raises `MetadataError` for an archive that is damaged or hostile, `DiskError`.
    Every file must lie in some directory: the root itself is not an archive's to write to.
    """
    names: list[PurePosixPath] = []
    try:
        with writing(staging):
            shutil.rmtree(staging, ignore_errors=True)  # a killed run's
            staging.mkdir(parents=True)
        with translating_archive_errors(name):
            content = gunzipped(stream)
        for member, file in members(content, name):
            if len(member.parts) < 2:  # beside the state database, or in its place
                raise MetadataError(f"{name} is refused: its member {member} is in no directory of the dataset")
            on_name(str(member))
            _copy(file, staging / member, name)
            names.append(member)
        if not names:
            raise MetadataError(f"{name} holds no files")
        with writing(destination):
            return _moved(names, staging, destination, name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _copy(content: IO[bytes], path: Path, name: str) -> None:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            for chunk in chunks(content, name):
                file.write(chunk)


def _moved(names: list[PurePosixPath], staging: Path, destination: Path, name: str) -> tuple[Path, ...]:
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
