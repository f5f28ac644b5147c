"""A connection to the state database, its transactions, and how what it does is interrupted."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from oidl.state.lock import has_locks
from oidl.state.temporary import keep_temporary_files_beside

_BUSY_S = 30.0  # how long a lock is waited for if nobody can be asked
_STEPS = 1_000_000  # of SQLite's virtual machine: a tenth of a second or less


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


def connect(path: Path, address: str) -> StateConnection:
    """A connection to the database at `path`, by a path or `file:` URI, in autocommit mode."""
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
    keep_temporary_files_beside(db, path)
    return db


def _python_is_heard() -> bool:
    """Does nothing; but while it does, Python raises the `KeyboardInterrupt` that a signal asked for before."""
    return False


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; takes the write lock at once, so that it cannot fail half way for lack of it.

    A lock of another program is waited for, see `StateConnection.while_busy`.
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
