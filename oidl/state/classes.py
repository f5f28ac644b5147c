"""Classes as people name them, and those below them."""

import difflib
import sqlite3
from collections.abc import Iterable, Iterator

from oidl.errors import UsageError

_BELOW = """
    WITH RECURSIVE below (label_name) AS (
        VALUES (?) UNION SELECT h.child FROM below AS b JOIN class_hierarchy AS h ON h.parent = b.label_name
        WHERE h.kind = 'subcategory'
    )
    SELECT label_name FROM below
"""


def has_classes(db: sqlite3.Connection) -> bool:
    """Whether any class is known by its name."""
    return bool(db.execute("SELECT EXISTS (SELECT 1 FROM class WHERE display_name NOTNULL)").fetchone()[0])


def wanted_classes(
    db: sqlite3.Connection, names: Iterable[str], *, include_subclasses: bool = False
) -> Iterator[tuple[str, str]]:
    """Every (label name, class that was asked for) of `names`, which are display names or label names, in any case.

    With `include_subclasses` each comes with all that are below it. Raises `UsageError` for a name that there is not.
    """
    for name in names:
        for label_name in _found(db, name):
            if include_subclasses:
                yield from ((below, label_name) for (below,) in db.execute(_BELOW, (label_name,)))
            else:
                yield label_name, label_name


def display_names(db: sqlite3.Connection) -> dict[str, str]:
    """The name in words of each class that was asked for on this connection."""
    rows = db.execute(
        "SELECT DISTINCT w.class, coalesce(c.display_name, w.class) "
        "FROM temp.wanted AS w LEFT JOIN class AS c ON c.label_name = w.class"
    )
    return dict(rows.fetchall())


def _found(db: sqlite3.Connection, name: str) -> list[str]:
    wanted = name.strip().casefold()
    known: dict[str, str] = {}
    found = []
    for label_name, display_name in db.execute("SELECT label_name, display_name FROM class"):
        if wanted in (label_name.casefold(), (display_name or "").casefold()):
            found.append(label_name)
        known[(display_name or label_name).casefold()] = display_name or label_name
    if not found and any(
        db.execute(f"SELECT 1 FROM {table} WHERE label_name = ? LIMIT 1", (name.strip(),)).fetchone()
        for table in ("box", "label", "segmentation")
    ):  # of annotations that came without the names of classes
        return [name.strip()]
    if not found:
        close = [known[match] for match in difflib.get_close_matches(wanted, known, 3)]
        hint = f"did you mean {' or '.join(close)}?" if close else "the table `class` has the names that there are"
        raise UsageError(f"there is no class {name.strip()!r}", hint=hint)
    return found
