"""The selected images, by ImageID, class, attribute or SQL, as a temporary table of the connection.

`temp.selected` has them in the order of the feed, which walks along its key, with the size of the original if the
selection read it, otherwise NULL. `temp.candidate` has the requested classes that each image shows. If images are
counted by class, `temp.member` has the images of each class in the order of `temp.selected`. One statement fills each
table, in the temporary file of SQLite: nothing is in memory or in the state database.
"""

import hashlib
import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

from oidl.errors import UsageError
from oidl.settings import Selection
from oidl.state.annotation_filters import ANNOTATION_TABLES, row_conditions, row_parameters
from oidl.state.classes import classes_below, requested_classes
from oidl.state.connection import StateConnection, transaction
from oidl.state.licenses import license_condition

_TABLES = """
    CREATE TEMP TABLE given_id (image_id TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TEMP TABLE requested_class (label_name TEXT NOT NULL, class TEXT NOT NULL, PRIMARY KEY (label_name, class))
        STRICT, WITHOUT ROWID;
    CREATE TEMP TABLE candidate (class TEXT NOT NULL, image_id TEXT NOT NULL, PRIMARY KEY (class, image_id))
        STRICT, WITHOUT ROWID;
    CREATE TEMP TABLE selected (place INTEGER PRIMARY KEY, image_id TEXT NOT NULL UNIQUE, original_size INTEGER) STRICT;
"""
_MEMBERS = """
    CREATE TEMP TABLE member (
        class TEXT NOT NULL, place INTEGER NOT NULL, image_id TEXT NOT NULL, PRIMARY KEY (class, place)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO member SELECT d.class, c.place, d.image_id FROM candidate AS d JOIN selected AS c USING (image_id);
    CREATE INDEX member_by_image ON member (image_id);
"""

# The table of `--where`: a published image, with the size of the downloaded image (NULL before). SQLite omits the join
# if its columns are not used.
_IMAGE = (
    "(SELECT i.rowid AS rowid, i.*, d.width, d.height FROM image AS i "
    "LEFT JOIN download AS d ON d.image_id = i.image_id) AS image"
)
_READABLE = ("image", "download")
_READING = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)


@dataclass(frozen=True, slots=True)
class SelectedImages:
    """The number of images in `temp.selected`, and of given ImageIDs that are in no list, with a few of these.

    With `is_by_class`, `temp.member` has the images of each class. If no image was selected, `below` has the subclasses
    that `--include-subclasses` would add.
    """

    images: int
    unknown: int = 0
    examples: tuple[str, ...] = ()
    is_by_class: bool = False
    below: tuple[str, ...] = ()

    @property
    def remark(self) -> str:
        """A message about unknown ImageIDs and ignored subclasses; empty if there are none."""
        remarks = []
        if self.unknown:
            named = _some(self.examples, self.unknown)
            remarks.append(f"{self.unknown:,} of the given ImageIDs are not in the list: {named}")
        if self.below:
            named = _some(self.below[:4], len(self.below))
            remarks.append(f"no image was selected; add --include-subclasses to include the subclasses: {named}")
        return "; ".join(remarks)


def select_images(
    db: StateConnection, selection: Selection, image_ids: Iterable[str] | None = None
) -> SelectedImages | None:
    """Fills `temp.selected` on `db`, once per connection; None if `selection` has only subsets and a limit.

    `image_ids` are the given ones, None for no such list. A limit removes nothing, because it depends on which images
    succeed. Raises `UsageError` for an unknown class and for SQL that cannot be run.
    """
    if image_ids is None and not selection.has_criteria:
        return None
    check_where(db, selection.where)
    db.executescript(_TABLES)
    values = {
        "subsets": json.dumps(selection.subsets),
        **row_parameters(selection),
    }
    unknown = SelectedImages(0)
    if image_ids is not None:
        with transaction(db):
            db.executemany("INSERT OR IGNORE INTO given_id VALUES (?)", ((image_id,) for image_id in image_ids))
        unknown = _unknown(db)
    key, size = "image_id", "NULL"
    if selection.shuffle:
        add_shuffle_key(db, selection.seed)
        key = "shuffle_key(image_id)"
    with _translating_where_errors(selection):
        if selection.label_types:
            names = requested_classes(db, selection.classes, include_subclasses=selection.include_subclasses)
            db.executemany("INSERT OR IGNORE INTO requested_class VALUES (?, ?)", names)
            for statement in _candidates(selection, is_named=image_ids is not None):
                db.execute(statement, values)
            images = "SELECT DISTINCT image_id FROM candidate"
        else:
            images, size = _images(selection, is_named=image_ids is not None)
        db.execute(
            f"INSERT INTO selected (image_id, original_size) SELECT image_id, {size} FROM ({images}) ORDER BY {key}",
            values,
        )
    if selection.limit_per_class is not None:
        db.executescript(_MEMBERS)
    selected = _counted(db, replace(unknown, is_by_class=selection.limit_per_class is not None))
    if selected.images or not selection.classes or selection.include_subclasses:
        return selected
    return replace(selected, below=classes_below(db))


