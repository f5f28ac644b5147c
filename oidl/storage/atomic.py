"""Files that appear whole or not at all.

Bytes go to a temporary file in `<directory>/.oidl-part`, on the same filesystem
as the final name, and `os.replace` moves it there. Temporary names start
with a token of the run, so the leftovers of a killed run can be swept without
touching the files of another run, even if two databases share a directory.
Texts and exports are written without the writer lock: their temporary names contain
the process ID, and they are on the disk before they get the final name.
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
from oidl.storage.sweep import remove_from_writers, remove_tree

PART_DIRECTORY = ".oidl-part"
_OPEN_TRIES = 50
_OPEN_WAIT_S = 0.1


class AtomicWriter:
    """Writes the files of one run; several threads may use it.

    Temporary names begin with `token`. Each process of the run that writes has its own `part` of the names.
    """

    def __init__(self, token: str, part: str = "") -> None:
        self._token = token
        self._part = part
        self._numbers = count()
        self._known_directories: set[Path] = set()

    def write(self, home: Path, path: Path, body: bytes) -> None:
        """Writes `body` to `path` through the temporary directory of `home`, which is `path` or a parent of it.

        Raises `DiskError` if that fails; then there is no file.
        """
        part = home / PART_DIRECTORY / f"{self._token}-{self._part}{next(self._numbers)}"
        try:
            self._make(part.parent)
            self._make(path.parent)
            try:
                with _create(part) as file:
                    file.write(body)
                os.replace(part, path)
            except BaseException:
                with suppress(OSError):
                    part.unlink()
                raise
        except OSError as error:
            raise disk_error(path, error) from error

    def sweep(self, homes: Iterable[Path], tokens: Collection[str] = ()) -> int:
        """Removes the leftovers of this run and of the runs with `tokens` in `homes`; returns how many there were."""
        swept = 0
        for home in homes:
            for part in (home / PART_DIRECTORY).glob("*-*"):
                token = part.name.partition("-")[0]
                if token != self._token and token not in tokens:
                    continue
                with suppress(OSError):
                    remove_from_writers(part)
                    swept += 1
            with suppress(OSError):  # not there, or it contains the files of another run
                (home / PART_DIRECTORY).rmdir()
        return swept

    def _make(self, directory: Path) -> None:
        if directory in self._known_directories:
            return
        try:
            os.mkdir(directory)  # a tenth of what `Path.mkdir` costs, if another process made it
        except FileExistsError:
            pass  # if it is not a directory, the file cannot be made
        except FileNotFoundError:
            directory.mkdir(parents=True, exist_ok=True)
        self._known_directories.add(directory)


def _create(part: Path) -> BinaryIO:
    """Creates `part`; if this process may open no more files, waits a while, because others are closed soon."""
    for _ in range(_OPEN_TRIES):
        try:
            return open(part, "xb")
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            time.sleep(_OPEN_WAIT_S)
    return open(part, "xb")


@contextmanager
def atomic_text(path: Path, *, is_durable: bool = True) -> Iterator[TextIO]:
    """A UTF-8 text file that appears at `path` when it is whole; an exception leaves the earlier file.

    So does a power cut, if `is_durable`. Raises `DiskError` if the file cannot be written.
    """
    with part_of(path) as part:
        with open(part, "w", encoding="utf-8", newline="") as file:
            yield file
            if is_durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(part, path)


def nameless_file(directory: Path) -> BinaryIO:
    """An empty file in `directory`, to write and to read, that has no name and ends with its process.

    Creates the directory. Raises `DiskError`.
    """
    part = directory / f".rows{PART_DIRECTORY}-{os.getpid()}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        part.unlink()
    except OSError as error:
        raise disk_error(directory, error) from error
    return os.fdopen(fd, "w+b")


@contextmanager
def part_of(path: Path) -> Iterator[Path]:
    """A temporary name next to `path` that no other process uses; a file of that name is removed at the end.

    First removes the leftovers of killed processes. Raises `DiskError` for any error of the disk.
    """
    prefix = f".{path.name}{PART_DIRECTORY}-"
    part = path.with_name(f"{prefix}{os.getpid()}")
    leftover = re.compile(rf"{re.escape(prefix)}(\d{{1,9}})", re.ASCII)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # leftovers that cannot be removed do no harm
            for neighbour in path.parent.iterdir():
                if (match := leftover.fullmatch(neighbour.name)) and not is_alive(int(match[1])):
                    remove_tree(neighbour)
        yield part
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        with suppress(OSError):
            remove_tree(part)
