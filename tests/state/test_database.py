"""The state database: made, migrated, refused with words."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from oidl.errors import DiskError, StateError, UsageError
from oidl.state import database
from oidl.state.database import (
    StateConnection,
    interruptible,
    migrations,
    open_reader,
    open_writer,
    schema_version,
    transaction,
)


def test_a_new_database_has_every_migration_and_all_tables_are_strict(state_db: Path) -> None:
    db = open_writer(state_db)
    assert schema_version(db) == len(migrations())
    loose = db.execute("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT strict")
    assert [name for (name,) in loose if not name.startswith("sqlite_")] == []
    db.close()


def test_opening_again_changes_nothing(state_db: Path) -> None:
    open_writer(state_db).close()
    db = open_writer(state_db)
    assert schema_version(db) == len(migrations())
    db.close()


def test_a_reader_cannot_write(state_db: Path) -> None:
    open_writer(state_db).close()
    db = open_reader(state_db)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        db.execute("DELETE FROM image")
    db.close()


def test_a_missing_database_is_a_usage_error(state_db: Path) -> None:
    with pytest.raises(UsageError, match="no state database"):
        open_reader(state_db)
    assert not state_db.exists()


def test_a_newer_database_is_refused(state_db: Path) -> None:
    db = open_writer(state_db)
    db.execute("PRAGMA user_version = 999")
    db.close()
    for opener in (open_writer, open_reader):
        with pytest.raises(StateError, match="newer oidl"):
            opener(state_db)


def test_another_programs_database_is_left_alone(state_db: Path) -> None:
    other = sqlite3.connect(state_db)
    other.execute("CREATE TABLE theirs (a)")
    other.commit()
    other.close()
    before = state_db.read_bytes()
    with pytest.raises(StateError, match="not a state database"):
        open_writer(state_db)
    assert state_db.read_bytes() == before


def test_a_file_that_is_no_database_is_refused(state_db: Path) -> None:
    state_db.write_bytes(b"these are the times" * 100)
    with pytest.raises(StateError, match="not an SQLite database"):
        open_writer(state_db)


def test_a_directory_that_is_not_there_is_a_disk_error(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="cannot be written"):
        open_writer(tmp_path / "missing" / "oidl.sqlite3")


def test_a_migration_that_fails_leaves_the_version_before_it(
    state_db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "9999_bad.sql"
    bad.write_text("CREATE TABLE half (a) STRICT;\nNOT SQL;")
    with monkeypatch.context() as patch:
        patch.setattr(database, "migrations", lambda: [*migrations(), bad])
        with pytest.raises(sqlite3.OperationalError):
            open_writer(state_db)
    db = open_writer(state_db)
    assert schema_version(db) == len(migrations())
    assert db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").fetchone() == (0,)
    db.close()


def test_an_older_database_is_brought_up_by_a_writer_and_refused_by_a_reader(
    state_db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_writer(state_db).close()
    more = tmp_path / "0002_more.sql"
    more.write_text("CREATE TABLE more (a INTEGER) STRICT;")
    files = [*migrations(), more]
    monkeypatch.setattr(database, "migrations", lambda: files)
    with pytest.raises(StateError, match="older oidl"):
        open_reader(state_db)
    open_writer(state_db).close()
    db = open_reader(state_db)
    assert db.execute("SELECT count(*) FROM more").fetchone() == (0,)
    db.close()


def test_a_transaction_that_raises_leaves_nothing(db: sqlite3.Connection) -> None:
    def write_and_fail() -> None:
        with transaction(db):
            db.execute("INSERT INTO tally VALUES ('train', 'done', '', 1, 1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert db.execute("SELECT count(*) FROM tally").fetchone() == (0,)


def test_a_transaction_that_cannot_be_committed_leaves_nothing_and_the_next_one_can_begin(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    with (
        closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as writer,
        closing(sqlite3.connect(path, isolation_level=None)) as reader,
    ):
        writer.execute("CREATE TABLE t (x)")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM t").fetchall()  # in a rollback journal's time, a reader keeps a commit waiting
        with pytest.raises(sqlite3.OperationalError, match="locked"), transaction(writer):
            writer.execute("INSERT INTO t VALUES (1)")
        reader.execute("COMMIT")
        with transaction(writer):
            writer.execute("INSERT INTO t VALUES (2)")
        assert reader.execute("SELECT x FROM t").fetchall() == [(2,)]


def test_whatever_sqlite_is_at_can_be_ended(db: StateConnection) -> None:
    class Stopped(BaseException):
        pass

    calls = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise Stopped

    endless = "WITH RECURSIVE n (x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n LIMIT 100000000) SELECT max(x) FROM n"
    with pytest.raises(Stopped), interruptible(db, check), transaction(db):
        db.execute(f"DELETE FROM identity WHERE ({endless}) > 0")
    assert not db.in_transaction
    assert db.execute("SELECT count(*) FROM identity").fetchone() == (1,)
    with interruptible(db, check), pytest.raises(sqlite3.OperationalError, match="no such table"):
        db.execute("SELECT * FROM nowhere")
