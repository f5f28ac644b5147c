"""Translates SQLite's errors to those of `oidl`."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb

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


_ABSENT = ("no such table", "no such column", "no such index")

_ROOM = __name__.rpartition(".")[0] + "."


@contextmanager
def translating_sqlite_errors(path: Path) -> Iterator[None]:
    """Translates SQLite's errors about the database at `path` to `StateError` or `DiskError`.

    This includes errors in the exception groups of nurseries, whose tasks use a connection that was opened outside.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        raise _translated_group(group, path) from None
    except (sqlite3.Error, UnicodeDecodeError) as error:
        translated = _translated(error, path)
        if translated is error:
            raise
        raise translated from error


def _translated_group(group: BaseExceptionGroup[BaseException], path: Path) -> BaseExceptionGroup[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            leaves.append(_translated_group(error, path))
            continue
        translated = _translated(error, path)
        if translated is not error:
            translated.__cause__ = error
        leaves.append(translated)
    return group.derive(leaves).with_traceback(group.__traceback__)


def _translated(error: BaseException, path: Path) -> BaseException:
    """The translation of `error`, or `error` itself if it is not about the database."""
    if _is_of_damaged_text(error):
        return _damaged(path, "text in it is not UTF-8")
    if not isinstance(error, sqlite3.Error):
        return error
    extended = getattr(error, "sqlite_errorcode", 0)
    code = extended & 0xFF
    if code == sqlite3.SQLITE_INTERRUPT:  # Ctrl-C, raised in the progress handler of `connection`
        return KeyboardInterrupt()
    is_locked = code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    if extended in _NO_LOCKS or (is_locked and not has_locks(path)):
        return no_locks(path)
    if advice := _DISK_ADVICE.get(code):
        done = "opened" if code == sqlite3.SQLITE_CANTOPEN else "written"
        return DiskError(
            f"the state database {path} cannot be {done}: {error}",
            hint=f"{advice}{temporary_files_note(path)}, then run it again; everything recorded is safe",
        )
    if code == sqlite3.SQLITE_NOTADB:
        return StateError(f"{path} is not an SQLite database", hint="move it away or choose another --state-db")
    if code == sqlite3.SQLITE_CORRUPT:
        return _damaged(path, str(error))
    if code == sqlite3.SQLITE_ERROR and str(error).startswith(_ABSENT):
        return not_ours(path, str(error))
    if is_locked:
        return StateError(
            f"the state database {path} is locked by another program",
            hint="close the program that writes to it, then run again",
        )
    return error


def not_ours(path: Path, details: str) -> StateError:
    """The error for a database whose schema differs from the migrations."""
    return StateError(
        f"{path} is not a database of this oidl: {details}",
        hint="choose another --state-db or move it away; an unreleased oidl made it, or it was edited",
    )


def _damaged(path: Path, details: str) -> StateError:
    return StateError(
        f"the state database {path} is damaged: {details}",
        hint="try `sqlite3 FILE .recover`, or move it away and run again",
    )


def _is_of_damaged_text(error: BaseException) -> bool:
    """Whether Python could not decode what SQLite gave it: a value, or a message in which it quotes its own schema."""
    if isinstance(error, sqlite3.OperationalError):
        return str(error).startswith("Could not decode to UTF-8")
    if not isinstance(error, UnicodeDecodeError):
        return False
    # No other room calls SQLite, and this one decodes nothing by itself.
    *_, (frame, _) = walk_tb(error.__traceback__)
    return str(frame.f_globals["__name__"]).startswith(_ROOM)
