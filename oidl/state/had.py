"""How many images are had already: done, with every rendition that is asked for.

What a limit counts. Of chosen images each is looked up; of a whole list, only those that have
files, so that the first images of nine million are counted at once.
"""

import json
import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from oidl.model import Rendition
from oidl.state.queue import PRESENT, wanted_values

_IS_HAD = f"d.status = 'done' AND {PRESENT} >= :wanted_count"


class ClassCount(NamedTuple):
    """How many images of a class are had, and how many there are to choose from."""

    had: int
    images: int


def count_had(
    db: sqlite3.Connection,
    wanted: Iterable[Rendition],
    kept: Iterable[str],
    *,
    subsets: tuple[str, ...] = (),
    are_chosen: bool,
) -> int:
    """How many images have all of `wanted`, of those in `temp.chosen`, or of `subsets` (empty is all).

    Of the names in `kept`, any will do for the one of them that is wanted.
    """
    values = {**wanted_values(wanted, frozenset(kept)), "subsets": json.dumps(subsets)}
    selected = "d.subset IN (SELECT value FROM json_each(:subsets))" if subsets else "true"
    if are_chosen:
        source = "temp.chosen AS c"
    elif values["wanted_count"]:
        source = "(SELECT DISTINCT image_id FROM file) AS c"
    else:
        return count_done(db, subsets)
    (count,) = db.execute(
        f"SELECT count(*) FROM {source} CROSS JOIN download AS d ON d.image_id = c.image_id "
        f"WHERE {_IS_HAD} AND {selected}",
        values,
    ).fetchone()
    return int(count)


def count_done(db: sqlite3.Connection, subsets: tuple[str, ...] = ()) -> int:
    """How many images of `subsets` (empty is all) are done, whatever they have."""
    (count,) = db.execute(
        "SELECT coalesce(sum(images), 0) FROM status_count WHERE status = 'done' "
        "AND (:subsets = '[]' OR subset IN (SELECT value FROM json_each(:subsets)))",
        {"subsets": json.dumps(subsets)},
    ).fetchone()
    return int(count)


def count_by_class(db: sqlite3.Connection, wanted: Iterable[Rendition], kept: Iterable[str]) -> dict[str, ClassCount]:
    """The same for each class of `temp.member`."""
    rows = db.execute(
        f"SELECT m.class, sum({_IS_HAD}), count(*) FROM temp.member AS m "
        "CROSS JOIN download AS d ON d.image_id = m.image_id GROUP BY m.class ORDER BY m.class",
        wanted_values(wanted, frozenset(kept)),
    )
    return {name: ClassCount(had, images) for name, had, images in rows}
