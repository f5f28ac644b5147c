"""The state database: made, migrated, refused with words."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from oidl.errors import DiskError, StateError, UsageError
from oidl.state import schema
from oidl.state.database import (
    StateConnection,
    explained,
    interruptible,
    open_reader,
    open_writer,
    transaction,
)
from oidl.state.load import ImageList, load_list
from oidl.state.schema import migrations, schema_version


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
        patch.setattr(schema, "migrations", lambda: [*migrations(), bad])
        with pytest.raises(StateError, match=r"cannot be brought up to date \(9999_bad.sql: .*; it is as it was"):
            open_writer(state_db)
    db = open_writer(state_db)
    assert schema_version(db) == len(migrations())
    assert db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").fetchone() == (0,)
    db.close()


def test_an_older_database_is_brought_up_by_a_writer_and_refused_by_a_reader(
    state_db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_writer(state_db)) as db:
        load_list(db, ImageList("7", "v7", "https://example.org/list.csv"), ["test"], [])
    more = tmp_path / "0002_more.sql"
    more.write_text("CREATE TABLE more (a INTEGER) STRICT;")
    files = [*migrations(), more]
    monkeypatch.setattr(schema, "migrations", lambda: files)
    with pytest.raises(StateError, match="older oidl") as raised:
        open_reader(state_db)
    assert raised.value.hint == "`oidl run --limit 0 --subset test` brings it up to date", "it fetches no other list"
    open_writer(state_db).close()
    db = open_reader(state_db)
    assert db.execute("SELECT count(*) FROM more").fetchone() == (0,)
    db.close()


def test_temporary_files_are_beside_the_database_unless_the_user_chose_a_place(
    state_db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    for opener in (open_writer, open_reader):
        with closing(opener(state_db)) as db:
            assert db.execute("PRAGMA temp_store_directory").fetchall() == [(str(state_db.parent),)]
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    (tmp_path / "other").mkdir()
    with closing(open_writer(tmp_path / "other" / "oidl.sqlite3")) as db:
        assert db.execute("PRAGMA temp_store_directory").fetchall() == [(str(state_db.parent),)]
        full = sqlite3.OperationalError("database or disk is full")
        full.sqlite_errorcode = sqlite3.SQLITE_FULL
        with pytest.raises(DiskError) as raised, explained(db.path):
            raise full
    assert f"in {state_db.parent} where SQLite keeps temporary files" in raised.value.hint


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
    calls.clear()
    with pytest.raises(Stopped), interruptible(db, check), explained(db.path):
        db.execute(endless)
    with interruptible(db, check), pytest.raises(sqlite3.OperationalError, match="no such table"):
        db.execute("SELECT * FROM nowhere")


def test_what_was_loaded_and_written_before_is_there_as_it_should_be(
    state_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(schema, "migrations", lambda: migrations()[:8])
        old = open_writer(state_db)
    old.executescript("""
        INSERT INTO annotation_file (file_number, name, kind, images, rows, skipped, loaded_at) VALUES
            (1, 'v7/boxes.csv', 'boxes', 'all', 1, 0, ''), (2, 'v3/all.tar.gz', 'labels', 'all', 1, 0, '');
        INSERT INTO label (image_id, label_name, source, confidence, file_number) VALUES
            ('a', '/m/1', 'verification', 1, 1), ('b', '/m/1', 'machine', 0.5, 2), ('c', '/m/1', 'mine', 0, 0);
        INSERT INTO box (image_id, file_number, number, source, label_name, confidence, x_min, x_max, y_min, y_max)
            VALUES ('a', 1, 1, 's', '/m/1', 1, 0, 1, 0, 1), ('b', 2, 1, 's', '/m/1', 1, 0, 1, 0, 1);
        INSERT INTO rendition (name, directory, mode, box_size, format) VALUES
            ('original', 'images-original', NULL, NULL, 'jpg'), ('small', 'small', 'ShrinkToFit', 64, 'jpg');
        INSERT INTO image VALUES ('a', 'train', '', '', '', '', '', '', 9, '', '', ''),
                                 ('b', 'train', '', '', '', '', '', '', 9, '', '', '');
        INSERT INTO download (image_id, subset, status, bytes, orientation) VALUES
            ('a', 'train', 'done', 9, 6), ('b', 'train', 'done', 7, 8);
        INSERT INTO file (image_id, rendition, path, bytes, width, height, written_at) VALUES
            ('a', 'original', 'a', 9, 1, 1, ''), ('a', 'small', 'sa', 9, 1, 1, ''), ('b', 'original', 'b', 9, 1, 1, '');
    """)
    old.close()
    db = open_writer(state_db)
    assert db.execute("SELECT image_id, source, confidence, file_number FROM label ORDER BY 1").fetchall() == [
        ("a", "verification", 1.0, 1),
        ("c", "mine", 0.0, 0),
    ]
    assert db.execute("SELECT image_id FROM box").fetchall() == [("a",)]
    assert db.execute("SELECT name FROM annotation_file").fetchall() == [("v7/boxes.csv",)]
    assert db.execute("SELECT path, exif_orientation FROM file ORDER BY path").fetchall() == [
        ("a", 6),
        ("b", None),
        ("sa", None),
    ]
    assert db.execute("SELECT count(*) FROM label_of_file").fetchone() == (2,)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()


def test_images_of_before_that_share_a_file_are_to_be_done_again_and_other_names_are_claimed(
    state_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(schema, "migrations", lambda: migrations()[:11])
        old = open_writer(state_db)
    for image_id, path in (("a", "t/1/1_b_o.jpg"), ("b", "t/1/1_b_o.jpg"), ("c", "t/2/2_b_o.gif"), ("d", "t/d/d.jpg")):
        old.execute(
            "INSERT INTO download (image_id, subset, status, bytes, source) VALUES (?, 't', 'done', 5, 'original')",
            (image_id,),
        )
        old.execute(
            "INSERT INTO file (image_id, rendition, path, bytes, width, height, written_at) "
            "VALUES (?, 'r', ?, 1, 1, 1, '')",
            (image_id, path),
        )
    old.execute("INSERT INTO tally VALUES ('t', 'done', '', 4, 20)")
    old.close()
    with closing(open_writer(state_db)) as db:
        assert db.execute("SELECT image_id, status FROM download ORDER BY 1").fetchall() == [
            ("a", "pending"),
            ("b", "pending"),
            ("c", "done"),
            ("d", "done"),
        ]
        assert db.execute("SELECT image_id FROM file ORDER BY 1").fetchall() == [("c",), ("d",)]
        assert db.execute("SELECT name, image_id FROM file_name").fetchall() == [("2_b_o", "c")]
        assert db.execute("SELECT status, images FROM tally ORDER BY 1").fetchall() == [("done", 2), ("pending", 2)]
