"""Fills an image list into the database, in one transaction: all of it or nothing.

Nine million rows pass through here once, so rows stay tuples, the index is
built after them, and `download` is filled by one statement in key order.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import chain, islice

from oidl.errors import StateError, UsageError
from oidl.model import Image
from oidl.state.database import BUSY_TIMEOUT_MS, CACHE_KIB, timestamp, transaction

_BULK_CACHE_KIB = 64 * 1024
_BATCH = 500  # few enough that the garbage collector does not look through them again and again
_AT_ONCE = 20  # rows to a statement: one execution for twenty takes half the time of twenty
_ROW = f"({', '.join('?' * len(Image._fields))})"


@dataclass(frozen=True, slots=True)
class ImageList:
    """What a database holds, subset by subset: the list's version, its directory, where it came from."""

    dataset_version: str
    directory: str
    source: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one load added, and the ImageIDs (the first few) that came more than once."""

    images: int
    repeated: int
    examples: tuple[str, ...]


def loaded_list(db: sqlite3.Connection) -> ImageList | None:
    """The list this database holds, or None for a new one."""
    row = db.execute("SELECT dataset_version, directory, source FROM image_list LIMIT 1").fetchone()
    return ImageList(*row) if row else None


def loaded_subsets(db: sqlite3.Connection) -> tuple[str, ...]:
    """The subsets that are in the database."""
    return tuple(subset for (subset,) in db.execute("SELECT subset FROM image_list ORDER BY subset"))


def wanted_subsets(db: sqlite3.Connection, named: Collection[str]) -> tuple[str, ...]:
    """The loaded subsets, or those of them that are `named`. Raises `UsageError` for one that is not there."""
    loaded = loaded_subsets(db)
    for subset in named:
        if subset not in loaded:
            raise UsageError(f"--subset {subset}: the database has {', '.join(loaded)}")
    return tuple(subset for subset in loaded if not named or subset in named)


def styles(db: sqlite3.Connection) -> dict[str, tuple[str, str]]:
    """How the list of each loaded subset quotes, and how it ends its lines: `lf` or `crlf`."""
    rows = db.execute("SELECT subset, quoting, line_end FROM image_list")
    return {subset: (quoting, line_end) for subset, quoting, line_end in rows}


def missing_subsets(db: sqlite3.Connection, wanted: Mapping[str, ImageList], subsets: Iterable[str]) -> tuple[str, ...]:
    """Those of `subsets` that are still to be loaded; `wanted` says from which list each subset of the version comes.

    Raises `StateError` if the database holds a subset of another list.
    """
    present = {}
    for subset, *row in db.execute("SELECT subset, dataset_version, directory, source FROM image_list"):
        present[subset] = held = ImageList(*row)
        other = wanted.get(subset) or next(iter(wanted.values()))
        if held != other:
            is_of_other_version = held.dataset_version != other.dataset_version
            go_on = f"say --dataset-version {held.dataset_version} to go on with it, or " if is_of_other_version else ""
            raise StateError(
                f"this state database holds version {held.dataset_version} from {held.source}, "
                f"not version {other.dataset_version} from {other.source}",
                hint=f"{go_on}use another --root-dir or --state-db for another image list",
            )
    return tuple(subset for subset in subsets if subset not in present)


def load_list(
    db: sqlite3.Connection,
    image_list: ImageList,
    subsets: Iterable[str],
    images: Iterable[Image],
    style: Callable[[], tuple[str, str]] = lambda: ("author-title", "lf"),
) -> Loaded:
    """Loads `images`, all of `subsets`, as new images that are still to be downloaded.

    `images` is consumed inside the transaction: if it raises (a list that does
    not verify, a cancelled run), nothing is loaded. An ImageID that comes twice
    keeps its first row. `style` tells, once all are read, how the list quotes and how it ends its lines.
    """
    is_first = db.execute("SELECT max(rowid) IS NULL FROM image").fetchone()[0]
    with _bulk(db) if is_first else nullcontext(), transaction(db):
        last_rowid = db.execute("SELECT coalesce(max(rowid), 0) FROM image").fetchone()[0]
        if is_first:
            db.execute("DROP INDEX image_by_id")  # built after the rows: twice as fast as along with them
        read = _insert(db, "INSERT" if is_first else "INSERT OR IGNORE", images)
        examples = _index(db) if is_first else ()
        added = db.execute(
            "INSERT INTO download (image_id, subset) "
            "SELECT image_id, subset FROM image WHERE rowid > ? ORDER BY image_id",
            (last_rowid,),
        ).rowcount
        quoting, line_end = style()
        for subset in subsets:
            (count,) = db.execute("SELECT count(*) FROM download WHERE subset = ?", (subset,)).fetchone()
            db.execute(
                "INSERT INTO image_list VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    subset,
                    image_list.dataset_version,
                    image_list.directory,
                    image_list.source,
                    quoting,
                    count,
                    read - added,
                    timestamp(),
                    line_end,
                ),
            )
            db.execute("INSERT INTO tally VALUES (?, 'pending', '', ?, 0)", (subset, count))
    return Loaded(added, read - added, examples)


@contextmanager
def _bulk(db: sqlite3.Connection) -> Iterator[None]:
    """A rollback journal for the time of a load into an empty database.

    In WAL mode every page would be written twice; here new pages are written
    once and not journaled at all. Where a reader has the file open just now it
    stays in WAL mode, which is slower and no less safe. The index is sorted in a
    larger cache, which is given back.
    """
    db.execute(f"PRAGMA cache_size = -{_BULK_CACHE_KIB}")
    with suppress(sqlite3.OperationalError):
        db.execute("PRAGMA busy_timeout = 0")
        db.execute("PRAGMA journal_mode = DELETE")
    db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")  # without WAL, whoever reads just then holds up the commit
    try:
        yield
    finally:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        db.execute("PRAGMA shrink_memory")


def _insert(db: sqlite3.Connection, verb: str, images: Iterable[Image]) -> int:
    """Inserts `images` and returns how many those were."""
    rows = iter(images)
    read = 0
    while batch := list(islice(rows, _BATCH)):
        read += len(batch)
        whole = len(batch) - len(batch) % _AT_ONCE
        many = (tuple(chain.from_iterable(batch[at : at + _AT_ONCE])) for at in range(0, whole, _AT_ONCE))
        db.executemany(f"{verb} INTO image VALUES {', '.join([_ROW] * _AT_ONCE)}", many)
        db.executemany(f"{verb} INTO image VALUES {_ROW}", batch[whole:])
    return read


def _index(db: sqlite3.Connection) -> tuple[str, ...]:
    """Builds the unique index, after dropping repeated ImageIDs if there are any; returns a few of those."""
    build = "CREATE UNIQUE INDEX image_by_id ON image (image_id)"
    try:
        db.execute(build)
        return ()
    except sqlite3.IntegrityError:
        repeated = "SELECT image_id FROM image GROUP BY image_id HAVING count(*) > 1"
        examples = tuple(image_id for (image_id,) in db.execute(f"{repeated} LIMIT 5"))
        db.execute("CREATE INDEX image_by_id ON image (image_id)")
        db.execute(
            f"DELETE FROM image WHERE image_id IN ({repeated}) "
            "AND rowid > (SELECT min(other.rowid) FROM image AS other WHERE other.image_id = image.image_id)"
        )
        db.execute("DROP INDEX image_by_id")
        db.execute(build)
        return examples
