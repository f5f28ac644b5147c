"""Where SQLite keeps its temporary files."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path


def keep_temporary_files_beside(db: sqlite3.Connection, path: Path) -> None:
    """Has SQLite put its temporary files where the database is, unless the user chose a directory for them.

    Sorting all of Open Images takes hundreds of MB, and the disk of the database is the one that has room; in a
    container the others may be read-only. A reader may be unable to write there: then SQLite uses its own default.
    """
    directory = os.path.dirname(os.path.realpath(path))
    if "SQLITE_TMPDIR" in os.environ or _temporary_directory(db) == directory:  # a change frees what threads may read
        return
    with suppress(sqlite3.OperationalError):
        db.execute(f"PRAGMA temp_store_directory = '{directory.replace(chr(39), 2 * chr(39))}'")


def _temporary_directory(db: sqlite3.Connection) -> str:
    row = db.execute("PRAGMA temp_store_directory").fetchone()
    return str(row[0]) if row else ""


def temporary_files_note(path: Path) -> str:
    """Where SQLite's temporary files are, if not beside the database."""
    with closing(sqlite3.connect(":memory:")) as db:
        directory = _temporary_directory(db)
    if directory == os.path.dirname(os.path.realpath(path)):
        return ""
    directory = directory or os.environ.get("SQLITE_TMPDIR") or os.environ.get("TMPDIR") or "/var/tmp"
    return f", there or in {directory} where SQLite keeps temporary files (SQLITE_TMPDIR)"
