"""Loads annotation files into their tables: each file once, in one transaction, completely or not at all.

A killed load leaves the file unread, and the next one starts it again. The key of a row is its file and its number
there, so another selection of images adds only its own rows. If a file has changed, its previous rows are removed
before the new ones are added. The indexes are dropped while a long file is loaded, and built afterwards.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import TypeAlias

from oidl.state.bulk_insert import Columns, add_rows
from oidl.state.connection import transaction
from oidl.state.times import timestamp

TableRows: TypeAlias = tuple[str, tuple[str, ...], Iterable[Columns]]
"""A table, some of its columns, and batches of their values."""

EVERY_IMAGE = "all"

_LISTED = "listed: "

_TABLES = ("box", "label", "relationship", "segmentation", "point", "class_hierarchy")  # whose rows know their file

OWN = "file"
"""The kind of a file that the user gave: their own, or a copy of a published one."""


def listed_images(subsets: Iterable[str]) -> str:
    """The text of `annotation_file.images` for the images of a list with these subsets."""
    return _LISTED + ", ".join(subsets)


@dataclass(frozen=True, slots=True)
class AnnotationFile:
    """A file, and the images to load it for: `EVERY_IMAGE`, or a selection as text.

    `modified_at` is the time of the last change of a file that the user gave, None for a fetched one.
    """

    name: str
    kind: str
    images: str = EVERY_IMAGE
    modified_at: str | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """The number of rows of one load, of new ones among them, and of removed rows that the file had before a change."""

    rows: int
    new: int
    gone: int


def is_loaded(db: sqlite3.Connection, file: AnnotationFile, *wider: str) -> bool:
    """Whether the current file is loaded for the same selection of images, a `wider` one, or every image.

    A published file counts as loaded if the user gave a file with that name. The user's own file that was loaded
    completely before the current image list does not count: its subsets in that list are unknown.
    """
    row = db.execute(
        "SELECT images, modified_at, kind = ? AND images = ? AND loaded_at < (SELECT max(loaded_at) FROM image_list) "
        "FROM annotation_file WHERE name = ?",
        (OWN, EVERY_IMAGE, file.name),
    ).fetchone()
    if not row or file.modified_at not in (None, row[1]) or row[2]:
        return False
    return row[0] in (file.images, *wider, EVERY_IMAGE)


def own_contents(db: sqlite3.Connection) -> Mapping[str, frozenset[str]]:
    """The names of the user's own files by their contents: `class`, `class_hierarchy`, `box/train` and so on.

    Only files that were loaded for a whole list, even a shorter one: all their rows for its subsets are loaded.
    """
    contents: dict[str, frozenset[str]] = {}
    rows = db.execute("SELECT name, images, coalesce(contents, '') FROM annotation_file WHERE kind = ?", (OWN,))
    for path, images, text in rows:
        if images == EVERY_IMAGE or images.startswith(_LISTED):
            contents |= {each: contents.get(each, frozenset()) | {PurePath(path).name} for each in text.split(", ")}
    return contents


def load_file(
    db: sqlite3.Connection, file: AnnotationFile, parts: Iterable[TableRows], bad_rows: Callable[[], int]
) -> Added:
    """Adds the rows of `parts`, the contents of `file`, and records that it is loaded.

    `parts` are consumed inside the transaction: if they raise, nothing is loaded.
    `bad_rows` then returns the number of bad rows that were left out.
    """
    rows = new = 0
    with transaction(db):
        file_id, contents, gone = _start_file(db, file)
        for table, columns, batches in parts:
            if file.kind == OWN:
                batches = _record_contents(db, table, columns, batches, contents)
            if table == "class":
                count = added = _classes(db, columns, batches)
            else:
                count, added = add_rows(db, table, columns, batches, file_id)
            rows, new = rows + count, new + added
        db.execute(
            "UPDATE annotation_file SET rows = ?, skipped = ?, loaded_at = ?, contents = ? WHERE file_id = ?",
            (rows, bad_rows(), timestamp(), _contents_text(contents) or None, file_id),
        )
    return Added(rows, new, gone)


def _start_file(db: sqlite3.Connection, file: AnnotationFile) -> tuple[int, set[str], int]:
    """The `file_id`, the known contents of the file, and the number of removed rows if the file has changed."""
    gone, contents = 0, set[str]()
    row = db.execute(
        "SELECT file_id, modified_at, contents FROM annotation_file WHERE name = ?", (file.name,)
    ).fetchone()
    if row and row[2]:
        contents = set(row[2].split(", "))
    if row and file.modified_at not in (None, row[1]):
        # This scans whole tables, so only those that have rows of the file, if that is known.
        known = {part.partition("/")[0] for part in contents}
        gone = sum(
            db.execute(f"DELETE FROM {table} WHERE file_id = ?", row[:1]).rowcount
            for table in _TABLES
            if not known or table in known
        )
        contents.clear()
    (file_id,) = db.execute(
        """
        INSERT INTO annotation_file (name, kind, images, modified_at, rows, skipped, loaded_at)
        VALUES (?, ?, ?, ?, 0, 0, '')
        ON CONFLICT (name)
        DO UPDATE SET kind = excluded.kind, images = excluded.images,
                      modified_at = coalesce(excluded.modified_at, modified_at)
        RETURNING file_id
        """,
        (file.name, file.kind, file.images, file.modified_at),
    ).fetchone()
    return file_id, contents, gone


def _contents_text(contents: Collection[str]) -> str:
    """The contents of a file as text; a table is listed once, with its subsets if they are known."""
    return ", ".join(sorted(part for part in contents if not any(each.startswith(f"{part}/") for each in contents)))


def among_rows_of(db: sqlite3.Connection, table: str) -> Callable[[Collection[str]], frozenset[str]]:
    """A function that returns which of some ImageIDs are in the table `table`."""

    def among(image_ids: Collection[str]) -> frozenset[str]:
        rows = db.execute(
            f"SELECT value FROM json_each(?) WHERE value IN (SELECT image_id FROM {table})",
            (json.dumps(list(image_ids)),),
        )
        return frozenset(image_id for (image_id,) in rows)

    return among


def done_images(db: sqlite3.Connection) -> str:
    """The text of `annotation_file.images` for the images that are done now."""
    images, last = db.execute("SELECT count(*), max(finished_at) FROM download WHERE status = 'done'").fetchone()
    return f"done: {images}" + (f", the last at {last}" if images else "")


def among_done(db: sqlite3.Connection) -> Callable[[Collection[str]], frozenset[str]]:
    """A function that returns which of some ImageIDs belong to images that are done."""

    def among(image_ids: Collection[str]) -> frozenset[str]:
        rows = db.execute(
            "SELECT e.value FROM json_each(?) AS e "
            "WHERE EXISTS (SELECT 1 FROM download AS d WHERE d.image_id = e.value AND d.status = 'done')",
            (json.dumps(list(image_ids)),),
        )
        return frozenset(image_id for (image_id,) in rows)

    return among


def _record_contents(
    db: sqlite3.Connection, table: str, columns: tuple[str, ...], batches: Iterable[Columns], contents: set[str]
) -> Iterator[Columns]:
    """Passes the batches on; adds the table and, for annotations, the subsets of the images to `contents`."""
    contents.add(table)
    if "image_id" not in columns:
        yield from batches
        return
    image_at = columns.index("image_id")
    most = {f"{table}/{subset}" for (subset,) in db.execute("SELECT subset FROM image_list WHERE images > 0")}
    for batch in batches:
        if not most <= contents:
            subsets = db.execute(
                "SELECT DISTINCT subset FROM download WHERE image_id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(set(batch[image_at]))),),
            )
            contents.update(f"{table}/{subset}" for (subset,) in subsets)
        yield batch


def _classes(db: sqlite3.Connection, columns: tuple[str, ...], batches: Iterable[Columns]) -> int:
    """Adds classes, or the values of `columns` to existing classes; returns the number of rows."""
    facts = columns[1:]  # the first is the key
    learn = ", ".join(f"{fact} = coalesce(excluded.{fact}, {fact})" for fact in facts) or "label_name = label_name"
    insert = (
        f"INSERT INTO class ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) "
        f"ON CONFLICT DO UPDATE SET {learn}"
    )
    rows = 0
    for batch in batches:
        db.executemany(insert, zip(*batch, strict=True))
        rows += len(batch[0])
    return rows
