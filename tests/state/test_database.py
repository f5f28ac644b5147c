"""The state database: created, migrated, refused with a reason."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from oidl.errors import DiskError, StateError, UsageError
from oidl.state import schema
from oidl.state.connection import StateConnection, interruptible, transaction
from oidl.state.database import connect_reader, connect_writer
from oidl.state.load import ImageList, load_list
from oidl.state.outcome_rows import outcome_rows
from oidl.state.schema import migrations, schema_version
from oidl.state.translate import translating_sqlite_errors


def test_a_new_database_has_every_migration_and_all_tables_are_strict(state_db: Path) -> None:
    db = connect_writer(state_db)
    assert schema_version(db) == len(migrations())
    loose = db.execute("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT strict")
    assert [name for (name,) in loose if not name.startswith("sqlite_")] == []
    db.close()


def test_opening_again_changes_nothing(state_db: Path) -> None:
    connect_writer(state_db).close()
    db = connect_writer(state_db)
    assert schema_version(db) == len(migrations())
    db.close()


def test_a_reader_cannot_write(state_db: Path) -> None:
    connect_writer(state_db).close()
    db = connect_reader(state_db)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        db.execute("DELETE FROM image")
    db.close()


def test_a_missing_database_is_a_usage_error(state_db: Path) -> None:
    with pytest.raises(UsageError, match="no state database"):
        connect_reader(state_db)
    assert not state_db.exists()


def test_a_newer_database_is_refused(state_db: Path) -> None:
    db = connect_writer(state_db)
    db.execute("PRAGMA user_version = 999")
    db.close()
    for opener in (connect_writer, connect_reader):
        with pytest.raises(StateError, match="newer oidl"):
            opener(state_db)


def test_another_programs_database_is_left_alone(state_db: Path) -> None:
    other = sqlite3.connect(state_db)
    other.execute("CREATE TABLE theirs (a)")
    other.commit()
    other.close()
    before = state_db.read_bytes()
    with pytest.raises(StateError, match="not a state database"):
        connect_writer(state_db)
    assert state_db.read_bytes() == before


def test_a_file_that_is_no_database_is_refused(state_db: Path) -> None:
    state_db.write_bytes(b"these are the times" * 100)
    with pytest.raises(StateError, match="not an SQLite database"):
        connect_writer(state_db)


def test_a_directory_that_is_not_there_is_a_disk_error(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="cannot be opened"):
        connect_writer(tmp_path / "missing" / "oidl.sqlite3")


def test_a_migration_that_fails_leaves_the_version_before_it(
    state_db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "9999_bad.sql"
    bad.write_text("CREATE TABLE half (a) STRICT;\nNOT SQL;")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "migrations", lambda: [*migrations(), bad])
        with pytest.raises(StateError, match=r"cannot be upgraded \(9999_bad.sql: .*; it is unchanged"):
            connect_writer(state_db)
    db = connect_writer(state_db)
    assert schema_version(db) == len(migrations())
    assert db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").fetchone() == (0,)
    db.close()


def test_an_older_database_is_brought_up_by_a_writer_and_refused_by_a_reader(
    state_db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(connect_writer(state_db)) as db:
        load_list(db, ImageList("7", "v7", "https://example.org/list.csv"), ["test"], [])
    more = tmp_path / "0002_more.sql"
    more.write_text("CREATE TABLE more (a INTEGER) STRICT;")
    files = [*migrations(), more]
    monkeypatch.setattr(schema, "migrations", lambda: files)
    with pytest.raises(StateError, match="older oidl") as raised:
        connect_reader(state_db)
    assert raised.value.hint == "run `oidl run --limit 0 --subset test` to upgrade it", "it fetches no other list"
    connect_writer(state_db).close()
    db = connect_reader(state_db)
    assert db.execute("SELECT count(*) FROM more").fetchone() == (0,)
    db.close()


def test_temporary_files_are_beside_the_database_unless_the_user_chose_a_place(
    state_db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    for opener in (connect_writer, connect_reader):
        with closing(opener(state_db)) as db:
            assert db.execute("PRAGMA temp_store_directory").fetchall() == [(str(state_db.parent),)]
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    (tmp_path / "other").mkdir()
    with closing(connect_writer(tmp_path / "other" / "oidl.sqlite3")) as db:
        assert db.execute("PRAGMA temp_store_directory").fetchall() == [(str(state_db.parent),)]
        full = sqlite3.OperationalError("database or disk is full")
        full.sqlite_errorcode = sqlite3.SQLITE_FULL
        with pytest.raises(DiskError) as raised, translating_sqlite_errors(db.path):
            raise full
    assert f"in {state_db.parent} where SQLite keeps temporary files" in raised.value.hint


@pytest.mark.parametrize(
    ("code", "message", "kind", "says"),
    [
        (sqlite3.SQLITE_CORRUPT, "database disk image is malformed", StateError, "is damaged: database disk image"),
        (sqlite3.SQLITE_FULL, "database or disk is full", DiskError, "cannot be written"),
        (sqlite3.SQLITE_ERROR, "no such table: file", StateError, "is not a database of this oidl: no such table"),
    ],
)
def test_what_tasks_of_a_nursery_raise_is_translated_in_its_group(
    code: int, message: str, kind: type[Exception], says: str, state_db: Path
) -> None:
    error = sqlite3.DatabaseError(message)
    error.sqlite_errorcode = code
    with pytest.raises(BaseExceptionGroup) as raised, translating_sqlite_errors(state_db):
        raise BaseExceptionGroup("a", [KeyboardInterrupt(), BaseExceptionGroup("b", [error, ValueError("mine")])])
    interrupt, inner = raised.value.exceptions
    assert isinstance(interrupt, KeyboardInterrupt)
    assert isinstance(inner, BaseExceptionGroup)
    found, mine = inner.exceptions
    assert isinstance(found, kind)
    assert says in str(found)
    assert found.__cause__ is error
    assert isinstance(mine, ValueError)


def test_text_that_is_not_utf_8_is_damage_and_that_of_other_files_is_not(loaded_db: StateConnection) -> None:
    loaded_db.execute("UPDATE image SET title = CAST(x'e4' AS TEXT)")
    loaded_db.execute("UPDATE download SET status = 'done'")
    with (
        pytest.raises(StateError, match="is damaged: text in it is not UTF-8"),
        translating_sqlite_errors(loaded_db.path),
    ):
        list(outcome_rows(loaded_db))
    with pytest.raises(UnicodeDecodeError), translating_sqlite_errors(loaded_db.path):
        b"\xe4".decode()


def test_a_transaction_that_raises_leaves_nothing(db: sqlite3.Connection) -> None:
    def write_and_fail() -> None:
        with transaction(db):
            db.execute("INSERT INTO status_count VALUES ('train', 'done', '', 1, 1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert db.execute("SELECT count(*) FROM status_count").fetchone() == (0,)


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
    db.execute("INSERT INTO file_name VALUES ('a', 'b')")
    with pytest.raises(Stopped), interruptible(db, check), transaction(db):
        db.execute(f"DELETE FROM file_name WHERE ({endless}) > 0")
    assert not db.in_transaction
    assert db.execute("SELECT count(*) FROM file_name").fetchone() == (1,)
    calls.clear()
    with pytest.raises(Stopped), interruptible(db, check), translating_sqlite_errors(db.path):
        db.execute(endless)
    with interruptible(db, check), pytest.raises(sqlite3.OperationalError, match="no such table"):
        db.execute("SELECT * FROM nowhere")


def test_a_database_of_a_development_version_is_refused_in_one_line(state_db: Path) -> None:
    with closing(sqlite3.connect(state_db)) as old:
        old.executescript(
            "PRAGMA application_id = 0x6f69646c; CREATE TABLE identity (token TEXT); PRAGMA user_version = 20;"
        )
    for open_database in (connect_writer, connect_reader):
        with pytest.raises(StateError, match="development version of oidl") as raised:
            open_database(state_db)
        assert "move it away or choose another --state-db" in (raised.value.hint or "")