def keep_per_class(db: sqlite3.Connection, selected: SelectedImages, limit: int) -> SelectedImages:
    """Reduces each class to its images up to the one that completed `limit`: what a run with that limit selected."""
    db.execute(
        "DELETE FROM selected WHERE image_id NOT IN (SELECT image_id FROM ("
        "SELECT m.image_id, sum(d.status = 'done') OVER (PARTITION BY m.class ORDER BY m.place "
        "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS done_before "
        "FROM member AS m CROSS JOIN download AS d ON d.image_id = m.image_id"
        ") WHERE coalesce(done_before, 0) < ?)",
        (limit,),
    )
    return _counted(db, selected)


def _counted(db: sqlite3.Connection, selected: SelectedImages) -> SelectedImages:
    (images,) = db.execute("SELECT count(*) FROM selected").fetchone()
    return replace(selected, images=images)


def _some(names: Sequence[str], total: int) -> str:
    return ", ".join(names) + (", …" if total > len(names) else "")


def drop_selection(db: sqlite3.Connection) -> None:
    """Removes the selection on `db`, so that another one can be made."""
    for table in ("given_id", "requested_class", "candidate", "selected", "member"):
        db.execute(f"DROP TABLE IF EXISTS temp.{table}")


def describe(db: sqlite3.Connection, selection: Selection) -> str:
    """`selection` as text, with a checksum of the images that it selected on `db`: later it may select others."""
    selected = {
        name: value
        for name, value in asdict(selection).items()
        if value and name not in ("limit", "limit_per_class", "image_ids")
    }
    images = hashlib.md5(usedforsecurity=False)
    for image_id in selected_ids(db):
        images.update(image_id.encode())
    return "chosen: " + json.dumps(selected | {"images": images.hexdigest()}, sort_keys=True)


def check_where(db: StateConnection, where: str | None) -> None:
    """Raises `UsageError` if `where` is not an SQL expression over `image`, or if it does more than read."""
    if where is None:
        return

    def allow(action: int, first: str | None, second: str | None, *_: object) -> int:
        is_fine = action in _READING or (action == sqlite3.SQLITE_READ and first in _READABLE)
        return sqlite3.SQLITE_OK if is_fine and second != "load_extension" else sqlite3.SQLITE_DENY

    db.set_authorizer(allow)
    try:
        db.execute(f"SELECT 1 FROM {_IMAGE} WHERE ({where}\n) LIMIT 0")
        # In parentheses it could close them and open others; if it is valid here too, it is a single expression.
        db.execute(f"SELECT CASE WHEN {where}\n THEN 1 END FROM {_IMAGE} LIMIT 0")
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise _bad_where(where, error) from error
    finally:
        db.set_authorizer(None)


def selected_ids(db: sqlite3.Connection) -> Iterator[str]:
    """The ImageIDs in `temp.selected`."""
    for (image_id,) in db.execute("SELECT image_id FROM temp.selected"):
        yield image_id


def _unknown(db: sqlite3.Connection) -> SelectedImages:
    absent = "FROM given_id AS n WHERE n.image_id NOT IN (SELECT d.image_id FROM download AS d)"
    (count,) = db.execute(f"SELECT count(*) {absent}").fetchone()
    return SelectedImages(
        0, count, tuple(image_id for (image_id,) in db.execute(f"SELECT n.image_id {absent} LIMIT 5"))
    )


