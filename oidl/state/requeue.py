"""Returns images to `pending` or `retry`, so that the next run does them again.

Rows in `attempt` stay as history: a reason that is permanent after three tries is
permanent again after one more. A trigger updates the counts.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

from oidl.model import Reason
from oidl.state.connection import transaction
from oidl.state.times import timestamp

# The record of a download stays, because an original on disk may be enough to redo the image.
# It does not stay for failures, because it has the source that failed last.
_PUT_BACK = """
    UPDATE download SET status = 'pending', next_attempt_at = NULL, reason = NULL, detail = NULL,
                        http_status = NULL, finished_at = NULL,
                        source = iif(status = 'failed', NULL, source), url = iif(status = 'failed', NULL, url)
"""


def requeue_failures(
    db: sqlite3.Connection,
    reasons: Collection[Reason],
    *,
    subsets: tuple[str, ...] = (),
    image_ids: Iterable[str] | None = None,
) -> int:
    """Makes permanent failures with one of `reasons` pending again; returns their number.

    Empty `reasons` are all but `license`: images that were removed on purpose come back only by that name. All at once
    or none. Empty `subsets` are all subsets, `image_ids` of None all images.
    """
    query = f"{_PUT_BACK} WHERE status = 'failed'"
    values: list[str] = []
    if not reasons:
        query += f" AND reason IS NOT '{Reason.LICENSE}'"
    for column, allowed in (("reason", reasons), ("subset", subsets)):
        if allowed:
            query += f" AND {column} IN (SELECT value FROM json_each(?))"
            values.append(json.dumps(tuple(allowed)))
    with transaction(db):
        if image_ids is None:
            return db.execute(query, values).rowcount
        each = ((*values, image_id) for image_id in image_ids)
        return max(0, db.executemany(f"{query} AND image_id = ?", each).rowcount)


def requeue_streak(db: sqlite3.Connection, reason: Reason, span: tuple[datetime, datetime], due: datetime) -> int:
    """Revokes the permanent failures for `reason` in the time `span`; returns their number.

    All at once or none. They are retried from `due` on, and no try of that time counts towards giving up.
    """
    since, until = map(timestamp, span)
    values = {"reason": reason, "since": since, "until": until, "due": timestamp(due)}
    of_that_time = "reason = :reason AND at BETWEEN :since AND :until"
    with transaction(db):
        failed = db.execute(
            "UPDATE download SET status = 'retry', next_attempt_at = :due, finished_at = NULL "
            "WHERE status = 'failed' AND reason = :reason "
            f"AND image_id IN (SELECT image_id FROM attempt WHERE {of_that_time})",
            values,
        ).rowcount
        db.execute(f"UPDATE attempt SET counts = 0 WHERE {of_that_time}", values)
    return failed


def end_waits(db: sqlite3.Connection, longest_s: float, *, all_of_them: bool) -> None:
    """Ends the waits of images and the pauses of providers that are longer than `longest_s` seconds, or all of them.

    A wait longer than any that a run can set comes from a wrong clock, or from another limit. A retry without a time is
    due.
    """
    now = datetime.now(UTC)
    latest = timestamp(now) if all_of_them else timestamp(now + timedelta(seconds=longest_s))
    with transaction(db):
        db.execute(
            "UPDATE download SET next_attempt_at = ? WHERE status = 'retry' "
            "AND (next_attempt_at IS NULL OR next_attempt_at > ?)",
            (timestamp(now), latest),
        )
        db.execute("UPDATE pace SET paused_until = NULL WHERE paused_until > ?", (latest,))


def requeue(db: sqlite3.Connection, files: Iterable[tuple[str, str]], image_ids: Iterable[str]) -> int:
    """Removes the rows of `files` (ImageID, rendition) and makes `image_ids` pending; returns how many became pending.

    All at once or none. Images that wait for a retry keep waiting: they are not done.
    """
    with transaction(db):
        db.executemany("DELETE FROM file WHERE image_id = ? AND rendition = ?", files)
        each = ((image_id,) for image_id in image_ids)
        return max(0, db.executemany(f"{_PUT_BACK} WHERE status IN ('done', 'failed') AND image_id = ?", each).rowcount)
