"""The number of complete images: done, with every requested rendition.

A limit counts these. Selected images are looked up one by one; for a whole list, only those that have files, so that
the first images of nine million are counted at once.
"""

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from oidl.model import Rendition
from oidl.state.queue import PRESENT, required_values
from oidl.state.times import timestamp

_IS_COMPLETE = f"d.status = 'done' AND {PRESENT} >= :required_count AND (:since IS NULL OR d.finished_at >= :since)"


class ClassCount(NamedTuple):
    """The number of complete images of a class, and of all available ones."""

    complete: int
    images: int


def count_complete(
    db: sqlite3.Connection,
    required: Iterable[Rendition],
    original_names: Iterable[str],
    *,
    subsets: tuple[str, ...] = (),
    are_selected: bool,
    since: datetime | None = None,
) -> int:
    """The number of images with all of `required`, among those in `temp.selected`, or in `subsets` (empty: all).

    With `since`, only those that were done at that time or later count, if a rendition is required. Any of the names in
    `original_names` satisfies the one of them that is in `required`.
    """
    values = _values(required, original_names, since) | {"subsets": json.dumps(subsets)}
    selected = "d.subset IN (SELECT value FROM json_each(:subsets))" if subsets else "true"
    if are_selected:
        source = "temp.selected AS c"
    elif values["required_count"]:
        source = "(SELECT DISTINCT image_id FROM file) AS c"
    else:
        return count_done(db, subsets)
    (count,) = db.execute(
        f"SELECT count(*) FROM {source} CROSS JOIN download AS d ON d.image_id = c.image_id "
        f"WHERE {_IS_COMPLETE} AND {selected}",
        values,
    ).fetchone()
    return int(count)


def count_done(db: sqlite3.Connection, subsets: tuple[str, ...] = ()) -> int:
    """The number of images of `subsets` (empty: all) that are done, with any renditions."""
    (count,) = db.execute(
        "SELECT coalesce(sum(images), 0) FROM status_count WHERE status = 'done' "
        "AND (:subsets = '[]' OR subset IN (SELECT value FROM json_each(:subsets)))",
        {"subsets": json.dumps(subsets)},
    ).fetchone()
    return int(count)


def count_by_class(
    db: sqlite3.Connection,
    required: Iterable[Rendition],
    original_names: Iterable[str],
    *,
    since: datetime | None = None,
) -> dict[str, ClassCount]:
    """The number of complete images, as in `count_complete`, and of all images for each class of `temp.member`."""
    rows = db.execute(
        f"SELECT m.class, sum({_IS_COMPLETE}), count(*) FROM temp.member AS m "
        "CROSS JOIN download AS d ON d.image_id = m.image_id GROUP BY m.class ORDER BY m.class",
        _values(required, original_names, since),
    )
    return {name: ClassCount(complete, images) for name, complete, images in rows}


def _values(
    required: Iterable[Rendition], original_names: Iterable[str], since: datetime | None
) -> dict[str, str | int | None]:
    values = required_values(required, frozenset(original_names))
    return {**values, "since": timestamp(since) if since else None}
