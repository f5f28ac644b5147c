"""Fills annotation files into their tables: each file in one transaction, all of it or nothing, and once.

A killed load leaves the file unread, and the next one starts it over. A row's key is its file and its number there,
so another choice of images adds its own and nothing twice, and the rows of a file that was
changed since go before those that it has now come. An index is taken away while a long file comes in, and built after.
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

Part: TypeAlias = tuple[str, tuple[str, ...], Iterable[Columns]]
"""A table, some of its columns, and batches of their values."""

EVERY_IMAGE = "all"

_LISTED = "listed: "

_TABLES = ("box", "label", "relationship", "segmentation", "point", "class_hierarchy")  # whose rows know their file

OWN = "file"
"""The kind of a file that the user named: of their own, or one that they had already."""


def listed_images(subsets: Iterable[str]) -> str:
    """What `annotation_file.images` says where it is the images of a list with these subsets."""
    return _LISTED + ", ".join(subsets)


@dataclass(frozen=True, slots=True)
class AnnotationFile:
    """A file, and for which images it is to be loaded: `EVERY_IMAGE`, or a choice in words.

    `modified_at` is the time of the last change to a file that the user named, None of one that was fetched.
    """

    name: str
    kind: str
    images: str = EVERY_IMAGE
    modified_at: str | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """How many rows one load had, how many of them were new, and how many went that the file had before its change."""

    rows: int
    new: int
    gone: int


def is_loaded(db: sqlite3.Connection, file: AnnotationFile, *wider: str) -> bool:
    """Whether the file, as it is now, is loaded for the same choice of images, one of the `wider` ones, or every image.

    A published file that is asked for is loaded if the user had and named one of that name. A file of the user's own
    that was loaded whole before there was this image list is not: which subsets of it the file is of is not known.
    """
    found = db.execute(
        "SELECT images, modified_at, kind = ? AND images = ? AND loaded_at < (SELECT max(loaded_at) FROM image_list) "
        "FROM annotation_file WHERE name = ?",
        (OWN, EVERY_IMAGE, file.name),
    ).fetchone()
    if not found or file.modified_at not in (None, found[1]) or found[2]:
        return False
    return found[0] in (file.images, *wider, EVERY_IMAGE)


def own_contents(db: sqlite3.Connection) -> Mapping[str, frozenset[str]]:
    """Which of the user's own files had what: names of files by `class`, `class_hierarchy`, `box/train` and the like.

    Of those that were loaded for a list, be it a shorter one: of its subsets they had all there was.
    """
    contents: dict[str, frozenset[str]] = {}
    rows = db.execute("SELECT name, images, coalesce(contents, '') FROM annotation_file WHERE kind = ?", (OWN,))
    for path, images, text in rows:
        if images == EVERY_IMAGE or images.startswith(_LISTED):
            contents |= {each: contents.get(each, frozenset()) | {PurePath(path).name} for each in text.split(", ")}
    return contents


def load_file(
    db: sqlite3.Connection, file: AnnotationFile, parts: Iterable[Part], bad_rows: Callable[[], int]
) -> Added:
    """Adds the rows of `parts`, all of `file`, and notes that it is loaded.

    `parts` are consumed inside the transaction: if they raise, nothing is loaded. Then
    `bad_rows` is asked how many rows were left out because something is wrong with them.
    """
    rows = new = 0
    with transaction(db):
        file_id, contents, gone = _begun(db, file)
        for table, columns, batches in parts:
            if file.kind == OWN:
                batches = _noted(db, table, columns, batches, contents)
            if table == "class":
                count = added = _classes(db, columns, batches)
            else:
                count, added = add_rows(db, table, columns, batches, file_id)
            rows, new = rows + count, new + added
        db.execute(
            "UPDATE annotation_file SET rows = ?, skipped = ?, loaded_at = ?, contents = ? WHERE file_id = ?",
            (rows, bad_rows(), timestamp(), _told(contents) or None, file_id),
        )
    return Added(rows, new, gone)


def _begun(db: sqlite3.Connection, file: AnnotationFile) -> tuple[int, set[str], int]:
    """The number that the file's rows have, what it is known to have, and how many rows went if it was changed."""
    gone, contents = 0, set[str]()
    found = db.execute(
        "SELECT file_id, modified_at, contents FROM annotation_file WHERE name = ?", (file.name,)
    ).fetchone()
    if found and found[2]:
        contents = set(found[2].split(", "))
    if found and file.modified_at not in (None, found[1]):
        # Its tables are read from end to end: only those that it is known to be in, if that is known.
        known = {part.partition("/")[0] for part in contents}
        gone = sum(
            db.execute(f"DELETE FROM {table} WHERE file_id = ?", found[:1]).rowcount
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


def _told(contents: Collection[str]) -> str:
    """What a file had, in words; a table whose subsets are told of is not told of twice."""
    return ", ".join(sorted(part for part in contents if not any(each.startswith(f"{part}/") for each in contents)))


def listed(db: sqlite3.Connection, chosen: str) -> Callable[[Collection[str]], frozenset[str]]:
    """What says which of some ImageIDs are in the table `chosen`."""

    def among(image_ids: Collection[str]) -> frozenset[str]:
        rows = db.execute(
            f"SELECT value FROM json_each(?) WHERE value IN (SELECT image_id FROM {chosen})",
            (json.dumps(list(image_ids)),),
        )
        return frozenset(image_id for (image_id,) in rows)

    return among


def done_images(db: sqlite3.Connection) -> str:
    """What `annotation_file.images` says where it is the images that are done now."""
    images, last = db.execute("SELECT count(*), max(finished_at) FROM download WHERE status = 'done'").fetchone()
    return f"done: {images}" + (f", the last at {last}" if images else "")


def among_done(db: sqlite3.Connection) -> Callable[[Collection[str]], frozenset[str]]:
    """What says which of some ImageIDs are of images that are done."""

    def among(image_ids: Collection[str]) -> frozenset[str]:
        rows = db.execute(
            "SELECT e.value FROM json_each(?) AS e "
            "WHERE EXISTS (SELECT 1 FROM download AS d WHERE d.image_id = e.value AND d.status = 'done')",
            (json.dumps(list(image_ids)),),
        )
        return frozenset(image_id for (image_id,) in rows)

    return among


def _noted(
    db: sqlite3.Connection, table: str, columns: tuple[str, ...], batches: Iterable[Columns], contents: set[str]
) -> Iterator[Columns]:
    """The batches as they come; `contents` is told of the table and, for annotations, of the subsets of the images."""
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
    """Adds classes, or what these `columns` say of classes that are there; returns how many came."""
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
