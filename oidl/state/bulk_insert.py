"""Adds many rows to a table: forty per statement, each row once.

The indexes of the table are dropped while a long file is loaded, and rebuilt afterwards, because that is faster.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from oidl.state.database import CACHE_KIB

Columns: TypeAlias = Sequence[Sequence[Any]]
"""A batch of rows, as columns."""

_ROWS_CACHE_KIB = 32 * 1024  # adding unordered rows takes a fifth longer with the default cache
_SORT_CACHE_KIB = 2 * 1024  # a sorted run should stay in the processor's cache
_AT_ONCE = 40  # rows per statement: one execution for forty takes two thirds of the time of forty
_LONG = 100_000  # rows; from here on rebuilding an index is faster than adding to it


def add_rows(
    db: sqlite3.Connection, table: str, columns: tuple[str, ...], batches: Iterable[Columns], file_id: int
) -> tuple[int, int]:
    """Adds the rows of a file that the table does not have yet; returns the number of all rows and of new ones."""
    before, indexes = db.total_changes, _indexes(db, table)
    (is_new,) = db.execute(f"SELECT NOT EXISTS (SELECT 1 FROM {table})").fetchone()
    (earlier,) = db.execute("SELECT coalesce(sum(rows), 0) FROM annotation_file").fetchone()
    is_indexed = True
    rows = 0
    with _cache(db, _ROWS_CACHE_KIB):
        for batch in batches:
            if is_indexed and (is_new or rows >= max(_LONG, earlier // 4)):
                for name in indexes:
                    db.execute(f"DROP INDEX {_quoted(name)}")
                is_indexed = False
            _insert(db, table, columns, batch, file_id)
            rows += len(batch[0])
    new = db.total_changes - before
    if not is_indexed:
        _build_indexes(db, indexes.values())
    return rows, new


def _insert(db: sqlite3.Connection, table: str, columns: tuple[str, ...], batch: Columns, file_id: int) -> None:
    """Adds the rows of a batch that the table does not have yet.

    A value that all rows share, often a source or a flag, is bound once per statement, because each bound value
    takes time. The last column is never shared, so that its length gives the number of rows.
    """
    count = len(batch[0])
    alike = [at for at, column in enumerate(batch[:-1]) if column[0] == column[-1] and column.count(column[0]) == count]
    others = [at for at in range(len(batch)) if at not in alike]
    insert = f"INSERT OR IGNORE INTO {table} (file_id, {', '.join(columns[at] for at in alike + others)}) VALUES "
    # A plain "?" is the parameter after the highest so far, so those with numbers come first.
    row = f"({', '.join([str(file_id), *(f'?{at + 1}' for at in range(len(alike))), *'?' * len(others)])})"
    shared = [batch[at][0] for at in alike]
    width = len(others)
    values = [None] * (width * count)  # row after row; filled by columns, in a third of the time of zip()
    for place, at in enumerate(others):
        values[place::width] = batch[at]
    end = width * (count - count % _AT_ONCE)
    for rows, start, stop in ((_AT_ONCE, 0, end), (1, end, len(values))):
        size = width * rows
        db.executemany(
            insert + ", ".join([row] * rows),
            (shared + values[first : first + size] for first in range(start, stop, size)),
        )


def _build_indexes(db: sqlite3.Connection, definitions: Iterable[str]) -> None:
    """Builds indexes from the statements that define them."""
    db.execute("PRAGMA threads = 2")  # merges one part while it sorts the next
    try:
        with _cache(db, _SORT_CACHE_KIB):
            for definition in definitions:
                db.execute(definition)
    finally:
        db.execute("PRAGMA threads = 0")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _indexes(db: sqlite3.Connection, table: str) -> dict[str, str]:
    """The indexes of a table, except that of its key, each with the statement that defines it."""
    return dict(
        db.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql NOTNULL", (table,)
        )
    )


@contextmanager
def _cache(db: sqlite3.Connection, kib: int) -> Iterator[None]:
    """Changes the size of the cache inside the block."""
    db.execute(f"PRAGMA cache_size = -{kib}")
    try:
        yield
    finally:
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        db.execute("PRAGMA shrink_memory")
