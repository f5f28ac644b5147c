"""The renditions of a root, and the removal of one: its rows first, a page at a time.

The path of a file whose row is removed is kept until the file is deleted, so an interrupted removal resumes where it
stopped, and never touches a file that was not recorded.
"""

import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

from oidl.model import Status
from oidl.state.connection import transaction
from oidl.state.plan import Value, write_plan
from oidl.state.plan_counts import forget_plan_counts, read_plan_counts
from oidl.state.renditions import recipe_words
from oidl.state.times import timestamp


class StoredRendition(NamedTuple):
    """A rendition of the root: its recipe as text, its directory, and the number of files and bytes."""

    name: str
    recipe: str
    directory: str
    files: int
    bytes: int


class RemovedFile(NamedTuple):
    """A file that will be deleted; `path` is its former `file.path`."""

    image_id: str
    rendition: str
    path: str


def stored_renditions(db: sqlite3.Connection) -> list[StoredRendition]:
    """Every rendition that a run has requested, by name."""
    rows = db.execute("SELECT name, directory, files, bytes FROM rendition ORDER BY name").fetchall()
    return [
        StoredRendition(name, recipe_words(db, name), directory, files, size) for name, directory, files, size in rows
    ]


def known_directory(db: sqlite3.Connection, name: str) -> str | None:
    """The directory of the rendition `name`, even if its removal was interrupted; None if there is none."""
    for table in ("rendition", "removed_rendition"):
        row = db.execute(f"SELECT directory FROM {table} WHERE name = ?", (name,)).fetchone()
        if row:
            return str(row[0])
    return None


def begin_removal(db: sqlite3.Connection, name: str, directory: str, plan: Mapping[str, Value] | None) -> None:
    """Records that images do not need the rendition `name`; `plan` replaces that of the root, None keeps it."""
    with transaction(db):
        db.execute("INSERT OR REPLACE INTO removed_rendition VALUES (?, ?, ?)", (name, directory, timestamp()))
        if plan is not None:
            write_plan(db, plan)
        # Some images may have been pending only for this rendition; the counts do not show which.
        counts = read_plan_counts(db)
        if counts and counts.by_status[Status.PENDING]:
            forget_plan_counts(db)


def remove_rows(db: sqlite3.Connection, name: str, limit: int) -> int:
    """Removes up to `limit` rows of the rendition's files, and keeps their paths; returns their total bytes."""
    with transaction(db):
        rows = db.execute(
            "SELECT image_id, path, bytes FROM file WHERE rendition = ? LIMIT ?", (name, limit)
        ).fetchall()
        db.executemany(
            "INSERT OR IGNORE INTO removed_file VALUES (?, ?, ?)",
            ((image_id, name, path) for image_id, path, _ in rows),
        )
        db.executemany(
            "DELETE FROM file WHERE image_id = ? AND rendition = ?", ((image_id, name) for image_id, _, _ in rows)
        )
    return sum(size for *_, size in rows)


def files_to_remove(db: sqlite3.Connection, name: str, limit: int) -> list[RemovedFile]:
    """Up to `limit` files of the rendition to delete, without those that a later run made again."""
    with transaction(db):
        db.execute(
            "DELETE FROM removed_file WHERE rendition = ? AND EXISTS (SELECT 1 FROM file AS f "
            "WHERE f.image_id = removed_file.image_id AND f.rendition = removed_file.rendition)",
            (name,),
        )
    rows = db.execute(
        "SELECT image_id, rendition, path FROM removed_file WHERE rendition = ? AND image_id <> '' LIMIT ?",
        (name, limit),
    )
    return [RemovedFile._make(row) for row in rows]


def files_are_gone(db: sqlite3.Connection, files: list[RemovedFile]) -> None:
    """Removes the paths of `files`, which are deleted."""
    with transaction(db):
        db.executemany("DELETE FROM removed_file WHERE image_id = ? AND rendition = ? AND path = ?", files)


def end_removal(db: sqlite3.Connection, name: str) -> None:
    """Removes the rendition, which has no more files."""
    with transaction(db):
        db.execute("DELETE FROM rendition WHERE name = ? AND files = 0", (name,))
