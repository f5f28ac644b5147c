"""Updates a loaded image list to its current version.

New images are added after the others. If an image is now published differently, its row is replaced. If its bytes or
its subset changed, its files no longer belong to it, and it becomes pending again; if only its URL changed, it becomes
pending if it had failed. Images that are no longer in the list are removed unless they are done: files on disk stay,
and keep their rows.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from oidl.model import Image
from oidl.state.arrivals import ARRIVING

_FIELDS = ", ".join(Image._fields)
_OF_ARRIVING = ", ".join(f"a.{name}" for name in Image._fields)
_OF_IMAGE = ", ".join(f"i.{name}" for name in Image._fields)
_PENDING = (
    "UPDATE download SET status = 'pending', next_attempt_at = NULL, reason = NULL, detail = NULL, "
    "http_status = NULL, finished_at = NULL, source = NULL, url = NULL"
)


@dataclass(frozen=True, slots=True)
class Merged:
    """The number of images that a list added, changed and removed; `retained` ones are done and therefore stay."""

    added: int
    changed: int = 0
    removed: int = 0
    retained: int = 0


def merge(db: sqlite3.Connection, subsets: Sequence[str]) -> Merged:
    """Merges the arriving rows, which have an index of ImageIDs and are all in `subsets`, into the image list."""
    marks = ", ".join("?" * len(subsets))
    db.execute(
        "CREATE TEMP TABLE changed AS SELECT a.image_id, "
        "a.original_md5 <> i.original_md5 OR a.original_size <> i.original_size OR a.subset <> i.subset "
        "OR a.rotation IS NOT i.rotation AS is_other, "
        "a.original_url <> i.original_url OR a.thumbnail_300k_url <> i.thumbnail_300k_url AS is_elsewhere "
        f"FROM {ARRIVING} AS a JOIN image AS i USING (image_id) WHERE ({_OF_ARRIVING}) IS NOT ({_OF_IMAGE})"
    )
    db.execute(
        "CREATE TEMP TABLE gone AS SELECT d.image_id, d.status = 'done' OR "
        "EXISTS (SELECT 1 FROM file AS f WHERE f.image_id = d.image_id) AS is_retained "
        f"FROM download AS d WHERE d.subset IN ({marks}) "
        f"AND NOT EXISTS (SELECT 1 FROM {ARRIVING} AS a WHERE a.image_id = d.image_id)",
        subsets,
    )
    changed = _change(db)
    removed = _remove(db)
    (retained,) = db.execute("SELECT count(*) FROM temp.gone WHERE is_retained").fetchone()
    before = db.execute("SELECT coalesce(max(rowid), 0) FROM image").fetchone()
    db.execute(
        f"INSERT INTO image ({_FIELDS}) SELECT {_FIELDS} FROM {ARRIVING} AS a "
        "WHERE NOT EXISTS (SELECT 1 FROM image AS i WHERE i.image_id = a.image_id) ORDER BY a.rowid"
    )
    added = db.execute(
        "INSERT INTO download (image_id, subset) SELECT image_id, subset FROM image WHERE rowid > ? ORDER BY image_id",
        before,
    ).rowcount
    for table in ("changed", "gone"):
        db.execute(f"DROP TABLE temp.{table}")
    # No trigger counts inserted and deleted rows of `download`.
    db.execute("DELETE FROM status_count")
    db.execute(
        "INSERT INTO status_count SELECT subset, status, coalesce(reason, ''), count(*), "
        "sum(iif(source IS 'local', 0, coalesce(bytes, 0))) FROM download GROUP BY 1, 2, 3"
    )
    return Merged(added, changed, removed, retained)


def _change(db: sqlite3.Connection) -> int:
    others = "image_id IN (SELECT image_id FROM temp.changed WHERE is_other)"
    elsewhere = "image_id IN (SELECT image_id FROM temp.changed WHERE is_elsewhere)"
    db.execute(f"DELETE FROM file WHERE {others}")
    db.execute(f"{_PENDING} WHERE {others} OR (status IN ('retry', 'failed') AND {elsewhere})")
    count = db.execute(
        f"UPDATE image SET ({_FIELDS}) = (SELECT {_FIELDS} FROM {ARRIVING} AS a WHERE a.image_id = image.image_id) "
        "WHERE image_id IN (SELECT image_id FROM temp.changed)"
    ).rowcount
    db.execute(
        "UPDATE download SET subset = (SELECT i.subset FROM image AS i WHERE i.image_id = download.image_id) "
        f"WHERE {others}"
    )
    return max(0, count)


def _remove(db: sqlite3.Connection) -> int:
    removed = "image_id IN (SELECT image_id FROM temp.gone WHERE NOT is_retained)"
    count = 0
    for table in ("attempt", "download", "image"):
        count = db.execute(f"DELETE FROM {table} WHERE {removed}").rowcount
    return max(0, count)
