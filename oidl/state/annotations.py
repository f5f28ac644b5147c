"""Fills annotation files into their tables: each file in one transaction, all of it or nothing, and once.

A killed load leaves the file unread, and the next one starts it over. Rows have keys that
come out the same when a file is read again, so another choice of images adds its own
and nothing twice. An index is taken away while a long file comes in, and built after it.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, TypeAlias

from oidl.state.database import CACHE_KIB, timestamp, transaction

Columns: TypeAlias = Sequence[Sequence[Any]]
"""A batch of rows, by columns."""

Part: TypeAlias = tuple[str, tuple[str, ...], Iterable[Columns]]
"""A table, some of its columns, and batches of their values."""

EVERY_IMAGE = "all"

_LISTED = "listed: "

OWN = "file"
"""The kind of a file that the user named: of their own, or one that they had already."""


def listed_images(subsets: Iterable[str]) -> str:
    """What `annotation_file.images` says where it is the images of a list with these subsets."""
    return _LISTED + ", ".join(subsets)


_BULK_CACHE_KIB = 32 * 1024  # each of the threads that sort an index takes as much
_AT_ONCE = 40  # rows to a statement: one execution for forty takes two thirds of the time of forty
_LONG = 100_000  # rows, from which building an index anew takes less time than adding to it


@dataclass(frozen=True, slots=True)
class AnnotationFile:
    """A published file, and for which images it is to be loaded: `EVERY_IMAGE`, or a choice in words."""

    name: str
    kind: str
    images: str = EVERY_IMAGE


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """The files of the user's own that are loaded: their names, and which of them had what (`box/train`, `class`)."""

    names: frozenset[str]
    contents: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Added:
    """How many rows one load had, and how many of them were new."""

    rows: int
    new: int


def is_loaded(db: sqlite3.Connection, file: AnnotationFile, *wider: str) -> bool:
    """Whether the file is loaded for the same choice of images, for one of the `wider` ones, or for every image."""
    found = db.execute("SELECT images FROM annotation_file WHERE name = ?", (file.name,)).fetchone()
    return bool(found) and found[0] in (file.images, *wider, EVERY_IMAGE)


def own_files(db: sqlite3.Connection, images: str) -> OwnFiles:
    """The user's own files: the names of those that are loaded for `images` or every image, and what was in them.

    What was in them also of those that were loaded for a shorter list: of its subsets they had all there was.
    """
    names: set[str] = set()
    contents: dict[str, frozenset[str]] = {}
    rows = db.execute("SELECT name, images, coalesce(contents, '') FROM annotation_file WHERE kind = ?", (OWN,))
    for path, loaded_for, text in rows:
        name = PurePath(path).name
        if loaded_for in (images, EVERY_IMAGE):
            names.add(name)
        if loaded_for == EVERY_IMAGE or loaded_for.startswith(_LISTED):
            contents |= {each: contents.get(each, frozenset()) | {name} for each in text.split(", ")}
    return OwnFiles(frozenset(names), contents)


def load_file(
    db: sqlite3.Connection, file: AnnotationFile, parts: Iterable[Part], bad_rows: Callable[[], int]
) -> Added:
    """Adds the rows of `parts`, all of `file`, and notes that it is loaded.

    `parts` are consumed inside the transaction: if they raise, nothing is loaded. Then
    `bad_rows` is asked how many rows were left out because something is wrong with them.
    """
    rows = new = 0
    contents: set[str] = set()
    with _large_cache(db), transaction(db):
        for table, columns, batches in parts:
            if file.kind == OWN:
                batches = _noted(db, table, columns, batches, contents)
            count, added = _classes(db, columns, batches) if table == "class" else _add(db, table, columns, batches)
            rows, new = rows + count, new + added
        db.execute(
            "INSERT OR REPLACE INTO annotation_file VALUES (?, ?, ?, ?, ?, ?, ?)",
            (file.name, file.kind, file.images, rows, bad_rows(), timestamp(), ", ".join(sorted(contents)) or None),
        )
    return Added(rows, new)


def listed(db: sqlite3.Connection, chosen: str) -> Callable[[Collection[str]], frozenset[str]]:
    """What says which of some ImageIDs are in the table `chosen`."""

    def among(image_ids: Collection[str]) -> frozenset[str]:
        rows = db.execute(
            f"SELECT value FROM json_each(?) WHERE value IN (SELECT image_id FROM {chosen})",
            (json.dumps(list(image_ids)),),
        )
        return frozenset(image_id for (image_id,) in rows)

    return among


@contextmanager
def _large_cache(db: sqlite3.Connection) -> Iterator[None]:
    """Room to sort an index in, for the time of a load."""
    db.execute(f"PRAGMA cache_size = -{_BULK_CACHE_KIB}")
    db.execute("PRAGMA threads = 2")  # an index is sorted beside the merging of what is sorted already
    try:
        yield
    finally:
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        db.execute("PRAGMA shrink_memory")


def _noted(
    db: sqlite3.Connection, table: str, columns: tuple[str, ...], batches: Iterable[Columns], contents: set[str]
) -> Iterator[Columns]:
    """The batches as they come; `contents` is told of the table and, for annotations, of the subsets of the images."""
    if "image_id" not in columns:
        contents.add(table)
        yield from batches
        return
    image_at = columns.index("image_id")
    for batch in batches:
        subsets = db.execute(
            "SELECT DISTINCT subset FROM download WHERE image_id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(set(batch[image_at]))),),
        )
        contents.update(f"{table}/{subset}" for (subset,) in subsets)
        yield batch


def _add(db: sqlite3.Connection, table: str, columns: tuple[str, ...], batches: Iterable[Columns]) -> tuple[int, int]:
    """Adds rows, less those that are there already; returns how many came, and how many were new."""
    before, indexes = db.total_changes, _indexes(db, table)
    (is_new,) = db.execute(f"SELECT NOT EXISTS (SELECT 1 FROM {table})").fetchone()
    (earlier,) = db.execute("SELECT coalesce(sum(rows), 0) FROM annotation_file").fetchone()
    is_indexed = True
    width, rows = len(columns), 0
    insert = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES "
    one = f"({', '.join('?' * width)})"
    for batch in batches:
        if is_indexed and (is_new or rows >= max(_LONG, earlier // 4)):
            for name in indexes:
                db.execute(f"DROP INDEX {name}")
            is_indexed = False
        count = len(batch[0])
        values = [None] * (width * count)  # row after row: put there by columns, in a third of the time of zip()
        for place, column in enumerate(batch):
            values[place::width] = column
        end = width * (count - count % _AT_ONCE)
        db.executemany(insert + ", ".join([one] * _AT_ONCE), _slices(values[:end], width * _AT_ONCE))
        db.executemany(insert + one, _slices(values[end:], width))
        rows += count
    new = db.total_changes - before
    if not is_indexed:
        for definition in indexes.values():
            db.execute(definition)
    return rows, new


def _slices(values: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def _indexes(db: sqlite3.Connection, table: str) -> dict[str, str]:
    """The indexes of a table, less that of its key, and what makes each."""
    return dict(
        db.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql NOTNULL", (table,)
        )
    )


def _classes(db: sqlite3.Connection, columns: tuple[str, ...], batches: Iterable[Columns]) -> tuple[int, int]:
    """Adds classes, or what these `columns` say of classes that are there; returns how many came, twice."""
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
    return rows, rows
