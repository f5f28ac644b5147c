"""How large the images of a list are on average, from a sample: at once, also over nine million rows."""

import json
import sqlite3

_SAMPLE = 10_000


def mean_original_bytes(db: sqlite3.Connection, subsets: tuple[str, ...] = ()) -> float:
    """The mean published size of `subsets` (empty is all), from rows spread evenly over the list; 0 if it is empty."""
    (last,) = db.execute("SELECT coalesce(max(rowid), 0) FROM image").fetchone()
    rows = range(1, last + 1, max(1, last // _SAMPLE))
    (mean,) = db.execute(
        """
        SELECT avg(i.original_size) FROM json_each(:rows) AS r JOIN image AS i ON i.rowid = r.value
        WHERE :subsets = '[]' OR i.subset IN (SELECT value FROM json_each(:subsets))
        """,
        {"rows": json.dumps(list(rows)), "subsets": json.dumps(subsets)},
    ).fetchone()
    return float(mean or 0.0)
