"""What SQLite says about the database, as an error in words."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oidl.errors import DiskError, StateError
from oidl.state.lock import has_locks, no_locks
from oidl.state.temporary import temporary_files_note

_DISK_ADVICE = {
    sqlite3.SQLITE_FULL: "free some space",
    sqlite3.SQLITE_IOERR: "check the disk (dmesg)",
    sqlite3.SQLITE_CANTOPEN: "fix the permissions or choose another --state-db",
    sqlite3.SQLITE_READONLY: "fix the permissions or choose another --state-db",
}

_NO_LOCKS = (
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_IOERR_LOCK,
    sqlite3.SQLITE_IOERR_RDLOCK,
    sqlite3.SQLITE_IOERR_UNLOCK,
    sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
    sqlite3.SQLITE_IOERR_SHMLOCK,
    sqlite3.SQLITE_IOERR_SHMMAP,
    sqlite3.SQLITE_IOERR_SHMOPEN,
)


@contextmanager
def translating_sqlite_errors(path: Path) -> Iterator[None]:
    """Turns what SQLite says about the database at `path` into a `StateError` or `DiskError`."""
    try:
        yield
    except sqlite3.Error as error:
        extended = getattr(error, "sqlite_errorcode", 0)
        code = extended & 0xFF
        if code == sqlite3.SQLITE_INTERRUPT:  # by Ctrl-C, which Python raised inside `connection`
            raise KeyboardInterrupt from error
        is_locked = code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        if extended in _NO_LOCKS or (is_locked and not has_locks(path)):
            raise no_locks(path) from error
        if advice := _DISK_ADVICE.get(code):
            raise DiskError(
                f"the state database {path} cannot be written: {error}",
                hint=f"{advice}{temporary_files_note(path)}, then run it again: nothing that was recorded is lost",
            ) from error
        if code == sqlite3.SQLITE_NOTADB:
            raise StateError(
                f"{path} is not an SQLite database", hint="move it away or name another --state-db"
            ) from error
        if code == sqlite3.SQLITE_CORRUPT:
            raise StateError(
                f"the state database {path} is damaged: {error}",
                hint="`sqlite3 FILE .recover` may save it; or move it away and run again",
            ) from error
        if is_locked:
            raise StateError(
                f"the state database {path} is locked by another program",
                hint="close what writes to it, then run again",
            ) from error
        raise
