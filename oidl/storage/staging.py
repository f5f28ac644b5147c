"""Files that one machine writes and another one publishes.

A node of a cluster writes `<home>/.oidl-part/<token>-<life>-<name>`. Only the coordinator moves that to its final name,
after it has decided that this life's result counts. What it never moves is swept like the leftovers of a killed run.
"""

import os
from contextlib import suppress
from pathlib import Path

from oidl.errors import disk_error
from oidl.storage.atomic import PART_DIRECTORY


class StagedWriter:
    """Writes the files of one life of a node of the run `token`; several threads may use it."""

    def __init__(self, token: str, life: str) -> None:
        self._token = token
        self._life = life

    def write(self, home: Path, path: Path, body: bytes) -> None:
        """Stages `body` for `path`, which is below `home`. Raises `DiskError` if that fails; then there is no file."""
        part = staged_path(home, path, self._token, self._life)
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
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
    return home / PART_DIRECTORY / f"{token}-{life}-{path.name}"


def publish(home: Path, path: Path, token: str, life: str) -> None:
    """Moves a staged file to its final name. Raises `DiskError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(staged_path(home, path, token, life), path)
    except OSError as error:
        raise disk_error(path, error) from error
