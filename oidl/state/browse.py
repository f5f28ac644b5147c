"""The values that images can be filtered by on the page: classes, subsets, renditions, reasons and licences.

Classes are found by seeks from one to the next in the indexes of the annotations, licences in a sample of the list;
the others are counted in tables of a few rows.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from oidl.model import LabelType
from oidl.state.annotation_filters import ANNOTATION_TABLES
from oidl.state.classes import requested_classes

_CANDIDATES = 500  # classes with a matching name that are looked up in the annotations
_BLOCKS, _BLOCK = 20, 100  # evenly spread samples of rows, for the licences

_SHOWING = (LabelType.BOXES, LabelType.LABELS, LabelType.SEGMENTATIONS)
_BEFORE_ALL = ""


@dataclass(frozen=True, slots=True)
class Choices:
    """What is there to choose from, each with the number of images; `checks` has words of `LicenseFilter`."""

    subsets: dict[str, int]
    renditions: dict[str, int]
    reasons: dict[str, int]
    checks: dict[str, int]


def read_choices(db: sqlite3.Connection) -> Choices:
    """The subsets, the renditions with files, and the reasons why images failed or wait; the most frequent first."""
    return Choices(
        _counts(db, "SELECT subset, sum(images) FROM status_count GROUP BY subset ORDER BY subset"),
        _counts(db, "SELECT name, files FROM rendition WHERE files > 0 ORDER BY files DESC, name"),
        _counts(
            db,
            "SELECT reason, sum(images) FROM status_count WHERE status IN ('failed', 'retry') AND reason <> '' "
            "GROUP BY reason ORDER BY sum(images) DESC, reason",
        ),
        _counts(
            db,
            "SELECT verdict, sum(images) FROM license_count GROUP BY verdict UNION ALL "
            "SELECT license_class, sum(images) FROM license_count WHERE license_class <> '' GROUP BY license_class",
        ),
    )


def _counts(db: sqlite3.Connection, sql: str) -> dict[str, int]:
    return {name: count for name, count in db.execute(sql) if count > 0}


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


def _is_annotated(db: sqlite3.Connection, label_name: str) -> bool:
    return any(
        _first(db, f"SELECT 1 FROM {ANNOTATION_TABLES[kind].table} WHERE label_name = ? LIMIT 1", label_name)
        for kind in _SHOWING
    )


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
