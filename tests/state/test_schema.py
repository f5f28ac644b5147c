"""The schema: migration files never change, and a database with another schema is refused in one line."""

import hashlib
import sqlite3
from pathlib import Path

import pytest

from oidl.errors import ExitCode, LoadInProgressError, StateError
from oidl.state import schema
from oidl.state.database import connect_reader, connect_writer, remove_unused
from oidl.state.schema import migrations

# The beginning of each file's SHA-256. A file that is on the main branch is never edited: write another one.
_CHECKSUMS = {
    "0001_images.sql": "eab7f7a4a5e2c1b5",
    "0002_annotations.sql": "9a3a04f4da349162",
    "0003_shards.sql": "a679b51130e5161c",
    "0004_uploads.sql": "733f99805e78189d",
    "0005_licenses.sql": "fa1179d48279c97e",
    "0006_scaling.sql": "e5d3078e587fd0e0",
    "0007_explorer.sql": "e9b2b5c446110b2f",
    "0008_nodes.sql": "3f87c338d152ef9f",
    "0009_sample_checksum.sql": "3ea85893bd22ba05",
}


def test_each_migration_has_its_checksum_here() -> None:
    assert {file.name for file in migrations()} == set(_CHECKSUMS)


@pytest.mark.parametrize("name", _CHECKSUMS)
def test_no_migration_was_edited(name: str) -> None:
    file = next(file for file in migrations() if file.name == name)
    assert hashlib.sha256(file.read_bytes()).hexdigest()[:16] == _CHECKSUMS[name]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("DROP TABLE attempt", "table attempt"),
        ("ALTER TABLE download DROP COLUMN detail", "table download"),
        ("DROP VIEW success; CREATE VIEW success AS SELECT 1", "view success"),
        ("DROP TRIGGER download_changes", "trigger download_changes"),
    ],
)
def test_a_database_of_another_schema_is_refused(change: str, name: str, state_db: Path) -> None:
    db = connect_writer(state_db)
    db.executescript("DROP VIEW IF EXISTS failure; DROP VIEW IF EXISTS progress;" if "DROP COLUMN" in change else "")
    db.executescript(change)
    db.close()
    with pytest.raises(StateError, match="not a database of this oidl") as raised:
        connect_writer(state_db)
    assert raised.value.exit_code == ExitCode.STATE


def test_what_users_add_to_the_schema_is_theirs(state_db: Path) -> None:
    db = connect_writer(state_db)
    db.executescript(
        "CREATE TABLE mine (a); CREATE INDEX more ON download (url); ALTER TABLE image ADD COLUMN note TEXT;"
    )
    db.close()
    connect_writer(state_db).close()


def test_a_database_that_was_created_and_has_nothing_in_it_is_not_called_old(state_db: Path) -> None:
    state_db.touch()
    with pytest.raises(LoadInProgressError, match="still empty"):
        connect_reader(state_db)
    with sqlite3.connect(state_db) as db:
        db.execute("PRAGMA journal_mode = WAL")
    db.close()
    with pytest.raises(LoadInProgressError, match="still empty"):
        connect_reader(state_db)


def test_a_database_whose_first_start_was_cut_off_is_empty_and_can_be_removed_or_completed(
    state_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = migrations()[:1]
    for go_on in (remove_unused, lambda path: connect_writer(path).close()):
        with monkeypatch.context() as patch:
            patch.setattr(schema, "migrations", lambda: files)
            connect_writer(state_db).close()
        with pytest.raises(LoadInProgressError, match="still empty"):
            connect_reader(state_db)
        go_on(state_db)
        assert state_db.exists() == (go_on is not remove_unused)
    connect_reader(state_db).close()


def test_what_an_upgrade_removes_is_said(state_db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = connect_writer(state_db)
    assert db.remarks == ()
    db.executescript("CREATE TABLE mine (a); INSERT INTO mine VALUES (1), (2), (3);")
    db.close()
    more = tmp_path / "9999_more.sql"
    more.write_text("DELETE FROM mine WHERE a < 3;")
    monkeypatch.setattr(schema, "migrations", lambda: [*migrations(), more])
    db = connect_writer(state_db)
    assert db.remarks == ("the upgrade removed 2 rows of mine; load the file again",)
    db.close()
