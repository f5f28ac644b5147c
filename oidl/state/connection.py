"""A connection to the state database, its transactions, and the interruption of its statements."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from oidl.state.lock import has_locks
from oidl.state.temporary import keep_temporary_files_beside

_BUSY_S = 30.0  # the wait for a lock if no `while_busy` is set
_STEPS = 1_000_000  # of SQLite's virtual machine: at most a tenth of a second


class StateConnection(sqlite3.Connection):
    """A connection that knows its file, for messages about it.

    While another program holds a lock, `while_busy` is called several times a
    second with the seconds waited so far; an exception from it ends the wait.
    `remarks` are messages to the user about an upgrade.
    """

    path: Path
    while_busy: Callable[[float], None]
    remarks: tuple[str, ...] = ()
    progress: Callable[[], bool]

    def watch(self, progress: Callable[[], bool]) -> None:
        """Makes SQLite call `progress` a few times a second while it works; True ends the statement."""
        self.progress = progress
        self.set_progress_handler(progress, _STEPS)


def connect(path: Path, address: str) -> StateConnection:
    """A connection to the database at `path`, by a path or `file:` URI, in autocommit mode."""
    db = sqlite3.connect(
        address,
        uri=address.startswith("file:"),
        factory=StateConnection,
        isolation_level=None,  # autocommit: we begin and end transactions ourselves
        check_same_thread=False,  # still only one thread at a time
    )
    assert isinstance(db, StateConnection)
    db.path = path
    db.while_busy = _give_up
    db.watch(_python_is_heard)
    keep_temporary_files_beside(db, path)
    return db


def _python_is_heard() -> bool:
    """Does nothing, but calling it lets Python raise a pending `KeyboardInterrupt`."""
    return False


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Commits all or nothing; takes the write lock at the beginning, so that it cannot fail halfway for lack of it.

    Waits for a lock of another program, see `StateConnection.while_busy`.
    """
    patiently(db, "BEGIN IMMEDIATE")
    try:
        yield
        patiently(db, "COMMIT")
    except BaseException:
        if db.in_transaction:  # of a full disk, SQLite has gone back by itself
            db.execute("ROLLBACK")
        raise


def patiently(db: sqlite3.Connection, statement: str) -> sqlite3.Cursor:
    """Runs `statement`, again and again while another program holds the lock that it needs."""
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
    """Ends the wait after `_BUSY_S`; the default of `while_busy`."""
    if waited_s > _BUSY_S:
        raise TimeoutError


@contextmanager
def savepoint(db: sqlite3.Connection) -> Iterator[None]:
    """Keeps the writes inside it, which are part of a transaction, only if nothing is raised."""
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
    """Calls `check` a few times a second while SQLite works; an exception from it ends the statement."""
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
    except BaseException:  # SQLite's own error, possibly translated on its way here
        if raised:
            raise raised[0] from None
        raise
    finally:
        db.watch(outer)
