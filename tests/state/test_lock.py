"""The writer lock: one holder at a time, with a name, gone with its process."""

import errno
import multiprocessing
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from oidl.errors import DiskError, StateError, UsageError
from oidl.state import lock
from oidl.state.connection import StateConnection
from oidl.state.database import connect_writer
from oidl.state.lock import is_held, writer_lock
from oidl.state.translate import translating_sqlite_errors


def test_the_second_writer_is_told_who_holds_it(state_db: Path) -> None:
    with (
        writer_lock(state_db),
        pytest.raises(StateError, match=f"process {os.getpid()} on "),
        writer_lock(state_db),
    ):
        pass


def test_it_can_be_seen_and_is_free_again_afterwards(state_db: Path) -> None:
    assert not is_held(state_db)
    with writer_lock(state_db):
        assert is_held(state_db)
    assert not is_held(state_db)
    with writer_lock(state_db):
        pass


def test_it_leaves_no_file_beside_the_database(state_db: Path) -> None:
    with writer_lock(state_db):
        connect_writer(state_db).close()
    assert [path.name for path in state_db.parent.iterdir()] == [state_db.name]


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_another_name_of_the_database_is_the_same_lock(link: Callable[[Path, Path], None], db: StateConnection) -> None:
    (db.path.parent / "other").mkdir()
    other = db.path.parent / "other" / "name"
    link(other, db.path)
    with writer_lock(db.path):
        assert is_held(other)
        with pytest.raises(StateError, match="in use by"), writer_lock(other):
            pass


def test_files_beside_the_database_that_are_removed_free_nothing(state_db: Path) -> None:
    with writer_lock(state_db):
        for path in state_db.parent.iterdir():
            if path != state_db:
                path.unlink()
        with pytest.raises(StateError, match="in use by another process"), writer_lock(state_db):
            pass


def _take(path: Path) -> None:
    db = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        db.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        os._exit(7)
    os._exit(0)


def test_looking_at_it_takes_no_lock_of_sqlite_away(db: StateConnection) -> None:
    with writer_lock(db.path):
        db.execute("PRAGMA journal_mode = DELETE")  # the locks are on the file itself then
        db.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            assert is_held(db.path)
        process = multiprocessing.get_context("spawn").Process(target=_take, args=(db.path,))
        process.start()
        process.join()
        assert process.exitcode == 7
        db.execute("ROLLBACK")


def _hold_and_die(path: Path) -> None:
    lock = writer_lock(path)
    lock.__enter__()
    os._exit(9)


def test_it_dies_with_its_process(state_db: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_hold_and_die, args=(state_db,))
    process.start()
    process.join()
    with writer_lock(state_db):
        pass


def test_a_place_that_cannot_be_written_is_a_disk_error(tmp_path: Path) -> None:
    with pytest.raises(DiskError), writer_lock(tmp_path / "missing" / "x.sqlite3"):
        pass


def test_a_directory_is_a_usage_error_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with pytest.raises(UsageError, match="is a directory"), writer_lock(tmp_path / "state"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_filesystem_without_locks_is_named(number: int, db: StateConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int, request: int, argument: bytes) -> bytes:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lock.fcntl, "fcntl", refuse)
    with pytest.raises(StateError, match="has no file locks") as raised, writer_lock(db.path):
        pass
    assert "--state-db on a local disk" in raised.value.hint
    other = sqlite3.connect(db.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateError, match="has no file locks"), translating_sqlite_errors(db.path):
        db.execute("BEGIN IMMEDIATE")
    other.close()
