"""Images that are done and match a filter, in ImageID order, and the values to filter by.

Indexes have files, and the boxes and labels of a class, in ImageID order. To find the next image that has a file and
shows a class, a search seeks from one index to the other, so a rare class costs no more than a frequent one. Subset and
licence have no such index and are looked up image by image. A search ends after some seeks or a short time and returns
where to continue, so each answer is quick on nine million rows.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from oidl.model import LabelType
from oidl.state.annotation_filters import ANNOTATION_TABLES
from oidl.state.classes import requested_classes
from oidl.state.image_lookup import ImageSummary, image_summaries

STEPS = 2_000  # the maximum number of images that one search looks at
_MAX_SEARCH_S = 0.25  # for one search, on a slow disk
_CANDIDATES = 500  # classes with a matching name that are looked up in the annotations
_BLOCKS, _BLOCK = 20, 100  # evenly spread samples of rows, for the licences

_SHOWING = (LabelType.BOXES, LabelType.LABELS)
_BEFORE_ALL = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """The images to find: they show one of `label_names`, are in `subset`, and have `license` (a URL); empty is any."""

    label_names: tuple[str, ...] = ()
    subset: str = ""
    license: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """Matching images, in ImageID order; `next` is where the search continues, None at the end."""

    image_summaries: tuple[ImageSummary, ...]
    next: str | None


def find_done(
    db: sqlite3.Connection, conditions: Filter, start: str, most: int, clock: Callable[[], float] = time.monotonic
) -> Found:
    """The first `most` images from ImageID `start` on that are done, have a file and match `conditions`.

    Fewer if there are no more, or if the search reached its limit; `next` then continues it.
    """
    matches: list[str] = []
    end = clock() + _MAX_SEARCH_S
    for _ in range(STEPS):
        image_id = _first(db, "SELECT image_id FROM file WHERE image_id >= ? ORDER BY image_id LIMIT 1", start)
        showing = image_id and _first_showing(db, conditions.label_names, image_id)
        if not image_id or not showing:
            return Found(tuple(image_summaries(db, matches)), None)
        start = showing
        if showing == image_id:
            start += "0"  # sorts after this ImageID and before the next one
            if _fits(db, conditions, image_id):
                matches.append(image_id)
        if len(matches) == most or clock() > end:
            break
    return Found(tuple(image_summaries(db, matches)), start)


def classes_called(db: sqlite3.Connection, typed: str, most: int) -> list[str]:
    """The names of classes with boxes or labels that contain `typed`, those that begin with it first.

    A class without a name is given by its MID.
    """
    typed = typed.strip().casefold()
    if not typed:
        return _classes_in_annotations(db, most)
    rows = db.execute("SELECT label_name, display_name FROM class WHERE display_name NOTNULL").fetchall()
    named = [(name, label_name) for label_name, name in rows if typed in name.casefold()]
    named.sort(key=lambda pair: (not pair[0].casefold().startswith(typed), pair[0].casefold()))
    shown = (name for name, label_name in named[:_CANDIDATES] if _is_annotated(db, label_name))
    return [name for name, _ in zip(dict.fromkeys(shown), range(most), strict=False)]


def class_filter(db: sqlite3.Connection, name: str) -> tuple[str, ...]:
    """The label names of the class called `name`; raises `UsageError`, with similar names, if there is none."""
    return tuple(dict.fromkeys(label_name for label_name, _ in requested_classes(db, [name])))


def frequent_licenses(db: sqlite3.Connection) -> list[str]:
    """The URLs of the licences in a sample of the list, the most frequent first; very rare ones may be missing."""
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
    """The first ImageID from `start` on with an annotation of one of `label_names`; `start` if there are no names."""
    if not label_names:
        return start
    first_ids = (
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
    return min((image_id for image_id in first_ids if image_id is not None), default=None)


def _fits(db: sqlite3.Connection, conditions: Filter, image_id: str) -> bool:
    row = db.execute("SELECT status, subset FROM download WHERE image_id = ?", (image_id,)).fetchone()
    if row is None or row[0] != "done" or conditions.subset not in ("", row[1]):
        return False
    if conditions.label_names and not any(_shows(db, label_name, image_id) for label_name in conditions.label_names):
        return False
    return not conditions.license or conditions.license == _first(
        db, "SELECT license FROM image WHERE image_id = ?", image_id
    )


def _shows(db: sqlite3.Connection, label_name: str, image_id: str) -> bool:
    """Whether the image shows the class; a label may also deny it."""
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
    names: dict[str, None] = {}
    for label_name in (name for kind in _SHOWING for name in _label_names(db, ANNOTATION_TABLES[kind].table)):
        name = _first(db, "SELECT display_name FROM class WHERE label_name = ?", label_name)
        names[name or label_name] = None
        if len(names) == most:
            break
    return sorted(names, key=str.casefold)


def _label_names(db: sqlite3.Connection, table: str) -> Iterator[str]:
    """The classes in `table`; seeks from one to the next in the index instead of scanning all rows."""
    label_name: str | None = _BEFORE_ALL
    while label_name is not None:
        label_name = _first(
            db, f"SELECT label_name FROM {table} WHERE label_name > ? ORDER BY label_name LIMIT 1", label_name
        )
        if label_name is not None:
            yield label_name
