"""Files that appear whole or not at all.

Bytes go to a temporary file in `<directory>/.oidl-part`, on the same filesystem
as the final name, and are moved there by `os.replace`. Temporary names start
with a token of the run, so that what a killed run left behind can be swept
without touching the files of another, also if two databases share a directory.
Texts and exports are written without the writer lock: they have the number of their
process in a temporary name, and are on the disk before they get the final one.
"""

import errno
import os
import re
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO, TextIO

from oidl.errors import disk_error
from oidl.storage.durability import is_alive
from oidl.storage.sweep import remove_tree

PART_DIRECTORY = ".oidl-part"
_FILES_TRIES = 50
_FILES_WAIT_S = 0.1


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
                with _opened(part) as file:
                    file.write(body)
                os.replace(part, path)
            except BaseException:
                with suppress(OSError):
                    part.unlink()
                raise
        except OSError as error:
            raise disk_error(path, error) from error

    def sweep(self, homes: Iterable[Path], tokens: Collection[str] = ()) -> int:
        """Removes what this run, and those that had `tokens`, left in `homes`; returns how many files that were."""
        swept = 0
        for home in homes:
            for part in (home / PART_DIRECTORY).glob("*-*"):
                token = part.name.partition("-")[0]
                if token != self._token and token not in tokens:
                    continue
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


def _opened(part: Path) -> BinaryIO:
    """`part`, made anew; waits a while if this process may open no more files, since others are closed soon."""
    for _ in range(_FILES_TRIES):
        try:
            return open(part, "xb")
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            time.sleep(_FILES_WAIT_S)
    return open(part, "xb")


@contextmanager
def atomic_text(path: Path, *, is_durable: bool = True) -> Iterator[TextIO]:
    """A UTF-8 text file that is at `path` once it is whole; an exception leaves what was there before.

    So does a power cut, if it `is_durable`. Raises `DiskError` if it cannot be written.
    """
    with part_of(path) as part:
        with open(part, "w", encoding="utf-8", newline="") as file:
            yield file
            if is_durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(part, path)


@contextmanager
def part_of(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that no other process uses; what has it at the end is removed.

    So is, before, what processes left there that were killed. What goes wrong on the disk is raised as `DiskError`.
    """
    prefix = f".{path.name}{PART_DIRECTORY}-"
    part = path.with_name(f"{prefix}{os.getpid()}")
    leftover = re.compile(rf"{re.escape(prefix)}(\d{{1,9}})", re.ASCII)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # what cannot be swept is in nobody's way
            for beside in path.parent.iterdir():
                if (found := leftover.fullmatch(beside.name)) and not is_alive(int(found[1])):
                    remove_tree(beside)
        yield part
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        with suppress(OSError):
            remove_tree(part)
