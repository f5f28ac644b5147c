"""Classes as people name them, and those below them."""

import difflib
import sqlite3
from collections.abc import Iterable, Iterator

from oidl.errors import UsageError
from oidl.state.evidence import EVIDENCE

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

    With `include_subclasses` each comes with all that are below it. Raises `UsageError` for a name that there is not,
    and where it is not known what is below.
    """
    if include_subclasses and not db.execute("SELECT 1 FROM class_hierarchy LIMIT 1").fetchone():
        raise UsageError(
            "--include-subclasses: there is no hierarchy of classes in the database",
            hint="`oidl annotations load` brings in that of the version, or one of your own",
        )
    known = db.execute("SELECT label_name, display_name FROM class").fetchall()
    by_name: dict[str, list[str]] = {}
    for label_name, display_name in known:
        for name in {label_name.casefold(), (display_name or label_name).casefold()}:
            by_name.setdefault(name, []).append(label_name)
    for name in names:
        for label_name in by_name.get(name.strip().casefold()) or _unnamed(db, name.strip(), known):
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


def _unnamed(db: sqlite3.Connection, name: str, known: Iterable[tuple[str, str | None]]) -> list[str]:
    """The class that annotations have which came without the names of classes; `UsageError` if there is none."""
    if any(
        db.execute(f"SELECT 1 FROM {evidence.table} WHERE {column} = ? LIMIT 1", (name,)).fetchone()
        for evidence in EVIDENCE.values()
        for column in evidence.columns
    ):
        return [name]
    words = {(display_name or label_name).casefold(): display_name or label_name for label_name, display_name in known}
    close = [words[match] for match in difflib.get_close_matches(name.casefold(), words, 3)]
    hint = f"did you mean {' or '.join(close)}?" if close else "the table `class` has the names that there are"
    raise UsageError(f"there is no class {name!r}", hint=hint)
