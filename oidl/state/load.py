"""Loads an image list into the database, in one transaction: all of it or nothing.

Nine million rows pass through here once, so rows stay tuples, the index is built
after them, and one statement fills `download` in key order. Later loads, of other
subsets or of a changed list, are merged (`state.merge`).
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from itertools import chain
from math import nan
from typing import Protocol

from oidl.errors import StateError, UsageError
from oidl.model import Image, LineBreak, ListFile, SkippedRow
from oidl.state.arrivals import (
    ARRIVING,
    MAX_BAD_ROWS,
    Repeated,
    create_tables,
    drop_known,
    drop_repeated,
    drop_tables,
    insert,
)
from oidl.state.connection import transaction
from oidl.state.database import BUSY_TIMEOUT_MS, CACHE_KIB
from oidl.state.merge import Merged, merge
from oidl.state.times import file_timestamp, parse_timestamp, timestamp
from oidl.text import suggestion

_BULK_CACHE_KIB = 64 * 1024


@dataclass(frozen=True, slots=True)
class ImageList:
    """The list of a subset in the database: its version, directory and origin.

    `source` is a path, or a URL without secrets; `source_sha256` (hex) is the hash of the whole URL.
    """

    dataset_version: str
    directory: str
    source: str
    source_sha256: str | None = field(default=None, compare=False)


class ListReading(Protocol):
    """What the reader of a list has collected so far; `style` is known at the end."""

    bad_rows: list[SkippedRow]
    by_subset: Counter[str]
    breaks: list[LineBreak]

    @property
    def style(self) -> tuple[str, str]:
        """The quoting and the line end of the list: `lf` or `crlf`."""


@dataclass(slots=True)
class NoReading:
    """The values for a list that was not read from a file."""

    style: tuple[str, str] = ("author-title", "lf")
    bad_rows: list[SkippedRow] = field(default_factory=list)
    by_subset: Counter[str] = field(default_factory=Counter)
    breaks: list[LineBreak] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The result of one load; `repeated` rows had a known ImageID, `conflicts` are the first with another image."""

    merged: Merged
    repeated: int = 0
    conflicts: tuple[str, ...] = ()

    @property
    def images(self) -> int:
        """The number of new images."""
        return self.merged.added


def loaded_list(db: sqlite3.Connection) -> ImageList | None:
    """The list in this database, or None for a new one."""
    row = db.execute("SELECT dataset_version, directory, source FROM image_list LIMIT 1").fetchone()
    return ImageList(*row) if row else None


def loaded_subsets(db: sqlite3.Connection) -> tuple[str, ...]:
    """The subsets that are in the database."""
    return tuple(subset for (subset,) in db.execute("SELECT subset FROM image_list ORDER BY subset"))


def requested_subsets(db: sqlite3.Connection, named: Collection[str]) -> tuple[str, ...]:
    """The loaded subsets, or the `named` ones among them. Raises `UsageError` for one that is not loaded."""
    loaded = loaded_subsets(db)
    for subset in named:
        if subset not in loaded:
            raise UsageError(
                f"--subset: there is no subset {subset!r} in the database", hint=suggestion(subset, loaded)
            )
    return tuple(subset for subset in loaded if not named or subset in named)


def styles(db: sqlite3.Connection) -> dict[str, tuple[str, str]]:
    """The quoting and the line end (`lf` or `crlf`) of the list of each loaded subset."""
    rows = db.execute("SELECT subset, quoting, line_end FROM image_list")
    return {subset: (quoting, line_end) for subset, quoting, line_end in rows}


def missing_subsets(db: sqlite3.Connection, lists: Mapping[str, ImageList], subsets: Iterable[str]) -> tuple[str, ...]:
    """Those of `subsets` that are not loaded yet; `lists` has the list of each subset of the version.

    Raises `StateError` if the database holds a subset of another list.
    """
    present = {}
    for subset, *row in db.execute("SELECT subset, dataset_version, directory, source FROM image_list"):
        present[subset] = loaded = ImageList(*row)
        other = lists.get(subset) or next(iter(lists.values()))
        if loaded != other:
            has_other_version = loaded.dataset_version != other.dataset_version
            option = f"--dataset-version {loaded.dataset_version}"
            hint = f"use {option} to continue with it, or " if has_other_version else ""
            if loaded.source != other.source and "://" not in loaded.source:  # the user's own list
                hint = f"use --images-csv {loaded.source} to continue with it, or "
            raise StateError(
                f"this state database holds version {loaded.dataset_version} from {loaded.source}, "
                f"not version {other.dataset_version} from {other.source}",
                hint=f"{hint}use another --root-dir or --state-db for another image list",
            )
    return tuple(subset for subset in subsets if subset not in present)


def stored_file(db: sqlite3.Connection, source: str) -> tuple[tuple[str, ...], ListFile | None, str | None]:
    """The subsets loaded from the list `source`, the identity of its file at that time, and its `source_sha256`.

    The file is None if it was not recorded; `modified_s` has millisecond precision.
    """
    rows = db.execute(
        "SELECT subset, bytes, modified_at, sha256, source_sha256 FROM image_list WHERE source = ? ORDER BY loaded_at",
        (source,),
    ).fetchall()
    if not rows or rows[0][3] is None:
        return tuple(row[0] for row in rows), None, rows[0][4] if rows else None
    _, size_bytes, changed_at, sha256, address = rows[0]
    modified = parse_timestamp(changed_at)
    modified_s = modified.timestamp() if modified else nan  # equals no file's, so the contents are compared
    return tuple(row[0] for row in rows), ListFile(size_bytes, modified_s, sha256), address


