"""The files of shards: found, cut, copied from and sealed. Every function raises `DiskError`."""

import errno
import fcntl
import hashlib
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from oidl.errors import disk_error
from oidl.storage.shards.place import OPEN_SUFFIX, open_shard

_BLOCK = 1 << 20


class Range(NamedTuple):
    """A part of a file: its first byte and its length."""

    at: int
    bytes: int


def open_path(path: Path) -> Path:
    """The name of a shard while it is not complete."""
    return path.with_name(f"{path.name}{OPEN_SUFFIX}")


def shard_size(path: Path) -> int:
    """The length of a shard, complete or not; 0 if it does not exist."""
    with _errors(path):
        for each in (open_path(path), path):
            with suppress(FileNotFoundError, NotADirectoryError):
                return each.stat().st_size
        return 0


def reopen_shard(path: Path) -> None:
    """Gives a shard its open name, if it got its final name and then no row."""
    with _errors(path), suppress(FileNotFoundError):
        if not open_path(path).exists():
            os.rename(path, open_path(path))


def create_shard(path: Path) -> None:
    """Makes the file of an open shard, if there is none."""
    with _errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        open_path(path).touch()


def lock(fd: int) -> None:
    """Locks an open shard for this process, until it is closed. Raises `OSError` if another process has locked it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise OSError(errno.EBUSY, "another process is writing to it") from error
        # Some network file systems have no locks.


def is_locked(path: Path) -> bool:
    """Whether another process has an open shard open for writing."""
    with _errors(path), suppress(FileNotFoundError), open(open_path(path), "rb") as file:
        try:
            lock(file.fileno())
        except OSError:
            return True
    return False


def cut_shard(path: Path, size: int) -> None:
    """Makes an open shard `size` bytes long; it is at least as long."""
    with _errors(path), suppress(FileNotFoundError):
        if open_path(path).stat().st_size > size:
            os.truncate(open_path(path), size)


def copy_ranges(source: Path, ranges: Sequence[Range], target: Path) -> None:
    """Writes `ranges` of a shard, complete or not, to the new open shard `target`, and waits until they are on disk."""
    with _errors(target):
        opened = open_path(source) if open_path(source).exists() else source
        with open(opened, "rb") as old, open(open_path(target), "wb") as new:
            for each in ranges:
                old.seek(each.at)
                left = each.bytes
                while left:
                    block = old.read(min(left, _BLOCK))
                    if not block:
                        raise OSError(errno.EIO, "the shard ends too early", str(opened))
                    new.write(block)
                    left -= len(block)
            new.flush()
            os.fsync(new.fileno())
        _sync_directory(target.parent)


def damaged_ranges(path: Path, checksums: Mapping[Range, int]) -> set[Range]:
    """Those ranges of a shard, complete or not, whose CRC-32 is another one, or that it is too short for."""
    damaged = set()
    with _errors(path), open_shard(path) as file:
        for each, checksum in checksums.items():
            file.seek(each.at)
            crc32, left = 0, each.bytes
            while left and (block := file.read(min(left, _BLOCK))):
                crc32, left = zlib.crc32(block, crc32), left - len(block)
            if left or crc32 != checksum:
                damaged.add(each)
    return damaged


def seal_shard(path: Path, size: int, end: bytes) -> tuple[int, str]:
    """Completes an open shard of `size` bytes with `end`, under its final name; returns its length and SHA-256 (hex).

    It is on disk when this returns.
    """
    with _errors(path):
        with open(open_path(path), "r+b") as file:
            file.truncate(size)
            file.seek(size)
            file.write(end)
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.rename(open_path(path), path)
        _sync_directory(path.parent)
    return size + len(end), digest


def remove_shard(path: Path) -> int | None:
    """Removes a shard, complete or not; returns its length, None if it was not there."""
    removed = None
    with _errors(path):
        for each in (path, open_path(path)):
            with suppress(FileNotFoundError, NotADirectoryError):
                size = each.lstat().st_size
                each.unlink()
                removed = size + (removed or 0)
    return removed


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise disk_error(path, error) from error
