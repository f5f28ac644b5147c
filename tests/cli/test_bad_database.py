"""Bad state databases: in use, newer, damaged, or made by another program or for another list."""

import os
from pathlib import Path

import pytest
from refusals import HEADER, assert_one_clear_line

from oidl.state.lock import writer_lock


def test_a_database_that_another_run_holds(refused, root: Path) -> None:
    root.mkdir()
    with writer_lock(root / "oidl.sqlite3"):
        said = refused(6, names=f"the state database {root}/oidl.sqlite3 is in use by process {os.getpid()} on ")
    assert "wait for it to end" in said


def test_a_database_that_is_newer(run, fine, refused, tell) -> None:
    assert run(fine, "--limit=0").returncode == 0
    tell("PRAGMA user_version = 999")
    refused(6, names="was made by a newer oidl: schema 999")


def test_a_database_of_another_dataset_version(run, fine, refused, ask) -> None:
    assert run(fine, "--limit=0").returncode == 0
    fine.catalogue.write_text(fine.catalogue.read_text().replace("version.3", "version.2"))
    before = ask("SELECT count(*) FROM run")
    refused(6, "--dataset-version=2", names="this state database holds version 3 from ")
    assert ask("SELECT count(*) FROM run") == before


def test_a_database_of_another_image_list(run, fine, refused, list_of) -> None:
    assert run(fine, "--limit=0").returncode == 0
    refused(6, "--images-csv", list_of(HEADER), names="this state database holds version 3 from ")


@pytest.mark.parametrize(
    "content", [b"this is not a database, and never was one. " * 99, b"SQLite format 3\0 but no more"]
)
def test_a_database_that_is_none(content: bytes, refused, root: Path, oidl) -> None:
    root.mkdir()
    (root / "oidl.sqlite3").write_bytes(content)
    refused(6, names=f"{root}/oidl.sqlite3")
    assert (root / "oidl.sqlite3").read_bytes() == content
    ended = oidl("status", "--root-dir", root)
    assert ended.returncode == 6
    assert_one_clear_line(ended.stderr)


def test_a_database_of_another_program(refused, root: Path, tell) -> None:
    root.mkdir()
    tell("CREATE TABLE mine (a)")
    refused(6, names=f"{root}/oidl.sqlite3 is not a state database of oidl")


def test_a_damaged_database(run, fine, refused, root: Path, ask) -> None:
    assert run(fine, "--save-original-images").returncode == 0
    ask("SELECT 1")
    for path in root.glob("oidl.sqlite3-*"):
        path.unlink()
    body = bytearray((root / "oidl.sqlite3").read_bytes())
    body[4096:] = b"\xa5" * (len(body) - 4096)
    (root / "oidl.sqlite3").write_bytes(body)
    refused(6, "--resized-images-subdirectory=small", names=f"the state database {root}/oidl.sqlite3 is damaged")
