"""Opens the state database, brings its schema up to date, and explains what is wrong with it.

The one place where an `sqlite3` exception becomes an error in words: whoever
touches the database does it inside `explained(path)`.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from oidl.errors import DiskError, HalfLoadedError, StateError, UsageError
from oidl.hints import command
from oidl.state.lock import has_locks, no_locks
from oidl.state.schema import check_schema, migrate, newest_version, schema_version

_APPLICATION_ID = 0x6F69646C  # "oidl": tells our database from any other SQLite file

CACHE_KIB = 8 * 1024  # a run goes through the tables in key order
BUSY_TIMEOUT_MS = 250  # how long SQLite itself waits for a lock, before it is asked whether to go on waiting
_BUSY_S = 30.0  # how long a lock is waited for if nobody can be asked
_STEPS = 1_000_000  # of SQLite's virtual machine: a tenth of a second or less
_READER_TIMEOUT_MS = 5_000
_READER_PATIENCE_MS = 1_000  # in WAL mode nobody keeps a reader out for longer

_DISK_ADVICE = {
    sqlite3.SQLITE_FULL: "free some space",
    sqlite3.SQLITE_IOERR: "check the disk (dmesg)",
    sqlite3.SQLITE_CANTOPEN: "fix the permissions or choose another --state-db",
    sqlite3.SQLITE_READONLY: "fix the permissions or choose another --state-db",
}

# What a reader meets while `load` has a rollback journal, and after a kill there.
_HALF_LOADED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY_ROLLBACK)

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


_CONTENTS = ("image_list", "annotation_file", "archive")


class StateConnection(sqlite3.Connection):
    """A connection that knows its file, for what there is to say about it.

    `while_busy` is called several times a second with the seconds that a lock of
    another program has been waited for; what it raises ends the wait. `remarks`
    are what people should know of an upgrade.
    """

    path: Path
    while_busy: Callable[[float], None]
    remarks: tuple[str, ...] = ()
    progress: Callable[[], bool]

    def watch(self, progress: Callable[[], bool]) -> None:
        """Has SQLite call `progress` a few times a second while it works; true ends the statement."""
        self.progress = progress
        self.set_progress_handler(progress, _STEPS)


def timestamp(moment: datetime | None = None) -> str:
    """`moment` (default: now) as the database writes times: UTC ISO 8601, milliseconds, sortable as text."""
    moment = moment or datetime.now(UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def parse_timestamp(text: str | None) -> datetime | None:
    """The time that `text` means, in UTC if it names no zone; None for no time at all. People edit these too."""
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


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
            check_schema(db, path)
            db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            if _patiently(db, "PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
                raise no_locks(path)
            # In WAL mode NORMAL never corrupts; after a power cut the last commits are missing and done again.
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            db.execute(f"PRAGMA journal_size_limit = {64 * 1024 * 1024}")
            db.remarks = migrate(db, path)
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
            hint=f"use the right --root-dir, or start with {command('run')}",
        )
    with explained(path):
        db = _connect(path, f"{path.absolute().as_uri()}?mode=ro")
        try:
            db.execute(f"PRAGMA busy_timeout = {_READER_PATIENCE_MS}")
            _check_ours(db, path)
            db.execute(f"PRAGMA busy_timeout = {_READER_TIMEOUT_MS}")
            if schema_version(db) == 0:
                raise HalfLoadedError(f"the state database {path} is still empty", hint=f"start {command('run')}")
            if schema_version(db) < newest_version():
                raise StateError(f"{path} was made by an older oidl", hint=f"{_upgrade(db)} brings it up to date")
        except BaseException as error:
            db.close()
            is_locked = isinstance(error, sqlite3.Error) and error.sqlite_errorcode in _HALF_LOADED
            if is_locked and has_locks(path):
                raise HalfLoadedError(
                    f"the image list is not completely in the state database {path} yet",
                    hint=f"wait for the run that loads it; if there is none, start {command('run')}",
                ) from error
            raise
    return db


def remove_unused(path: Path) -> None:
    """Removes the database at `path` if it has no image list, no annotations and no file that was fetched.

    The caller holds the writer lock, and has closed all connections.
    """
    with explained(path), closing(open_any(path)) as db:
        if schema_version(db) and any(db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() for table in _CONTENTS):
            return
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        with suppress(OSError):
            path.with_name(name).unlink()


def open_empty(path: Path) -> StateConnection:
    """What there is to ask before there is a database at `path`: an empty one in memory; nothing is written."""
    with explained(path):
        db = _connect(path, ":memory:")
        migrate(db, path)
    return db


def _upgrade(db: sqlite3.Connection) -> str:
    """The command that brings the schema up to date, and loads no list beside those that are there."""
    has_plan = db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'plan'").fetchone()
    if has_plan and db.execute("SELECT 1 FROM plan LIMIT 1").fetchone():
        return command("run", "--limit 0")
    subsets = db.execute("SELECT subset FROM image_list ORDER BY subset")
    return command("run", " ".join(["--limit 0", *(f"--subset {subset}" for (subset,) in subsets)]))


def open_any(path: Path) -> StateConnection:
    """The database at `path`, to read the little that is there in every schema, also where a run was killed.

    What a killed load left half-written is taken back, as the next run would do. The caller is inside `explained`.
    """
    for mode in ("ro", "rw"):
        db = _connect(path, f"{path.absolute().as_uri()}?mode={mode}")
        try:
            db.execute(f"PRAGMA busy_timeout = {_READER_PATIENCE_MS}")
            _check_ours(db, path)
        except sqlite3.OperationalError as error:
            db.close()
            if mode == "rw" or error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
                raise
        except BaseException:
            db.close()
            raise
        else:
            return db
    raise AssertionError


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; takes the write lock at once, so that it cannot fail half way for lack of it.

    A lock of another program is waited for, see `StateConnection.while_busy`.
    """
    _patiently(db, "BEGIN IMMEDIATE")
    try:
        yield
        _patiently(db, "COMMIT")
    except BaseException:
        if db.in_transaction:  # of a full disk, SQLite has gone back by itself
            db.execute("ROLLBACK")
        raise


