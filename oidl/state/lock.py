"""The writer lock: one writing process per state database, under any of its names.

The lock is on a single byte of the database file itself, far beyond the bytes
that SQLite locks: symbolic and hard links lead to the same lock, and there is no
lock file that could be removed. It belongs to the open file ("open file
description" lock) and dies with its process, however that ends. `flock` would
work on a local disk, but network filesystems turn it into a lock on every byte of
the file, which would shut out our own SQLite.

Closing any descriptor of the database drops the `fcntl` locks that SQLite holds
on it in this process. So the writer's descriptor is closed after its connections,
and that of `is_held` never.

The file `<database>.pid` names the holder of the lock. It locks nothing and is
removed at the end.
"""

import errno
import fcntl
import json
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from oidl.errors import DiskError, StateError, UsageError
from oidl.hints import command

_BYTE = 1 << 62  # SQLite's own are at 1 GiB
_RESERVED_LOCK = (1 << 30) + 1
_WAL_WRITE_LOCK = 120
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)
_FLOCK = "@hhqqi4x"  # struct flock: l_type, l_whence, l_start, l_len, l_pid

_left_open: dict[tuple[int, int], int] = {}
"""The descriptors of `is_held`, by device and inode."""


@contextmanager
def writer_lock(state_db: Path) -> Iterator[None]:
    """Holds the writer lock of `state_db`, which it creates (empty) if needed.

    Raises `StateError`, which names the holder, if the lock is held, or if the filesystem has no locks; `UsageError`
    for a directory, `DiskError` if the file cannot be opened for writing.
    """
    fd = _locked(state_db)
    try:
        note = _note(state_db)
        with suppress(OSError):  # it is only for the message of another process
            note.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}), "utf-8")
        try:
            yield
        finally:
            with suppress(OSError):
                note.unlink()
    finally:
        os.close(fd)


def is_held(state_db: Path) -> bool:
    """Whether a process holds the writer lock of `state_db` right now; this does not take the lock."""
    try:
        return _lock_type(state_db) != fcntl.F_UNLCK
    except OSError:
        return False


def has_locks(state_db: Path) -> bool:
    """Whether the filesystem of an existing file supports locks, as far as that can be detected."""
    try:
        _lock_type(state_db)
    except OSError as error:
        return error.errno not in _NO_LOCKS
    return True


def no_locks(path: Path) -> StateError:
    """The error for a filesystem that lacks what SQLite needs."""
    return StateError(
        f"the filesystem of {path} has no file locks or no shared memory, and SQLite needs both",
        hint="use a --state-db on a local disk; the images can stay where they are (see `oidl help limits`)",
    )


def write_lock_holder(state_db: Path) -> str | None:
    """The process that holds SQLite's write lock on `state_db`, by /proc/locks; None if unknown."""
    actual = os.path.realpath(state_db)
    # In WAL mode the lock is a byte of the shared memory, otherwise one of the database.
    places = {_place(f"{actual}-shm"): _WAL_WRITE_LOCK, _place(actual): _RESERVED_LOCK}
    with suppress(OSError, ValueError):
        for line in Path("/proc/locks").read_text("ascii").splitlines():
            kind, _, access, process, place, first, last = line.split()[-7:]
            byte = places.get(place)
            if kind != "POSIX" or access != "WRITE" or byte is None or int(process) == os.getpid():
                continue
            if int(first) <= byte and (last == "EOF" or byte <= int(last)):
                name = Path(f"/proc/{process}/comm").read_text("utf-8", "replace").strip()
                return f"process {process} ({name})"
    return None


def _place(path: str) -> str:
    """The identity of a file in /proc/locks; the file is not opened."""
    try:
        stat = os.stat(path)
    except OSError:
        return ""
    return f"{os.major(stat.st_dev):02x}:{os.minor(stat.st_dev):02x}:{stat.st_ino}"


def _lock_type(state_db: Path) -> int:
    """The kind of lock that blocks a writer, `F_UNLCK` for none."""
    stat = os.stat(state_db)
    key = (stat.st_dev, stat.st_ino)
    if key not in _left_open:
        _left_open[key] = os.open(state_db, os.O_RDONLY | os.O_CLOEXEC)
    answer = fcntl.fcntl(_left_open[key], fcntl.F_OFD_GETLK, _request())
    return int(struct.unpack(_FLOCK, answer)[0])


def _locked(state_db: Path) -> int:
    """A descriptor of `state_db` that holds the lock."""
    while True:
        fd = _open(state_db)
        try:
            _take(fd, state_db)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(fd), os.stat(state_db)):
                    return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # the file was replaced after it was opened


def _open(state_db: Path) -> int:
    try:
        return os.open(state_db, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except IsADirectoryError:
        raise UsageError(
            f"{state_db} is a directory", hint=f"use a file name, such as --state-db {state_db / 'oidl.sqlite3'}"
        ) from None
    except OSError as error:
        raise DiskError(
            f"{state_db} cannot be written: {error.strerror}",
            hint="choose a --root-dir or --state-db that you can write to",
        ) from error


def _take(fd: int, state_db: Path) -> None:
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _request())
    except (BlockingIOError, PermissionError):  # POSIX allows either
        raise StateError(
            f"the state database {state_db} is in use by {_holder(state_db)}",
            hint=f"wait for it to end, or stop it; {command('status')} works meanwhile",
        ) from None
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise no_locks(state_db) from error
        raise DiskError(f"{state_db} cannot be locked: {error.strerror}", hint="check its disk") from error


def _request() -> bytes:
    return struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, _BYTE, 1, 0)


def _note(state_db: Path) -> Path:
    actual = Path(os.path.realpath(state_db))
    return actual.with_name(f"{actual.name}.pid")


def _holder(state_db: Path) -> str:
    try:
        holder = json.loads(_note(state_db).read_text("utf-8"))
        return f"process {holder['pid']} on {holder['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
