"""Incoming rows of an image list, and those whose ImageID occurred before.

For each ImageID the first row counts. A later row with the same values is skipped; one with other bytes, another URL or
another subset is reported with the lines of both. Line numbers are not stored: rows are numbered in order, and a line
number is noted where it differs from the count.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from oidl.model import Image, LineBreak, SkippedRow

MAX_BAD_ROWS = 1000
"""The maximum number of skipped rows that are kept per load."""

_BATCH = 500  # small, so that the garbage collector does not scan the rows repeatedly
_AT_ONCE = 20  # rows per statement: one execution for twenty takes half the time of twenty
_ROW = f"({', '.join('?' * len(Image._fields))})"
_FIELDS = ", ".join(f"o.{name}" for name in Image._fields)
_MAX_TEXT = 2000  # characters

ARRIVING = "temp.arriving"
"""The table for rows that will be merged with those of an earlier load."""


@dataclass(slots=True)
class Repeated:
    """Rows that were dropped because of their ImageIDs: counts by subset, and the first ones with their complaints.

    `conflicts` are the complaints of the first ones that describe a different image.
    """

    by_subset: Counter[str] = field(default_factory=Counter)
    rows: list[SkippedRow] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)


def create_tables(db: sqlite3.Connection, *, is_first: bool) -> None:
    """Creates the temporary tables of a load; `drop_tables` or a rollback of the transaction removes them."""
    db.execute("CREATE TEMP TABLE line_break (at INTEGER PRIMARY KEY, list TEXT NOT NULL, line INTEGER NOT NULL)")
    if not is_first:
        db.execute(f"CREATE TABLE {ARRIVING} AS SELECT * FROM image WHERE false")


def drop_tables(db: sqlite3.Connection) -> None:
    """Removes the tables of `create_tables`."""
    for table in ("temp.line_break", ARRIVING, "temp.repeated"):
        db.execute(f"DROP TABLE IF EXISTS {table}")


def insert(db: sqlite3.Connection, table: str, images: Iterable[Image], breaks: list[LineBreak]) -> int:
    """Inserts `images` into the empty `table`; returns their number. `breaks` are emptied meanwhile."""
    rows = iter(images)
    read = 0
    while batch := list(islice(rows, _BATCH)):
        read += len(batch)
        whole = len(batch) - len(batch) % _AT_ONCE
        many = (tuple(chain.from_iterable(batch[at : at + _AT_ONCE])) for at in range(0, whole, _AT_ONCE))
        db.executemany(f"INSERT INTO {table} VALUES {', '.join([_ROW] * _AT_ONCE)}", many)
        db.executemany(f"INSERT INTO {table} VALUES {_ROW}", batch[whole:])
        if breaks:
            db.executemany("INSERT OR REPLACE INTO temp.line_break VALUES (?, ?, ?)", breaks)
            breaks.clear()
    return read


def drop_repeated(db: sqlite3.Connection, table: str) -> Repeated:
    """Drops the rows of `table` whose ImageID occurred before in it; needs an index of ImageIDs."""
    return _drop(
        db,
        table,
        f"WITH twice AS (SELECT image_id, min(rowid) AS first FROM {table} GROUP BY image_id HAVING count(*) > 1) "
        "SELECT o.rowid AS place, t.first, CASE "
        "WHEN o.original_md5 <> f.original_md5 OR o.original_size <> f.original_size THEN 'other bytes' "
        "WHEN o.original_url <> f.original_url THEN 'another OriginalURL' "
        "WHEN o.subset <> f.subset THEN 'another Subset' END AS other "
        f"FROM twice AS t CROSS JOIN {table} AS f ON f.rowid = t.first "
        f"CROSS JOIN {table} AS o ON o.image_id = t.image_id AND o.rowid > t.first",
    )


def drop_known(db: sqlite3.Connection, subsets: Sequence[str]) -> Repeated:
    """Drops the arriving rows whose ImageID belongs to an image of a subset that is not in `subsets`."""
    marks = ", ".join("?" * len(subsets))
    return _drop(
        db,
        ARRIVING,
        "SELECT o.rowid AS place, NULL AS first, 'another Subset' AS other "
        f"FROM {ARRIVING} AS o JOIN image AS i USING (image_id) WHERE i.subset NOT IN ({marks})",
        subsets,
    )


def _drop(db: sqlite3.Connection, table: str, query: str, values: Sequence[str] = ()) -> Repeated:
    db.execute("DROP TABLE IF EXISTS temp.repeated")
    db.execute(f"CREATE TEMP TABLE repeated AS {query}", values)
    join = f"FROM temp.repeated AS r CROSS JOIN {table} AS o ON o.rowid = r.place"
    repeated = Repeated(Counter(dict(db.execute(f"SELECT o.subset, count(*) {join} GROUP BY 1"))))
    # Conflicts come first: they need the user's attention.
    for place, first, other, *fields in db.execute(
        f"SELECT r.place, r.first, r.other, {_FIELDS} {join} ORDER BY r.other IS NULL, r.place LIMIT ?", (MAX_BAD_ROWS,)
    ):
        image = Image._make(fields)
        name, line = _line(db, place)
        first_line = _line(db, first)[1] if first else None
        before = f"already in line {first_line}" if first_line else "already in the database"
        complaint = f"ImageID {image.image_id} is {before}" + (f", with {other}" if other else "")
        if other:
            repeated.conflicts.append(f"{name} line {line}: {complaint}" if line else complaint)
        text = ",".join("" if value is None else str(value) for value in image)[:_MAX_TEXT]
        repeated.rows.append(SkippedRow(image.subset, name, line, complaint, text))
    db.execute(f"DELETE FROM {table} WHERE rowid IN (SELECT place FROM temp.repeated)")
    return repeated


def _line(db: sqlite3.Connection, rowid: int) -> tuple[str, int | None]:
    """The list and the line that the row came from; the first row of a load is row 1."""
    row = db.execute(
        "SELECT list, line + ? - at FROM temp.line_break WHERE at <= ? ORDER BY at DESC LIMIT 1",
        (rowid - 1, rowid - 1),
    ).fetchone()
    return (row[0], row[1]) if row else ("", None)