def _patiently(db: sqlite3.Connection, statement: str) -> sqlite3.Cursor:
    """Runs `statement`, as often as it takes while another program holds the lock that it needs."""
    if not isinstance(db, StateConnection):
        return db.execute(statement)
    began = time.monotonic()
    while True:
        try:
            return db.execute(statement)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or not has_locks(db.path):
                raise
            try:
                db.while_busy(time.monotonic() - began)
            except TimeoutError:
                raise error from None


def _give_up(waited_s: float) -> None:
    """Waits for as long as a command does that has nobody to ask."""
    if waited_s > _BUSY_S:
        raise TimeoutError


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
def interruptible(db: StateConnection, check: Callable[[], None]) -> Iterator[None]:
    """Calls `check` a few times a second, whatever SQLite is at; what that raises ends the statement."""
    raised: list[BaseException] = []

    def is_over() -> bool:
        try:
            check()
        except BaseException as error:
            raised.append(error)
        return bool(raised)

    outer = db.progress
    db.watch(is_over)
    try:
        yield
    except BaseException:  # whatever others made of SQLite's own error on its way here
        if raised:
            raise raised[0] from None
        raise
    finally:
        db.watch(outer)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns what SQLite says about the database at `path` into a `StateError` or `DiskError`."""
    try:
        yield
    except sqlite3.Error as error:
        extended = getattr(error, "sqlite_errorcode", 0)
        code = extended & 0xFF
        if code == sqlite3.SQLITE_INTERRUPT:  # by Ctrl-C, which Python raised inside `_python_is_heard`
            raise KeyboardInterrupt from error
        is_locked = code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        if extended in _NO_LOCKS or (is_locked and not has_locks(path)):
            raise no_locks(path) from error
        if advice := _DISK_ADVICE.get(code):
            raise DiskError(
                f"the state database {path} cannot be written: {error}",
                hint=f"{advice}{_of_temporary_files(path)}, then run it again: nothing that was recorded is lost",
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
    db.while_busy = _give_up
    db.watch(_python_is_heard)
    _keep_temporary_files_beside(db)
    return db


def _python_is_heard() -> bool:
    """Does nothing; but while it does, Python raises the `KeyboardInterrupt` that a signal asked for before."""
    return False


def _keep_temporary_files_beside(db: StateConnection) -> None:
    """Has SQLite put its temporary files where the database is, unless the user chose a directory for them.

    Sorting all of Open Images takes hundreds of MB, and the disk of the database is the one that has room; in a
    container the others may be read-only. A reader may be unable to write there: then SQLite uses its own default.
    """
    directory = os.path.dirname(os.path.realpath(db.path))
    if "SQLITE_TMPDIR" in os.environ or _temporary_directory(db) == directory:  # a change frees what threads may read
        return
    with suppress(sqlite3.OperationalError):
        db.execute(f"PRAGMA temp_store_directory = '{directory.replace(chr(39), 2 * chr(39))}'")


def _temporary_directory(db: sqlite3.Connection) -> str:
    row = db.execute("PRAGMA temp_store_directory").fetchone()
    return str(row[0]) if row else ""


def _of_temporary_files(path: Path) -> str:
    """Where SQLite's temporary files are, if not beside the database."""
    with closing(sqlite3.connect(":memory:")) as db:
        directory = _temporary_directory(db)
    if directory == os.path.dirname(os.path.realpath(path)):
        return ""
    directory = directory or os.environ.get("SQLITE_TMPDIR") or os.environ.get("TMPDIR") or "/var/tmp"
    return f", there or in {directory} where SQLite keeps temporary files (SQLITE_TMPDIR)"


def _check_ours(db: sqlite3.Connection, path: Path) -> None:
    application_id = db.execute("PRAGMA application_id").fetchone()[0]
    is_new = schema_version(db) == 0 and not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application_id != _APPLICATION_ID and not is_new:
        raise StateError(f"{path} is not a state database of oidl", hint="name another --state-db")
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
