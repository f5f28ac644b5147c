"""Files that appear whole or not at all.

Bytes go to a temporary file in `<directory>/.oidl-part`, on the same filesystem
as the final name, and are moved there by `os.replace`. Temporary names start
with a token of the state database, so that what a killed run left behind can be
swept without touching anybody else's: the writer lock says no one with that
token is alive.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TextIO

from oidl.errors import DiskError, UsageError
from oidl.storage.sweep import remove_tree

PART_DIRECTORY = ".oidl-part"
_TREE_MARK = ".oidl"


class AtomicWriter:
    """Writes files for one run; used from several threads."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._numbers = count()
        self._made: set[Path] = set()

    def write(self, home: Path, path: Path, body: bytes) -> None:
        """Puts `body` at `path`, by way of `home`'s temporary directory; `home` is `path` or a parent of it.

        Raises `DiskError` if that cannot be done; there is no file then.
        """
        part = home / PART_DIRECTORY / f"{self._token}-{next(self._numbers)}"
        try:
            self._make(part.parent)
            self._make(path.parent)
            try:
                with open(part, "xb") as file:
                    file.write(body)
                os.replace(part, path)
            except BaseException:
                with suppress(OSError):
                    part.unlink()
                raise
        except OSError as error:
            raise disk_error(path, error) from error

    def sweep(self, homes: Iterable[Path]) -> int:
        """Removes what a dead run of the same database left in `homes`; returns how many files that were."""
        swept = 0
        for home in homes:
            for part in (home / PART_DIRECTORY).glob(f"{self._token}-*"):
                with suppress(OSError):
                    part.unlink()
                    swept += 1
            with suppress(OSError):  # not there, or somebody else's files are in it
                (home / PART_DIRECTORY).rmdir()
        return swept

    def _make(self, directory: Path) -> None:
        if directory not in self._made:
            directory.mkdir(parents=True, exist_ok=True)
            self._made.add(directory)


@contextmanager
def atomic_text(path: Path) -> Iterator[TextIO]:
    """A UTF-8 text file that is at `path` once it is whole; an exception leaves what was there before.

    Raises `DiskError` if it cannot be written.
    """
    part = path.with_name(f".{path.name}{PART_DIRECTORY}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "w", encoding="utf-8", newline="") as file:
            yield file
        os.replace(part, path)
    except BaseException as error:
        with suppress(OSError):
            part.unlink()
        if isinstance(error, OSError):
            raise disk_error(path, error) from error
        raise


@contextmanager
def atomic_tree(path: Path) -> Iterator[Path]:
    """A new directory to fill, which is at `path` once it is whole; an exception leaves what was there before.

    What was there goes then, all of it; so it must be one that was made here. Raises
    `UsageError` if it is not, `DiskError` if `path` cannot be replaced.
    """
    part, old = (path.with_name(f".{path.name}{ending}") for ending in (PART_DIRECTORY, f"{PART_DIRECTORY}-old"))
    try:
        if path.is_symlink() or (path.exists() and not (path / _TREE_MARK).exists()):
            raise UsageError(f"{path} is there, and not of an earlier export", hint="name another --dest")
        for left_by_a_kill in (part, old):
            remove_tree(left_by_a_kill)
        part.mkdir(parents=True)
        (part / _TREE_MARK).touch()
        yield part
        if path.exists():
            os.rename(path, old)
        os.rename(part, path)
        remove_tree(old)
    except BaseException as error:
        with suppress(OSError):
            remove_tree(part)
        if isinstance(error, OSError):
            raise disk_error(path, error) from error
        raise


def atomic_link(path: Path, goal: Path) -> None:
    """Makes `path` a symbolic link to `goal`, or lets it lead there; raises `UsageError` if it is something else."""
    part = path.with_name(f".{path.name}{PART_DIRECTORY}")
    try:
        if path.exists() and not path.is_symlink():
            raise UsageError(f"{path} is there, and not a link of an earlier export", hint="name another --dest")
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            part.unlink()
        part.symlink_to(goal)
        os.replace(part, path)
    except OSError as error:
        raise disk_error(path, error) from error


def disk_error(path: Path, error: OSError) -> DiskError:
    """What an `OSError` on `path` means for the run."""
    return DiskError(
        f"{path} could not be written: {error.strerror or error}",
        hint="make room or mend the permissions, then run it again",
    )
