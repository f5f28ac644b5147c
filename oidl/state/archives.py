"""The metadata files that were fetched and verified, so that they are not fetched again."""

import sqlite3

from oidl.state.times import timestamp


def has_archive(db: sqlite3.Connection, name: str) -> bool:
    """Whether the metadata file `name` was fetched, verified and installed before."""
    return db.execute("SELECT 1 FROM archive WHERE name = ?", (name,)).fetchone() is not None


def archive_content(db: sqlite3.Connection, name: str) -> tuple[int, str] | None:
    """The length in bytes and the MD5 (lower-case hex) of the metadata file `name`; None if it was not fetched."""
    row = db.execute("SELECT bytes, md5 FROM archive WHERE name = ?", (name,)).fetchone()
    return (row[0], row[1]) if row else None


def record_archive(
    db: sqlite3.Connection, name: str, url: str, size_bytes: int, md5: str, checked_by: str = ""
) -> None:
    """Records a metadata file as fetched, verified (by `checked_by`) and installed."""
    db.execute(
        "INSERT OR REPLACE INTO archive (name, url, bytes, md5, finished_at, checked_by) VALUES (?, ?, ?, ?, ?, ?)",
        (name, url, size_bytes, md5, timestamp(), checked_by or None),
    )
