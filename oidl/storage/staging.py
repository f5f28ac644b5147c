"""Files that one machine writes and another one publishes.

The coordinator of a cluster creates `<home>/.oidl-part/<token>-<life>` for each life of a node, which writes its files
there. Only the coordinator moves them to their final names, after it has decided that the result counts. It removes the
directory when it gives the life up: what that still writes has no place to go, because only the coordinator creates it.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from oidl.errors import disk_error
from oidl.storage.atomic import PART_DIRECTORY
from oidl.storage.sweep import remove_from_writers


class StagedWriter:
    """Writes the files of one life of a node of the run `token`; several threads may use it."""

    def __init__(self, token: str, life: str) -> None:
        self._token = token
        self._life = life

    def write(self, home: Path, path: Path, body: bytes) -> None:
        """Stages `body` for `path`, which is below `home`. Raises `DiskError` if that fails; then there is no file."""
        part = staged_path(home, path, self._token, self._life)
        try:
            try:
                part.write_bytes(body)
            except BaseException:
                with suppress(OSError):
                    part.unlink()
                raise
        except OSError as error:
            raise disk_error(path, error) from error


def staged_path(home: Path, path: Path, token: str, life: str) -> Path:
    """Where a life stages the file `path`, which is below `home`."""
    return _directory(home, token, life) / path.name


def open_staging(homes: Iterable[Path], token: str, life: str) -> None:
    """Lets a life stage files for `homes`. Raises `DiskError`."""
    for home in homes:
        directory = _directory(home, token, life)
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(directory, error) from error


def publish(home: Path, path: Path, token: str, life: str) -> None:
    """Moves a staged file to its final name. Raises `DiskError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(staged_path(home, path, token, life), path)
    except OSError as error:
        raise disk_error(path, error) from error


def close_staging(homes: Iterable[Path], token: str, life: str) -> None:
    """Removes what a life has staged, and lets it stage no more; what cannot be removed waits for the next sweep."""
    for home in homes:
        with suppress(OSError):
            remove_from_writers(_directory(home, token, life))


def _directory(home: Path, token: str, life: str) -> Path:
    return home / PART_DIRECTORY / f"{token}-{life}"
