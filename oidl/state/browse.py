"""Images that are done and fit a filter, in ImageID order, and what there is to filter by.

Files, the boxes of a class and its labels lie in ImageID order in their indexes. The next image that
has a file and shows a class is found by seeking from one index to the other, so a rare class costs no more
than a frequent one. What has no such index, subset and licence, is looked up image by image. A search
ends after some seeks or a moment and says where to go on, so each answer is quick over nine million rows.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from oidl.model import LabelType
from oidl.state.annotation_filters import ANNOTATION_TABLES
from oidl.state.classes import wanted_classes
from oidl.state.image_lookup import ImageSummary, image_summaries

STEPS = 2_000  # images that one search looks at
_PATIENCE_S = 0.25  # for one search, on a slow disk
_CANDIDATES = 500  # classes with a fitting name that are looked for in the annotations
_BLOCKS, _BLOCK = 20, 100  # of rows, evenly spread: what the licences are known from

_SHOWING = (LabelType.BOXES, LabelType.LABELS)
_BEFORE_ALL = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """What images must be like: show one of `label_names`, be of `subset`, have `license` (its URL); empty is any."""

    label_names: tuple[str, ...] = ()
    subset: str = ""
    license: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """Images that fit, in ImageID order; `next` is where the search goes on, None at the end."""

    image_summaries: tuple[ImageSummary, ...]
    next: str | None


def find_done(
    db: sqlite3.Connection, wanted: Filter, start: str, most: int, clock: Callable[[], float] = time.monotonic
) -> Found:
    """The first `most` images from ImageID `start` on that are done, have a file and fit `wanted`.

    Fewer if there are no more, or if so many were looked at in between that the rest is for another call.
    """
    found: list[str] = []
    end = clock() + _PATIENCE_S
    for _ in range(STEPS):
        image_id = _first(db, "SELECT image_id FROM file WHERE image_id >= ? ORDER BY image_id LIMIT 1", start)
        showing = image_id and _first_showing(db, wanted.label_names, image_id)
        if not image_id or not showing:
            return Found(tuple(image_summaries(db, found)), None)
        start = showing
        if showing == image_id:
            start += "0"  # comes after this ImageID and before the next one
            if _fits(db, wanted, image_id):
                found.append(image_id)
        if len(found) == most or clock() > end:
            break
    return Found(tuple(image_summaries(db, found)), start)


def classes_called(db: sqlite3.Connection, typed: str, most: int) -> list[str]:
    """The names of classes that have boxes or labels, those that begin with `typed` first; by MID without a name."""
    typed = typed.strip().casefold()
    if not typed:
        return _classes_in_annotations(db, most)
    rows = db.execute("SELECT label_name, display_name FROM class WHERE display_name NOTNULL").fetchall()
    named = [(name, label_name) for label_name, name in rows if typed in name.casefold()]
    named.sort(key=lambda pair: (not pair[0].casefold().startswith(typed), pair[0].casefold()))
    shown = (name for name, label_name in named[:_CANDIDATES] if _is_annotated(db, label_name))
    return [name for name, _ in zip(dict.fromkeys(shown), range(most), strict=False)]


def class_filter(db: sqlite3.Connection, name: str) -> tuple[str, ...]:
    """The label names of the class that people call `name`; raises `UsageError`, with close names, if there is none."""
    return tuple(dict.fromkeys(label_name for label_name, _ in wanted_classes(db, [name])))


def frequent_licenses(db: sqlite3.Connection) -> list[str]:
    """The URLs of the licences in a sample of the list, the most frequent first; one in a thousand may be missing."""
    (last,) = db.execute("SELECT coalesce(max(rowid), 0) FROM image").fetchone()
    counts: dict[str, int] = {}
    for number in range(_BLOCKS):
        first = 1 + number * max(last // _BLOCKS, _BLOCK)
        for (license,) in db.execute(
            "SELECT license FROM image WHERE rowid >= ? ORDER BY rowid LIMIT ?", (first, _BLOCK)
        ):
            counts[license] = counts.get(license, 0) + 1
    return sorted(counts, key=lambda url: -counts[url])


def _first(db: sqlite3.Connection, sql: str, *values: str) -> str | None:
    row = db.execute(sql, values).fetchone()
    return row[0] if row else None


def _first_showing(db: sqlite3.Connection, label_names: tuple[str, ...], start: str) -> str | None:
    """The first ImageID from `start` on with an annotation of one of `label_names`; any will do if there are none."""
    if not label_names:
        return start
    found = (
        _first(
            db,
            f"SELECT image_id FROM {ANNOTATION_TABLES[kind].table} WHERE label_name = ? AND image_id >= ? "
            "ORDER BY image_id LIMIT 1",
            label_name,
            start,
        )
        for label_name in label_names
        for kind in _SHOWING
    )
    return min((image_id for image_id in found if image_id is not None), default=None)


def _fits(db: sqlite3.Connection, wanted: Filter, image_id: str) -> bool:
    row = db.execute("SELECT status, subset FROM download WHERE image_id = ?", (image_id,)).fetchone()
    if row is None or row[0] != "done" or wanted.subset not in ("", row[1]):
        return False
    if wanted.label_names and not any(_shows(db, label_name, image_id) for label_name in wanted.label_names):
        return False
    return not wanted.license or wanted.license == _first(db, "SELECT license FROM image WHERE image_id = ?", image_id)


def _shows(db: sqlite3.Connection, label_name: str, image_id: str) -> bool:
    """Whether the class is there: a label may also say that it is not."""
    return any(
        _first(
            db,
            f"SELECT 1 FROM {ANNOTATION_TABLES[kind].table} AS x WHERE x.label_name = ? AND x.image_id = ? "
            f"AND {ANNOTATION_TABLES[kind].is_there} LIMIT 1",
            label_name,
            image_id,
        )
        for kind in _SHOWING
    )


def _is_annotated(db: sqlite3.Connection, label_name: str) -> bool:
    return _first_showing(db, (label_name,), _BEFORE_ALL) is not None


def _classes_in_annotations(db: sqlite3.Connection, most: int) -> list[str]:
    found: dict[str, None] = {}
    for label_name in (name for kind in _SHOWING for name in _label_names(db, ANNOTATION_TABLES[kind].table)):
        name = _first(db, "SELECT display_name FROM class WHERE label_name = ?", label_name)
        found[name or label_name] = None
        if len(found) == most:
            break
    return sorted(found, key=str.casefold)


def _label_names(db: sqlite3.Connection, table: str) -> Iterator[str]:
    """The classes in `table`, from one to the next by the index, not over all the rows."""
    label_name: str | None = _BEFORE_ALL
    while label_name is not None:
        label_name = _first(
            db, f"SELECT label_name FROM {table} WHERE label_name > ? ORDER BY label_name LIMIT 1", label_name
        )
        if label_name is not None:
            yield label_name
