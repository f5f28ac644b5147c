"""Published rows out again, each with what became of its image, in published order."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from oidl.model import Image, Status

_FIELDS = ", ".join(f"i.{field}" for field in Image._fields)


@dataclass(frozen=True, slots=True)
class Settled:
    """A published row that was tried, and its outcome; `status` is never `pending`."""

    image: Image
    status: Status
    reason: str | None
    detail: str | None
    next_attempt_at: str | None


def settled_rows(db: sqlite3.Connection) -> Iterator[Settled]:
    """Every image that was tried, streamed in published order."""
    width = len(Image._fields)
    for row in db.execute(
        # CROSS JOIN: along the published rows, looking up each outcome, never the other way round.
        f"SELECT {_FIELDS}, d.status, d.reason, d.detail, d.next_attempt_at "
        "FROM image AS i CROSS JOIN download AS d ON d.image_id = i.image_id "
        "WHERE d.status <> 'pending' ORDER BY i.rowid"
    ):
        yield Settled(Image._make(row[:width]), *row[width:])
