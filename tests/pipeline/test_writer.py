"""The writing connection: it waits for another program's lock, names it, and can still be stopped."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
import trio

from oidl.errors import ExitCode, StoppedError
from oidl.node.stop import Stop
from oidl.pipeline.writer import StateWriter
from oidl.state import lock
from oidl.state.connection import StateConnection, transaction
from oidl.state.lock import write_lock_holder


@pytest.fixture
def locked(db: StateConnection) -> Iterator[sqlite3.Connection]:
    """Another connection, which holds a write lock on `db`."""
    with closing(sqlite3.connect(db.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


def write(db: StateConnection) -> None:
    with transaction(db):
        db.execute("INSERT INTO status_count VALUES ('train', 'done', '', 1, 1)")


def test_a_lock_of_another_program_is_waited_for_and_said_once_a_minute(
    db: StateConnection, locked: sqlite3.Connection
) -> None:
    said: list[str] = []

    async def wait_and_free() -> None:
        state = StateWriter(db, Stop(), said.append, patience_s=0.1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(state.run, write, db)
            with trio.fail_after(20):
                while not said:  # noqa: ASYNC110 - it is said from a thread
                    await trio.sleep(0.02)
                await trio.sleep(0.6)
            locked.execute("ROLLBACK")

    trio.run(wait_and_free)
    assert said == ["waiting for another program, which holds a write lock on the state database"]
    assert db.execute("SELECT count(*) FROM status_count").fetchone() == (1,)


def test_the_second_request_to_stop_ends_the_wait(db: StateConnection, locked: sqlite3.Connection) -> None:
    async def wait_and_stop() -> None:
        stop = Stop()
        state = StateWriter(db, stop, lambda text: None)
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(state.run, write, db)
                stop.interrupt()
                await trio.sleep(0.4)
                assert len(nursery.child_tasks) == 1
                stop.interrupt()

    with pytest.raises(BaseExceptionGroup) as raised:
        trio.run(wait_and_stop)
    (stopped,) = raised.value.exceptions
    assert isinstance(stopped, StoppedError)
    assert stopped.exit_code == ExitCode.INTERRUPTED
    assert not db.in_transaction


def test_who_is_cancelled_does_not_wait_either(db: StateConnection, locked: sqlite3.Connection) -> None:
    async def wait_and_cancel() -> None:
        with trio.move_on_after(0.3) as scope:
            await StateWriter(db, Stop(), lambda text: None).run(write, db)
        assert scope.cancelled_caught

    trio.run(wait_and_cancel)


def test_sqlite_can_be_ended_in_the_middle_of_a_statement(db: StateConnection) -> None:
    endless = "WITH RECURSIVE n (x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"

    async def ask_and_cancel() -> None:
        with trio.move_on_after(0.2) as scope:
            await StateWriter(db).run(db.execute, endless)
        assert scope.cancelled_caught

    trio.run(ask_and_cancel)


def test_the_holder_of_a_lock_is_named(
    db: StateConnection, locked: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert write_lock_holder(db.path) is None, "it is this process"
    monkeypatch.setattr(lock.os, "getpid", lambda: 0)
    assert str(write_lock_holder(db.path)).startswith(f"process {_own_pid()} (")
    locked.execute("ROLLBACK")
    assert write_lock_holder(db.path) is None


def _own_pid() -> int:
    return int(os.readlink("/proc/self"))