def adopt_moved(db: sqlite3.Connection, image_list: ImageList, file: ListFile) -> bool:
    """Records `image_list` as the new place of the loaded list if the content is the same; returns whether it is."""
    return (
        db.execute(
            "UPDATE image_list SET source = ?, modified_at = ? WHERE sha256 = ? AND dataset_version = ?",
            (image_list.source, file_timestamp(file.modified_s), file.sha256, image_list.dataset_version),
        ).rowcount
        > 0
    )


def load_list(
    db: sqlite3.Connection,
    image_list: ImageList,
    subsets: Sequence[str],
    images: Iterable[Image],
    reading: ListReading | None = None,
    file: Callable[[], ListFile | None] = lambda: None,
) -> Loaded:
    """Loads `images`, all of which are in `subsets`; new ones become pending.

    `images` is consumed inside the transaction: if it raises (a list that does not verify, a cancelled run), nothing is
    loaded. For a repeated ImageID the first row counts. If a subset is loaded already, `images` is its current list,
    and the differences are merged. `file` returns the identity of the list after all of it is read.
    """
    reading = reading or NoReading()
    is_first = db.execute("SELECT max(rowid) IS NULL FROM image").fetchone()[0]
    with _bulk(db) if is_first else nullcontext(), transaction(db):
        create_tables(db, is_first=is_first)
        if is_first:
            db.execute("DROP INDEX image_by_id")  # building it after the rows is twice as fast
            insert(db, "image", images, reading.breaks)
            repeated = [_index(db)]
            added = db.execute(
                "INSERT INTO download (image_id, subset) SELECT image_id, subset FROM image ORDER BY image_id"
            ).rowcount
            merged = Merged(added)
        else:
            insert(db, ARRIVING, images, reading.breaks)
            db.execute("CREATE INDEX temp.arriving_by_id ON arriving (image_id)")
            repeated = [drop_repeated(db, ARRIVING), drop_known(db, subsets)]
            merged = merge(db, subsets)
        _record(db, image_list, subsets, reading, repeated, file(), is_first=is_first)
        drop_tables(db)
    count = sum(sum(each.by_subset.values()) for each in repeated)
    return Loaded(merged, count, tuple(chain.from_iterable(each.conflicts for each in repeated)))


def _record(
    db: sqlite3.Connection,
    image_list: ImageList,
    subsets: Sequence[str],
    reading: ListReading,
    repeated: Sequence[Repeated],
    file: ListFile | None,
    *,
    is_first: bool,
) -> None:
    """Records the loaded and the skipped rows; skipped rows without a subset count for the first of `subsets`."""
    quoting, line_end = reading.style
    skipped = Counter[str]()
    for by_subset in (reading.by_subset, *(each.by_subset for each in repeated)):
        for subset, count in by_subset.items():
            skipped[subset or subsets[0]] += count
    for subset in subsets:
        (images,) = db.execute("SELECT count(*) FROM download WHERE subset = ?", (subset,)).fetchone()
        db.execute(
            "INSERT OR REPLACE INTO image_list (subset, dataset_version, directory, source, quoting, images, skipped, "
            "loaded_at, line_end, bytes, modified_at, sha256, source_sha256) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                subset,
                image_list.dataset_version,
                image_list.directory,
                image_list.source,
                quoting,
                images,
                skipped[subset],
                timestamp(),
                line_end,
                file and file.bytes,
                file and file_timestamp(file.modified_s),
                file and file.sha256,
                image_list.source_sha256,
            ),
        )
        if is_first:
            db.execute("INSERT INTO status_count VALUES (?, 'pending', '', ?, 0)", (subset, images))
        db.execute("DELETE FROM skipped_row WHERE subset = ?", (subset,))
    rows = [*reading.bad_rows, *chain.from_iterable(each.rows for each in repeated)][:MAX_BAD_ROWS]
    db.executemany(
        "INSERT INTO skipped_row (subset, list, line, complaint, text) VALUES (?, ?, ?, ?, ?)",
        [row._replace(subset=row.subset or subsets[0]) for row in rows],
    )


@contextmanager
def _bulk(db: sqlite3.Connection) -> Iterator[None]:
    """Uses a rollback journal during a load into an empty database.

    In WAL mode every page would be written twice; here new pages are written
    once and not journaled at all. If a reader has the file open, it stays in WAL
    mode, which is slower and equally safe. The index is sorted in a larger cache,
    which is released afterwards.
    """
    db.execute(f"PRAGMA cache_size = -{_BULK_CACHE_KIB}")
    with suppress(sqlite3.OperationalError):
        db.execute("PRAGMA busy_timeout = 0")
        db.execute("PRAGMA journal_mode = DELETE")
    db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")  # without WAL, a reader delays the commit
    try:
        yield
    finally:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        db.execute("PRAGMA shrink_memory")


def _index(db: sqlite3.Connection) -> Repeated:
    """Builds the unique index; drops rows with repeated ImageIDs first if there are any."""
    build = "CREATE UNIQUE INDEX image_by_id ON image (image_id)"
    try:
        db.execute(build)
        return Repeated()
    except sqlite3.IntegrityError:
        db.execute("CREATE INDEX image_by_id ON image (image_id)")
        repeated = drop_repeated(db, "image")
        db.execute("DROP INDEX image_by_id")
        db.execute(build)
        return repeated
