"""Classes by their names, and their subclasses."""

import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from oidl.errors import UsageError
from oidl.hints import command
from oidl.state.annotation_filters import ANNOTATION_TABLES
from oidl.text import nearest

_BELOW = """
    WITH RECURSIVE below (label_name) AS (
        VALUES (?) UNION SELECT h.child FROM below AS b JOIN class_hierarchy AS h ON h.parent = b.label_name
        WHERE h.kind = 'subcategory'
    )
    SELECT label_name FROM below
"""


def requested_classes(
    db: sqlite3.Connection, names: Iterable[str], *, include_subclasses: bool = False
) -> Iterator[tuple[str, str]]:
    """Every (label name, requested class) of `names`, which are display names or label names, in upper or lower case.

    A name with commas may come in several consecutive parts, because people type it without quotes. With
    `include_subclasses` each class comes with all its subclasses. Raises `UsageError` for an unknown name, and if the
    hierarchy is unknown.
    """
    if include_subclasses and not db.execute("SELECT 1 FROM class_hierarchy LIMIT 1").fetchone():
        raise UsageError(
            "--include-subclasses: there is no hierarchy of classes in the database",
            hint=f"run {command('annotations load')} to load that of the version, or your own",
        )
    known = db.execute("SELECT label_name, display_name FROM class").fetchall()
    by_parts: dict[_Parts, list[str]] = {}
    for label_name, display_name in known:
        for parts in {_parts(label_name), _parts(display_name or label_name)}:
            by_parts.setdefault(parts, []).append(label_name)
    for name, label_names in _matches(tuple(names), by_parts):
        for label_name in label_names or _unnamed(db, name, known):
            if include_subclasses:
                yield from ((below, label_name) for (below,) in db.execute(_BELOW, (label_name,)))
            else:
                yield label_name, label_name


def check_names(db: sqlite3.Connection, names: Iterable[str], *, include_subclasses: bool = False) -> None:
    """Raises `UsageError` as `requested_classes` does, before the annotations are loaded.

    Published label names, like `/m/01yrx`, may occur only in annotations; so may any name if no classes are loaded.
    """
    if db.execute("SELECT 1 FROM class LIMIT 1").fetchone():
        named = (name for name in names if not name.startswith("/"))
        deque(requested_classes(db, named, include_subclasses=include_subclasses), maxlen=0)


def classes_below(db: sqlite3.Connection) -> tuple[str, ...]:
    """The names of the direct subclasses of the classes that were requested on this connection."""
    rows = db.execute(
        "SELECT DISTINCT coalesce(c.display_name, h.child) FROM temp.requested_class AS w "
        "JOIN class_hierarchy AS h ON h.parent = w.label_name AND h.kind = 'subcategory' "
        "LEFT JOIN class AS c ON c.label_name = h.child ORDER BY 1"
    )
    return tuple(name for (name,) in rows)


def _unnamed(db: sqlite3.Connection, name: str, known: Iterable[tuple[str, str | None]]) -> list[str]:
    """The class `name` of annotations that were loaded without class names; `UsageError` if there is none."""
    if any(
        db.execute(f"SELECT 1 FROM {evidence.table} WHERE {column} = ? LIMIT 1", (name,)).fetchone()
        for evidence in ANNOTATION_TABLES.values()
        for column in evidence.columns
    ):
        return [name]
    displayed = [display_name or label_name for label_name, display_name in known]
    (first, *_) = _parts(name)
    begun = [
        each for each in displayed if _parts(each)[0] == first
    ]  # a name with commas, of which this is the first part
    close = begun[:3] or nearest(name, displayed, 3)
    hint = f"did you mean {' or '.join(close)}?" if close else "see the table `class` for all names"
    raise UsageError(f"there is no class {name!r}", hint=hint)


_Parts = tuple[str, ...]


def _parts(name: str) -> _Parts:
    """The parts between the commas of a name, in lower case."""
    return tuple(part.strip() for part in name.casefold().split(","))


def _matches(names: Sequence[str], by_parts: Mapping[_Parts, list[str]]) -> Iterator[tuple[str, list[str]]]:
    """Each name in `names` with the classes of that name; a name may span several items, the longest match wins."""
    parts = [_parts(name) for name in names]
    longest = max(map(len, by_parts), default=1)
    begin = 0
    while begin < len(names):
        for end in range(min(begin + longest, len(names)), begin, -1):
            label_names = by_parts.get(tuple(chain.from_iterable(parts[begin:end])))
            if label_names or end == begin + 1:
                yield ", ".join(names[begin:end]), label_names or []
                begin = end
                break
