"""Opens the state database, upgrades its schema, and refuses other files."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from oidl.errors import DiskError, LoadInProgressError, StateError, UsageError
from oidl.hints import command
from oidl.state.connection import StateConnection, connect, patiently
from oidl.state.lock import has_locks, no_locks
from oidl.state.schema import check_schema, migrate, newest_version, schema_version
from oidl.state.translate import translating_sqlite_errors

_APPLICATION_ID = 0x6F69646C  # "oidl": distinguishes our database from other SQLite files

CACHE_KIB = 8 * 1024  # a run walks through the tables in key order
BUSY_TIMEOUT_MS = 250  # how long SQLite itself waits for a lock, before `while_busy` decides
_READER_TIMEOUT_MS = 5_000
_READER_PATIENCE_MS = 1_000  # in WAL mode no writer blocks a reader for longer

# The errors of a reader while `load` uses a rollback journal, and after a kill at that time.
_HALF_LOADED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY_ROLLBACK)

_CONTENTS = ("image_list", "annotation_file", "archive")


@contextmanager
def open_writer(path: Path) -> Iterator[StateConnection]:
    """A connection from `connect_writer`, closed at the end; SQLite's errors inside the block are translated."""
    with translating_sqlite_errors(path), closing(connect_writer(path)) as db:
        yield db


@contextmanager
def open_reader(path: Path) -> Iterator[StateConnection]:
    """A connection from `connect_reader`, closed at the end; SQLite's errors inside the block are translated."""
    with translating_sqlite_errors(path), closing(connect_reader(path)) as db:
        yield db


def connect_writer(path: Path) -> StateConnection:
    """The database at `path`, created or migrated as needed, in autocommit mode.

    The caller holds the writer lock. The connection may move from thread to
    thread, one at a time. Raises `StateError` for a file that is newer than this
    program, damaged or not ours, `DiskError` if it cannot be created.
    """
    with translating_sqlite_errors(path):
        db = connect(path, str(path))
        try:
            _check_ours(db, path)
            check_schema(db, path)
            db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            if patiently(db, "PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
                raise no_locks(path)
            # In WAL mode NORMAL never corrupts; a power cut loses the last commits, and their work is repeated.
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            db.execute(f"PRAGMA journal_size_limit = {64 * 1024 * 1024}")
            db.remarks = migrate(db, path)
        except BaseException:
            db.close()
            raise
    return db


def connect_reader(path: Path) -> StateConnection:
    """The database at `path`, read-only; works while a run writes to it.

    Raises `UsageError` if there is none, `StateError` if it is not ours or has another schema,
    `LoadInProgressError` while the first image list is being loaded.
    """
    if not path.is_file():
        raise UsageError(
            f"there is no state database at {path}",
            hint=f"use the right --root-dir, or start with {command('run')}",
        )
    with translating_sqlite_errors(path):
        try:
            db = _connect_ours(path, "ro")
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) in _HALF_LOADED and has_locks(path):
                raise LoadInProgressError(
                    f"the image list is only partly loaded into the state database {path}",
                    hint=f"wait for the run that loads it; if there is none, start {command('run')}",
                ) from error
            raise
        try:
            db.execute(f"PRAGMA busy_timeout = {_READER_TIMEOUT_MS}")
            # An interrupted first start may have created a part of the schema.
            if schema_version(db) < newest_version() and not _has_contents(db):
                raise LoadInProgressError(f"the state database {path} is still empty", hint=f"start {command('run')}")
            if schema_version(db) < newest_version():
                raise StateError(f"{path} was made by an older oidl", hint=f"run {_upgrade(db)} to upgrade it")
        except BaseException:
            db.close()
            raise
    return db


def check_database(path: Path) -> None:
    """Raises like `connect_reader` if there is no readable database at `path`."""
    connect_reader(path).close()


def remove_unused(path: Path) -> None:
    """Removes the database at `path` if it has no image list, no annotations and no fetched files.

    The caller holds the writer lock, and has closed all connections.
    """
    with translating_sqlite_errors(path), closing(open_any(path)) as db:
        if _has_contents(db):
            return
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        with suppress(OSError):
            path.with_name(name).unlink()


def _has_contents(db: sqlite3.Connection) -> bool:
    """Whether `db`, which may lack some of the tables, has an image list, annotations or a fetched file."""
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    return any(db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() for table in _CONTENTS if table in tables)


def open_empty(path: Path) -> StateConnection:
    """An empty database in memory, for queries before there is one at `path`; nothing is written."""
    with translating_sqlite_errors(path):
        db = connect(path, ":memory:")
        migrate(db, path)
    return db


def _upgrade(db: sqlite3.Connection) -> str:
    """The command that upgrades the schema without loading further lists."""
    has_plan = db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'plan'").fetchone()
    if has_plan and db.execute("SELECT 1 FROM plan LIMIT 1").fetchone():
        return command("run", "--limit 0")
    subsets = db.execute("SELECT subset FROM image_list ORDER BY subset")
    return command("run", " ".join(["--limit 0", *(f"--subset {subset}" for (subset,) in subsets)]))


def open_any(path: Path) -> StateConnection:
    """The database at `path`, to read the few things that every schema has, even after a run was killed.

    The unfinished writes of a killed load are rolled back, as the next run would do. Raises SQLite's own errors.
    """
    try:
        return _connect_ours(path, "ro")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
            raise
    return _connect_ours(path, "rw")


def _connect_ours(path: Path, mode: str) -> StateConnection:
    """A connection that reads (`ro`) or also writes (`rw`) the database at `path`, which must be ours.

    To read in WAL mode, SQLite creates a file next to the database. On a disk that is mounted read-only it cannot, and
    does not need to: the database cannot change there. Raises SQLite's own errors, or `DiskError` if that file is
    needed.
    """
    address = f"{path.absolute().as_uri()}?mode={mode}"
    try:
        return _checked(connect(path, address), path)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_CANTOPEN:
            raise
        actual = Path(os.path.realpath(path))
        wal = actual.with_name(f"{actual.name}-wal")
        if wal.is_file() and wal.stat().st_size and not os.access(wal.parent, os.W_OK):
            raise DiskError(
                f"the last changes to {path} are in {wal.name} next to it; oidl can read it only in a writable place",
                hint=f"copy {actual.name} and {wal.name} together to a writable directory, and add --state-db COPY",
            ) from error
        if not os.statvfs(actual.parent).f_flag & os.ST_RDONLY:
            raise
    return _checked(connect(path, f"{address}&immutable=1"), path)


def _checked(db: StateConnection, path: Path) -> StateConnection:
    try:
        db.execute(f"PRAGMA busy_timeout = {_READER_PATIENCE_MS}")
        _check_ours(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _check_ours(db: sqlite3.Connection, path: Path) -> None:
    application_id = db.execute("PRAGMA application_id").fetchone()[0]
    is_new = schema_version(db) == 0 and not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application_id != _APPLICATION_ID and not is_new:
        raise StateError(f"{path} is not a state database of oidl", hint="choose another --state-db")
    if db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'identity'").fetchone():
        raise StateError(
            f"{path} was made by a development version of oidl from before 0.1.0",
            hint="move it away or choose another --state-db; originals on disk are found and used again",
        )
    if schema_version(db) > newest_version():
        raise StateError(
            f"{path} was made by a newer oidl: schema {schema_version(db)}, this one knows {newest_version()}",
            hint="upgrade oidl",
        )
