"""The removal of images because of their licence: first the rows, a page at a time, as with a rendition.

An image that is removed has failed for the reason `license`, so no run fetches it again unless it is told to.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from oidl.model import LicenseFilter, Reason
from oidl.state.connection import transaction
from oidl.state.licenses import license_condition
from oidl.state.plan_counts import forget_plan_counts
from oidl.state.removal import RemovedFile
from oidl.state.times import timestamp


@dataclass(frozen=True, slots=True)
class LicensedPage:
    """A page of a removal: where the next one begins ("" at the end), and how many images it removed."""

    after: str
    images: int


def remove_licensed_rows(
    db: sqlite3.Connection, words: Sequence[LicenseFilter], after: str, limit: int
) -> LicensedPage:
    """Removes the rows of all files of up to `limit` images beyond `after` that match `words`; keeps their paths.

    All at once or none. The images have failed then; those that had failed before keep their reason.
    """
    with transaction(db):
        rows = db.execute(
            "SELECT c.image_id, c.verdict, c.license_url FROM license_check AS c "
            "CROSS JOIN download AS d ON d.image_id = c.image_id "
            f"WHERE c.image_id > ? AND {license_condition(words, 'c.image_id')} AND (d.status = 'done' "
            "OR EXISTS (SELECT 1 FROM file AS f WHERE f.image_id = c.image_id)) ORDER BY c.image_id LIMIT ?",
            (after, limit),
        ).fetchall()
        for image_id, verdict, url in rows:
            db.execute(
                "INSERT OR IGNORE INTO removed_file SELECT image_id, rendition, path FROM file WHERE image_id = ?",
                (image_id,),
            )
            db.execute("DELETE FROM file WHERE image_id = ?", (image_id,))
            db.execute(
                "UPDATE download SET status = 'failed', next_attempt_at = NULL, reason = ?, detail = ?, "
                "http_status = NULL, finished_at = ? WHERE image_id = ? AND status <> 'failed'",
                (Reason.LICENSE, f"{verdict}: {url}" if url else verdict, timestamp(), image_id),
            )
        if rows:
            forget_plan_counts(db)
    return LicensedPage(rows[-1][0] if rows else "", len(rows))


def all_files_to_remove(db: sqlite3.Connection, limit: int) -> list[RemovedFile]:
    """Up to `limit` files to delete, of any rendition, without those that a later run made again."""
    with transaction(db):
        db.execute(
            "DELETE FROM removed_file WHERE EXISTS (SELECT 1 FROM file AS f "
            "WHERE f.image_id = removed_file.image_id AND f.rendition = removed_file.rendition)"
        )
    rows = db.execute("SELECT image_id, rendition, path FROM removed_file WHERE image_id <> '' LIMIT ?", (limit,))
    return [RemovedFile._make(row) for row in rows]


def removed_in_packs(db: sqlite3.Connection) -> list[str]:
    """The directories of packs that contain images that were removed because of their licence."""
    rows = db.execute(
        "SELECT s.directory FROM shard_set AS s WHERE s.writer = 'pack' AND EXISTS (SELECT 1 FROM shard_member AS m "
        "CROSS JOIN download AS d ON d.image_id = m.image_id "
        "WHERE m.set_id = s.set_id AND d.status = 'failed' AND d.reason = ?) ORDER BY 1",
        (Reason.LICENSE,),
    )
    return [directory for (directory,) in rows]
