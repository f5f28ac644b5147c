"""What the rows of earlier runs say."""

import sqlite3


def was_on_cluster(db: sqlite3.Connection) -> bool:
    """Whether any run of this root, including the one that began last, had nodes on a cluster."""
    query = "SELECT EXISTS (SELECT 1 FROM run WHERE json_extract(settings, '$.cluster') NOTNULL)"
    (answer,) = db.execute(query).fetchone()
    return bool(answer)
