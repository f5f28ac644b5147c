"""The directory of SQLite's temporary files."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path


def keep_temporary_files_beside(db: sqlite3.Connection, path: Path) -> None:
    """Makes SQLite put its temporary files next to the database, unless the user chose a directory for them.

    Sorting all of Open Images takes hundreds of MB, and the disk of the database has space for them; in a container the
    other disks may be read-only. If a reader cannot write there, SQLite uses its own default.
    """
    directory = os.path.dirname(os.path.realpath(path))
    if "SQLITE_TMPDIR" in os.environ or _temporary_directory(db) == directory:  # other threads may read it
        return
    with suppress(sqlite3.OperationalError):
        db.execute(f"PRAGMA temp_store_directory = '{directory.replace(chr(39), 2 * chr(39))}'")


def _temporary_directory(db: sqlite3.Connection) -> str:
    row = db.execute("PRAGMA temp_store_directory").fetchone()
    return str(row[0]) if row else ""


def temporary_files_note(path: Path) -> str:
    """A note with the directory of SQLite's temporary files, if they are not next to the database."""
    with closing(sqlite3.connect(":memory:")) as db:
        directory = _temporary_directory(db)
    if directory == os.path.dirname(os.path.realpath(path)):
        return ""
    directory = directory or os.environ.get("SQLITE_TMPDIR") or os.environ.get("TMPDIR") or "/var/tmp"
    return f", there or in {directory} where SQLite keeps temporary files (SQLITE_TMPDIR)"