def _images(selection: Selection, *, is_named: bool) -> tuple[str, str]:
    """The images of a selection without annotations, and the column with their size, or NULL."""
    source, size, conditions = "image_id FROM download", "NULL", ["true"]
    if selection.where is not None and not is_named:
        # Along the list, because most of it may match: the plus keeps SQLite from looking up each row in key order.
        source, size = f"+image_id AS image_id, original_size FROM {_IMAGE}", "original_size"
        conditions = [f"({selection.where}\n)"]
    if selection.subsets:
        conditions.append("subset IN (SELECT value FROM json_each(:subsets))")
    if selection.license and not is_named:
        conditions.append(license_condition(selection.license, "image_id"))
    if not is_named:
        return f"SELECT {source} WHERE {' AND '.join(conditions)}", size
    conditions = _allowed(selection, "x.image_id", is_named=False)
    return f"SELECT x.image_id FROM given_id AS x WHERE {' AND '.join(conditions)}", size


def _candidates(selection: Selection, *, is_named: bool) -> Iterator[str]:
    """One statement per column of each annotation table that may show a requested class."""
    for label_type in selection.label_types:
        evidence = ANNOTATION_TABLES[label_type]
        conditions = [
            evidence.is_there,
            *_allowed(selection, "x.image_id", is_named=is_named),
            *row_conditions(selection, label_type),
        ]
        for column in evidence.columns:
            if selection.classes:
                # CROSS JOIN: for each requested class, along the index of classes.
                source, shown = (
                    f"requested_class AS w CROSS JOIN {evidence.table} AS x ON x.{column} = w.label_name",
                    "w.class",
                )
            else:
                source, shown = f"{evidence.table} AS x", f"x.{column}"
            yield (
                f"INSERT OR IGNORE INTO candidate SELECT {shown}, x.image_id FROM {source} "
                f"WHERE {' AND '.join(conditions)}"
            )


def _allowed(selection: Selection, image_id: str, *, is_named: bool) -> list[str]:
    """The further conditions for an image: it is in the list, in the subsets, given by ImageID, and matches the SQL."""
    subset = " AND d.subset IN (SELECT value FROM json_each(:subsets))" if selection.subsets else ""
    conditions = [f"EXISTS (SELECT 1 FROM download AS d WHERE d.image_id = {image_id}{subset})"]
    if is_named:
        conditions.append(f"{image_id} IN (SELECT n.image_id FROM given_id AS n)")
    if selection.license:
        conditions.append(license_condition(selection.license, image_id))
    if selection.where is not None:
        # Its columns resolve to `image`, which is the innermost table.
        conditions.append(
            f"EXISTS (SELECT 1 FROM {_IMAGE} WHERE image.image_id = {image_id} AND ({selection.where}\n))"
        )
    return conditions


def add_shuffle_key(db: sqlite3.Connection, seed: int) -> None:
    """Gives `db` the SQL function `shuffle_key`, by which images are in a random order determined by `seed`."""
    db.create_function("shuffle_key", 1, _shuffle_key(seed), deterministic=True)


def _shuffle_key(seed: int) -> Callable[[str], int]:
    """A pseudorandom number for an ImageID, which is the same in every run with this seed."""
    start = hashlib.blake2b(str(seed).encode(), digest_size=7)

    def key(image_id: str) -> int:
        draw = start.copy()
        draw.update(image_id.encode())
        return int.from_bytes(draw.digest(), "big")

    return key


@contextmanager
def _translating_where_errors(selection: Selection) -> Iterator[None]:
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.DataError) as error:
        # These codes are for errors in a statement; errors of files have other codes.
        if selection.where is None or error.sqlite_errorcode not in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG):
            raise
        raise _bad_where(selection.where, error) from error


def _bad_where(where: str, error: Exception) -> UsageError:
    near = re.match('near "([^"]+)"', str(error))
    ends_early = near and near[1] not in where  # what follows is part of our statement
    return UsageError(
        f"--where {where!r} cannot be run: {'it ends too early' if ends_early else error}",
        hint="use an SQL expression over `width`, `height` and the columns of `image` (see `oidl help schema`), "
        'like "original_size < 1e6"',
    )
