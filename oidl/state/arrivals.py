"""The rows of an image list on their way in, and those of them whose ImageID came before.

Of images with one ImageID the first row counts. A later row that says the same is passed over; one that
publishes other bytes, another URL or another subset under it is reported with the lines of both. Lines
are not stored: rows are numbered as they come, and where lines and numbers part is noted.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from oidl.model import Image, LineBreak, SkippedRow

MAX_KEPT = 1000
"""How many of the skipped rows of one load are kept."""

_BATCH = 500  # few enough that the garbage collector does not look through them again and again
_AT_ONCE = 20  # rows to a statement: one execution for twenty takes half the time of twenty
_ROW = f"({', '.join('?' * len(Image._fields))})"
_FIELDS = ", ".join(f"o.{name}" for name in Image._fields)
_MAX_TEXT = 2000  # characters

ARRIVING = "temp.arriving"
"""The table for rows that are to be merged with those of an earlier load."""


@dataclass(slots=True)
class Repeated:
    """Rows that were dropped for their ImageIDs: how many of each subset, and the first ones with their complaints.

    `conflicts` are the complaints of the first that are another image.
    """

    by_subset: Counter[str] = field(default_factory=Counter)
    rows: list[SkippedRow] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)


def make_room(db: sqlite3.Connection, *, is_first: bool) -> None:
    """Makes the temporary tables of a load; `forget` removes them, and so does a transaction that is rolled back."""
    db.execute("CREATE TEMP TABLE line_break (at INTEGER PRIMARY KEY, list TEXT NOT NULL, line INTEGER NOT NULL)")
    if not is_first:
        db.execute(f"CREATE TABLE {ARRIVING} AS SELECT * FROM image WHERE false")


def forget(db: sqlite3.Connection) -> None:
    """Removes what `make_room` made."""
    for table in ("temp.line_break", ARRIVING, "temp.repeated"):
        db.execute(f"DROP TABLE IF EXISTS {table}")


def insert(db: sqlite3.Connection, table: str, images: Iterable[Image], breaks: list[LineBreak]) -> int:
    """Inserts `images` into the empty `table` and returns how many those were; `breaks` are emptied as they come."""
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
    """Drops the rows of `table` whose ImageID came before in it; there is an index of ImageIDs."""
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
    """Drops the arriving rows whose ImageID an image of another subset than `subsets` has."""
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
    found = Repeated(Counter(dict(db.execute(f"SELECT o.subset, count(*) {join} GROUP BY 1"))))
    # Conflicts come first: they are what somebody has to look at.
    for place, first, other, *fields in db.execute(
        f"SELECT r.place, r.first, r.other, {_FIELDS} {join} ORDER BY r.other IS NULL, r.place LIMIT ?", (MAX_KEPT,)
    ):
        image = Image._make(fields)
        name, line = _line(db, place)
        first_line = _line(db, first)[1] if first else None
        before = f"that of line {first_line}" if first_line else "one that is there already"
        complaint = f"ImageID {image.image_id} is {before}" + (f", with {other}" if other else "")
        if other:
            found.conflicts.append(f"{name} line {line}: {complaint}" if line else complaint)
        text = ",".join("" if value is None else str(value) for value in image)[:_MAX_TEXT]
        found.rows.append(SkippedRow(image.subset, name, line, complaint, text))
    db.execute(f"DELETE FROM {table} WHERE rowid IN (SELECT place FROM temp.repeated)")
    return found


def _line(db: sqlite3.Connection, rowid: int) -> tuple[str, int | None]:
    """The list and the line that the row came from; the first row of a load is row 1."""
    row = db.execute(
        "SELECT list, line + ? - at FROM temp.line_break WHERE at <= ? ORDER BY at DESC LIMIT 1",
        (rowid - 1, rowid - 1),
    ).fetchone()
    return (row[0], row[1]) if row else ("", None)
