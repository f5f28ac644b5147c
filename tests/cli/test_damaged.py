"""A damaged state database: every command says so in words, with exit code 6 and never a traceback."""

import gc
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import oidl as library
from oidl.errors import StateError

_COMMANDS = (
    ("status",),
    ("status", "--json"),
    ("status", "--failures"),
    ("plan",),
    ("renditions",),
    ("renditions", "remove", "original"),
    ("export-csv",),
    ("export", "--format=imagefolder", "--rendition=images-resized"),
    ("report",),
    ("verify",),
    ("verify", "--repair"),
    ("annotations", "load", "--annotations=boxes"),
    ("run",),
)


@pytest.fixture
def damaged(fine, run, root: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The database of a root with images."""
    assert run(fine, "--save-original-images", "--limit=4", "--nodownload-metadata").returncode == 0
    with closing(sqlite3.connect(root / "oidl.sqlite3")) as db:
        db.execute("PRAGMA journal_mode = DELETE")
    monkeypatch.setenv("OIDL_CATALOGUE", str(fine.catalogue))
    return (root / "oidl.sqlite3").read_bytes()


@contextmanager
def told(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        yield db


def check_all(oidl, root: Path, body: bytes, says: str = "is damaged") -> list[int]:
    """Runs every command on a root with the database `body`; none may end with a traceback."""
    codes = []
    for command in _COMMANDS:
        for suffix in ("-wal", "-shm"):
            (root / f"oidl.sqlite3{suffix}").unlink(missing_ok=True)
        (root / "oidl.sqlite3").write_bytes(body)
        gc.collect()  # what an exception still holds of the connection before
        ended = oidl(*command, f"--root-dir={root}")
        assert "Traceback" not in ended.stderr, (command, ended.stderr)
        assert ended.returncode in (0, 2, 3, 6), (command, ended.stderr)
        assert (ended.returncode == 6) == (says in ended.stderr), (command, ended.stderr)
        codes.append(ended.returncode)
    return codes


def test_text_of_the_schema_that_is_not_utf_8(damaged: bytes, oidl, root: Path) -> None:
    """SQLite quotes it in a message, which Python cannot decode."""
    body, count = re.subn(rb"(?<=bytes            INT)E(?=GER NOT NULL,\n    width)", b"\xcc", damaged)
    assert count == 1
    assert set(check_all(oidl, root, body)) == {6}
    with pytest.raises(StateError, match="is damaged: text in it is not UTF-8"):
        library.open(root)


@pytest.mark.parametrize(
    "column",
    [
        "image.title", "image.original_url", "image.subset", "download.status", "download.url", "file.path",
        "plan.value", "run.settings", "run.started_at", "rendition.mode", "image_list.source",
    ],
)  # fmt: skip
def test_text_of_a_row_that_is_not_utf_8(column: str, damaged: bytes, oidl, root: Path) -> None:
    table, name = column.split(".")
    with told(root / "oidl.sqlite3") as db:
        db.execute("PRAGMA ignore_check_constraints = 1")
        db.execute(f"UPDATE {table} SET {name} = CAST(x'e4f6fc' AS TEXT) WHERE {name} NOTNULL")
    codes = check_all(oidl, root, (root / "oidl.sqlite3").read_bytes())
    assert 6 in codes


@pytest.mark.parametrize("table", ["file", "download", "image_list", "status_count", "run", "plan", "rendition"])
def test_a_table_that_is_missing(table: str, damaged: bytes, oidl, root: Path) -> None:
    with told(root / "oidl.sqlite3") as db:
        db.execute(f"DROP TABLE {table}")
    assert 6 in check_all(oidl, root, (root / "oidl.sqlite3").read_bytes(), "is not a database of this oidl")


@pytest.mark.parametrize(
    "table", ["image_list", "file", "download", "run", "plan", "image", "status_count", "rendition"]
)
@pytest.mark.parametrize("filler", [b"\0", b"U"])
def test_a_page_that_a_disk_lost(filler: bytes, table: str, damaged: bytes, oidl, root: Path) -> None:
    with told(root / "oidl.sqlite3") as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    body = damaged[: (page - 1) * size] + filler * size + damaged[page * size :]
    codes = check_all(oidl, root, body)
    assert 6 in codes
