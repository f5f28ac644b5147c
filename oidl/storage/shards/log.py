"""A shard that is being written: records are appended, and the database says which of them count."""

import os
import threading
import zlib
from pathlib import Path

from oidl.errors import DiskError, disk_error
from oidl.model import Member, OpenShard
from oidl.storage.shards.files import lock
from oidl.storage.shards.place import OPEN_SUFFIX, Place
from oidl.storage.shards.record import Record


class ShardLog:
    """An open shard below `root_dir`, which this process alone appends to; several threads may do so.

    It is full at its number of samples, or at `max_bytes`. Images that are being made have `reserved` their places.
    The file is locked while it is open, so a process that outlived its run cannot write into a shard of the next one.
    If it `must_exist`, it is never created here, and what was appended is on the disk when it is closed.
    """

    def __init__(self, root_dir: Path, shard: OpenShard, max_bytes: int, *, must_exist: bool = False) -> None:
        self.shard_id = shard.shard_id
        self._recorded = shard.path
        self._path = root_dir / f"{shard.path}{OPEN_SUFFIX}"
        self._length = shard.length
        self._place = shard.place
        self._left = shard.samples
        self._max_bytes = max_bytes
        self._must_exist = must_exist
        self._fd: int | None = None
        self._writing = threading.Lock()
        self._syncing = threading.Lock()
        self._counting = threading.Lock()  # never held while something is written
        self.reserved = self.appended = 0

    @property
    def is_full(self) -> bool:
        """Whether no more places can be reserved."""
        return self._left <= 0 or self._length >= self._max_bytes

    def reserve(self) -> None:
        """Reserves a place for one sample."""
        with self._counting:
            self._left -= 1
            self.reserved += 1

    def give_back(self) -> None:
        """Gives a reserved place back that was not used."""
        with self._counting:
            self._left += 1
            self.reserved -= 1

    def append(self, record: Record) -> tuple[str, Member]:
        """Appends `record`; returns the place of its image, as for `file.path`, and that of the sample.

        Raises `DiskError` if it cannot be written; then the shard is as before.
        """
        crc32 = zlib.crc32(record.data)
        with self._writing:
            try:
                self._write(record.data)
            except OSError as error:
                raise self._cut(disk_error(self._path, error)) from error
            member = Member(self.shard_id, self._place, self._length, len(record.data), crc32)
            self._length += len(record.data)
            self._place += 1
            self.appended += 1
        with self._counting:
            self.reserved -= 1
        return str(Place(self._recorded, member.at + record.body_at)), member

    def sync(self) -> None:
        """Returns when everything that was appended before is on the disk. Raises `DiskError`.

        Other threads may append meanwhile: a disk can take seconds.
        """
        with self._syncing:
            if self._fd is not None:
                try:
                    os.fsync(self._fd)
                except OSError as error:
                    raise disk_error(self._path, error) from error

    def close(self) -> None:
        """Closes the file, when no thread is syncing it any more."""
        if self._must_exist:
            self.sync()
        with self._syncing:
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None

    def _write(self, data: bytes) -> None:
        if self._fd is None:
            if not self._must_exist:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = _open_alone(self._path, 0 if self._must_exist else os.O_CREAT)
            os.ftruncate(self._fd, self._length)
        view, at = memoryview(data), self._length
        while view:
            written = os.pwrite(self._fd, view, at)
            view, at = view[written:], at + written

    def _cut(self, error: DiskError) -> DiskError:
        """`error`, after a part of a record was removed."""
        if self._fd is not None:
            try:
                os.ftruncate(self._fd, self._length)
            except OSError as second:
                error.add_note(str(second))  # the next record is written over it
        return error


def _open_alone(path: Path, create: int) -> int:
    """Opens `path`, or creates it with O_CREAT, unless another process has it open. Raises `OSError`."""
    fd = os.open(path, os.O_WRONLY | create | os.O_CLOEXEC, 0o666)
    try:
        lock(fd)
    except OSError:
        os.close(fd)
        raise
    return fd
