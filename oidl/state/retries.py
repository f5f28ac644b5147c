"""The images that wait for another attempt."""

import json
import sqlite3
from collections.abc import Sequence

from oidl.state.selection import SelectedImages


def count_retries(
    db: sqlite3.Connection, rendition: str, subsets: Sequence[str], selected: SelectedImages | None
) -> int:
    """How many images of `subsets` have no file of `rendition` yet because they wait for another attempt.

    With `selected`, a selection made on `db`, only its images.
    """
    query = (
        "SELECT count(*) FROM download AS d INDEXED BY download_due WHERE d.status = 'retry' "
        "AND d.subset IN (SELECT value FROM json_each(?)) "
        "AND NOT EXISTS (SELECT 1 FROM file AS f WHERE f.image_id = d.image_id AND f.rendition = ?)"
    )
    if selected is not None:
        query += " AND EXISTS (SELECT 1 FROM temp.selected AS s WHERE s.image_id = d.image_id)"
    (count,) = db.execute(query, (json.dumps(subsets), rendition)).fetchone()
    return int(count)
