"""Opens the state database, brings its schema up to date, and explains what is wrong with it.

The one place where an `sqlite3` exception becomes an error in words: whoever
touches the database does it inside `explained(path)`.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import oidl
from oidl.errors import DiskError, HalfLoadedError, StateError, UsageError

_APPLICATION_ID = 0x6F69646C  # "oidl": tells our database from any other SQLite file

CACHE_KIB = 8 * 1024  # a run goes through the tables in key order
BUSY_TIMEOUT_MS = 30_000  # somebody's own SQL may hold the file for a while
_STEPS = 1_000_000  # of SQLite's virtual machine: a tenth of a second or less
_READER_PATIENCE_MS = 1_000  # in WAL mode nobody keeps a reader out for longer

_DISK_ADVICE = {
    sqlite3.SQLITE_FULL: "free some space",
    sqlite3.SQLITE_IOERR: "check the disk (dmesg)",
    sqlite3.SQLITE_CANTOPEN: "fix the permissions or choose another --state-db",
    sqlite3.SQLITE_READONLY: "fix the permissions or choose another --state-db",
}

# What a reader meets while `load` has a rollback journal, and after a kill there.
_HALF_LOADED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY_ROLLBACK)


class StateConnection(sqlite3.Connection):
    """A connection that knows its file, for what there is to say about it."""

    path: Path


def timestamp(moment: datetime | None = None) -> str:
    """`moment` (default: now) as the database writes times: UTC ISO 8601, milliseconds, sortable as text."""
    moment = moment or datetime.now(UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def open_writer(path: Path) -> StateConnection:
    """The database at `path`, made or migrated as needed, in autocommit mode.

    The caller holds the writer lock. The connection may be handed from thread
    to thread, one at a time. Raises `StateError` for a file that is newer than
    this program, damaged or not ours, `DiskError` where none can be made.
    """
    with explained(path):
        db = _connect(path, str(path))
        try:
            _check_ours(db, path)
            db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            db.execute("PRAGMA journal_mode = WAL")
            # In WAL mode NORMAL never corrupts; after a power cut the last commits are missing and done again.
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            db.execute(f"PRAGMA journal_size_limit = {64 * 1024 * 1024}")
            _migrate(db)
        except BaseException:
            db.close()
            raise
    return db


def open_reader(path: Path) -> StateConnection:
    """The database at `path`, read-only; works while a run writes it.

    Raises `UsageError` if there is none, `StateError` if it is not one of ours
    or not of this program's schema, `HalfLoadedError` while the first image list is being loaded.
    """
    if not path.is_file():
        raise UsageError(
            f"there is no state database at {path}",
            hint="name the right --root-dir, or start with `oidl run`",
        )
    with explained(path):
        db = _connect(path, f"{path.absolute().as_uri()}?mode=ro")
        try:
            db.execute(f"PRAGMA busy_timeout = {_READER_PATIENCE_MS}")
            _check_ours(db, path)
            db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            if schema_version(db) < len(migrations()):
                raise StateError(f"{path} was made by an older oidl", hint="`oidl run --limit 0` brings it up to date")
        except BaseException as error:
            db.close()
            if isinstance(error, sqlite3.Error) and error.sqlite_errorcode in _HALF_LOADED:
                raise HalfLoadedError(
                    f"the image list is not completely in the state database {path} yet",
                    hint="wait for `oidl run` to load it; if none is at it, start one",
                ) from error
            raise
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; takes the write lock at once, so that it cannot fail half way for want of it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # of a full disk, SQLite has gone back by itself
            db.execute("ROLLBACK")
        raise


@contextmanager
def savepoint(db: sqlite3.Connection) -> Iterator[None]:
    """Keeps what is written inside it, which is part of a transaction, only if nothing is raised."""
    db.execute("SAVEPOINT part")
    try:
        yield
    except BaseException:
        if db.in_transaction:  # of a full disk, SQLite has gone back by itself
            db.execute("ROLLBACK TO part")
            db.execute("RELEASE part")
        raise
    db.execute("RELEASE part")


@contextmanager
def interruptible(db: sqlite3.Connection, check: Callable[[], None]) -> Iterator[None]:
    """Calls `check` a few times a second, whatever SQLite is at; what that raises ends the statement."""
    raised: list[BaseException] = []

    def is_over() -> bool:
        try:
            check()
        except BaseException as error:
            raised.append(error)
        return bool(raised)

    db.set_progress_handler(is_over, _STEPS)
    try:
        yield
    except sqlite3.OperationalError:
        if raised:
            raise raised[0] from None
        raise
    finally:
        db.set_progress_handler(None, 0)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns what SQLite says about the database at `path` into a `StateError` or `DiskError`."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if advice := _DISK_ADVICE.get(code):
            raise DiskError(
                f"the state database {path} cannot be written: {error}",
                hint=f"{advice}, then run it again: nothing that was recorded is lost",
            ) from error
        if code == sqlite3.SQLITE_PROTOCOL:
            raise StateError(
                f"the state database {path} cannot be locked: {error}",
                hint="choose a place on a local disk for --state-db: network filesystems often have no locks",
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
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StateError(
                f"the state database {path} is locked by another program",
                hint="close what writes to it, then run again",
            ) from error
        raise


def _connect(path: Path, address: str) -> StateConnection:
    db = sqlite3.connect(
        address,
        uri=address.startswith("file:"),
        factory=StateConnection,
        isolation_level=None,  # autocommit: transactions are ours to begin and end
        check_same_thread=False,  # one thread at a time all the same
    )
    assert isinstance(db, StateConnection)
    db.path = path
    return db


def schema_version(db: sqlite3.Connection) -> int:
    """How many migrations the database has had."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def migrations() -> list[Path]:
    """The migration files in order: number N takes a database from version N-1 to N.

    In a wheel they lie inside the package, in a checkout beside it.
    """
    package = Path(oidl.__file__).parent
    installed = package / "migrations"
    return sorted((installed if installed.is_dir() else package.parent / "migrations").glob("[0-9]*.sql"))


def _check_ours(db: sqlite3.Connection, path: Path) -> None:
    application_id = db.execute("PRAGMA application_id").fetchone()[0]
    is_new = schema_version(db) == 0 and not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application_id != _APPLICATION_ID and not is_new:
        raise StateError(f"{path} is not a state database of oidl", hint="name another --state-db")
    if schema_version(db) > len(migrations()):
        raise StateError(
            f"{path} was made by a newer oidl: schema {schema_version(db)}, this one knows {len(migrations())}",
            hint="upgrade oidl",
        )


def _migrate(db: sqlite3.Connection) -> None:
    for number, file in enumerate(migrations(), start=1):
        if number > schema_version(db):
            # One script, as executescript() commits whatever is open before it starts.
            script = f"BEGIN IMMEDIATE;\n{file.read_text('utf-8')}\nPRAGMA user_version = {number};\nCOMMIT;"
            try:
                db.executescript(script)
            except sqlite3.Error:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
