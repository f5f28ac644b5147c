"""Rows out again, streamed: published rows with what became of their images, and failures."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from oidl.model import Image, Status

_PAGE = 500

_FIELDS = ", ".join(f"i.{field}" for field in Image._fields)


@dataclass(frozen=True, slots=True)
class Settled:
    """A published row that was tried, and its outcome; `status` is never `pending`, `source` whose bytes they were."""

    image: Image
    status: Status
    reason: str | None
    detail: str | None
    next_attempt_at: str | None
    source: str | None = None


def settled_rows(db: sqlite3.Connection) -> Iterator[Settled]:
    """Every image that was tried, streamed in published order."""
    width = len(Image._fields)
    for row in db.execute(
        # CROSS JOIN: along the published rows, looking up each outcome, never the other way round.
        f"SELECT {_FIELDS}, d.status, d.reason, d.detail, d.next_attempt_at, d.source "
        "FROM image AS i CROSS JOIN download AS d ON d.image_id = i.image_id "
        "WHERE d.status <> 'pending' ORDER BY i.rowid"
    ):
        yield Settled(Image._make(row[:width]), *row[width:])


@dataclass(frozen=True, slots=True)
class Failed:
    """An image that failed for good; `url` is the one that was answered last, or the published one."""

    subset: str
    image_id: str
    reason: str
    http_status: int | None
    detail: str | None
    url: str


def failed_rows(db: sqlite3.Connection) -> Iterator[Failed]:
    """Every image that failed for good, in ImageID order.

    By pages, each a read of its own: whoever reads slowly (a pager) would
    otherwise keep a run from ever emptying its WAL.
    """
    after = ""
    while True:
        page = db.execute(
            "SELECT d.subset, d.image_id, d.reason, d.http_status, d.detail, coalesce(d.url, i.original_url) "
            "FROM download AS d CROSS JOIN image AS i ON i.image_id = d.image_id "
            "WHERE d.status = 'failed' AND d.image_id > ? ORDER BY d.image_id LIMIT ?",
            (after, _PAGE),
        ).fetchall()
        for row in page:
            yield Failed(*row)
        if len(page) < _PAGE:
            return
        after = page[-1][1]
