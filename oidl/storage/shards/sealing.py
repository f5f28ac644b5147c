"""Shards that are written once, as a whole: they appear under their names when they are complete and on the disk."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from oidl.errors import disk_error
from oidl.model.sample import Sample
from oidl.storage.atomic import PART_DIRECTORY, part_of
from oidl.storage.durability import is_alive
from oidl.storage.shards.record import ShardFormat
from oidl.storage.sweep import remove_from_writers, remove_tree

_BUFFER_BYTES = 1 << 20
_LEFTOVER = re.compile(rf"\..+{re.escape(PART_DIRECTORY)}-(\d{{1,9}})(\.gone)*", re.ASCII)


class ShardFile:
    """A shard while it is written: a binary file, as far as libraries that write to one need it, with its SHA-256."""

    def __init__(self, file: BinaryIO) -> None:
        self.bytes = 0
        self.closed = False
        self._file = file
        self._sha256 = hashlib.sha256()
        self._is_given_up = False

    def give_up(self) -> None:
        """Ignores what is written from now on: a library may end its format when its writer is deleted."""
        self._is_given_up = True

    def write(self, data: bytes) -> int:
        """Appends `data`; returns its length in bytes."""
        if self._is_given_up:
            return memoryview(data).nbytes
        self._sha256.update(data)
        self._file.write(data)
        size = memoryview(data).nbytes
        self.bytes += size
        return size

    def tell(self) -> int:
        """The number of bytes so far."""
        return self.bytes

    def flush(self) -> None:
        """Does nothing: the file is flushed when it is complete."""

    def close(self) -> None:
        """Does nothing: the file is closed when it is complete."""

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes so far, in hex."""
        return self._sha256.hexdigest()


class ShardWriter(Protocol):
    """Writes samples into a shard."""

    def add(self, sample: Sample) -> tuple[int, int] | None:
        """Appends a sample; returns where it begins and its length in bytes, None if it has no place of its own."""

    def end(self) -> None:
        """Writes what comes after the last sample."""


class RecordWriter:
    """Writes a format whose samples are records, one after the other."""

    def __init__(self, file: ShardFile, form: ShardFormat) -> None:
        self._file = file
        self._form = form

    def add(self, sample: Sample) -> tuple[int, int]:
        """As in `ShardWriter`."""
        at = self._file.bytes
        return at, self._file.write(self._form.record(sample).data)

    def end(self) -> None:
        """As in `ShardWriter`."""
        self._file.write(self._form.end)


@contextmanager
def sealed_file(path: Path) -> Iterator[ShardFile]:
    """A shard that gets its name at the end, when it is on the disk; an exception leaves no file.

    Raises `DiskError` if it cannot be written.
    """
    with part_of(path) as part:
        with durable_file(part) as file:
            yield file
        move_sealed(part, path)


@contextmanager
def durable_file(part: Path, *, is_new: bool = False) -> Iterator[ShardFile]:
    """A shard at its temporary name, which is on the disk at the end. If it `is_new`, it must not be there before.

    Raises `OSError`.
    """
    with open(part, "xb" if is_new else "wb", buffering=_BUFFER_BYTES) as file:
        shard = ShardFile(file)
        try:
            yield shard
        except BaseException:
            shard.give_up()
            raise
        file.flush()
        os.fsync(file.fileno())


def move_sealed(part: Path, path: Path) -> None:
    """Gives a shard that is on the disk its name, in the same directory or in one above. Raises `OSError`."""
    os.replace(part, path)
    _sync_directory(path.parent)


def remove_files(directory: Path, names: Iterator[str] | list[str]) -> None:
    """Removes these files of `directory`, those that are there, in this order. Raises `DiskError`."""
    for name in names:
        try:
            remove_tree(directory / name)
        except NotADirectoryError:
            return
        except OSError as error:
            raise disk_error(directory / name, error, "removed") from error


def sweep_parts(directory: Path) -> None:
    """Removes what killed processes left in `directory` under temporary names; no process of this machine writes there.

    Another machine may still write into a directory of a pack on a cluster.
    """
    try:
        leftovers = [each for each in os.scandir(directory) if _LEFTOVER.fullmatch(each.name)]
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise disk_error(directory, error, "read") from error
    for each in leftovers:
        if each.is_dir(follow_symlinks=False):
            take_away(Path(each))
        else:
            remove_files(directory, [each.name])


def take_away(directory: Path) -> None:
    """Removes a directory in which another machine may still write; what is still open on NFS waits for a sweep."""
    with suppress(OSError):
        remove_from_writers(directory)


def abandoned_parts(directory: Path) -> list[Path]:
    """What processes that have ended left in `directory` under temporary names; nothing if it cannot be read."""
    try:
        names = sorted(each.name for each in os.scandir(directory))
    except OSError:
        return []
    parts = ((name, match) for name in names if (match := _LEFTOVER.fullmatch(name)))
    return [directory / name for name, match in parts if not is_alive(int(match[1]))]


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
