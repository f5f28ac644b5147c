"""Published rows with the outcomes of their images, and failures, both streamed."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace

from oidl.model import Image, Status
from oidl.state.selection import SelectedImages
from oidl.text import without_passwords

_PAGE = 500

_FIELDS = ", ".join(f"i.{field}" for field in Image._fields)


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """The published row of a tried image, and its outcome; `status` is never `pending`, `source` is the used source.

    The last three are those of its licence check, None without one.
    """

    image: Image
    status: Status
    reason: str | None
    detail: str | None
    next_attempt_at: str | None
    source: str | None = None
    license_verdict: str | None = None
    license_now: str | None = None
    license_checked: str | None = None


# An ordered walk along the selected rows: SQLite sorts only the row numbers, not the contents.
_OF_SELECTED = "i.rowid IN (SELECT n.rowid FROM temp.selected AS c CROSS JOIN image AS n ON n.image_id = c.image_id)"


def outcome_rows(
    db: sqlite3.Connection,
    subsets: tuple[str, ...] = (),
    selected: SelectedImages | None = None,
    *,
    with_license: bool = False,
) -> Iterator[OutcomeRow]:
    """Every tried image of `subsets` (empty: all) and of the selection made on `db`, in published order.

    Its licence check is looked up only `with_license`.
    """
    width = len(Image._fields)
    check, checks = "NULL, NULL, NULL", ""
    if with_license:
        check = "c.verdict, c.license_url, c.checked_at"
        checks = "LEFT JOIN license_check AS c ON c.image_id = d.image_id "
    conditions = ["d.status <> 'pending'"]
    if subsets:
        conditions.append("i.subset IN (SELECT value FROM json_each(:subsets))")
    if selected:
        conditions.append(_OF_SELECTED)
    for row in db.execute(
        # CROSS JOIN: walk along the published rows and look up each outcome, never the other way round.
        f"SELECT {_FIELDS}, d.status, d.reason, d.detail, d.next_attempt_at, d.source, {check} "
        f"FROM image AS i CROSS JOIN download AS d ON d.image_id = i.image_id {checks}"
        f"WHERE {' AND '.join(conditions)} ORDER BY i.rowid",
        {"subsets": json.dumps(subsets)},
    ):
        yield OutcomeRow(Image._make(row[:width]), *row[width:])


@dataclass(frozen=True, slots=True)
class FailedImage:
    """An image that failed permanently; `url` is the one that answered last, or the published one."""

    subset: str
    image_id: str
    reason: str
    http_status: int | None
    detail: str | None
    url: str


def failed_rows(db: sqlite3.Connection, *, page_size: int = _PAGE) -> Iterator[FailedImage]:
    """Every image that failed permanently, in ImageID order.

    Each page is a separate read of `page_size` rows: a slow reader (a pager) would otherwise keep a
    run from ever emptying its WAL.
    """
    after = ""
    while True:
        page = db.execute(
            "SELECT d.subset, d.image_id, d.reason, d.http_status, d.detail, coalesce(d.url, i.original_url) "
            "FROM download AS d CROSS JOIN image AS i ON i.image_id = d.image_id "
            "WHERE d.status = 'failed' AND d.image_id > ? ORDER BY d.image_id LIMIT ?",
            (after, page_size),
        ).fetchall()
        for row in page:
            image = FailedImage(*row)
            yield replace(image, url=without_passwords(image.url))
        if len(page) < page_size:
            return
        after = page[-1][1]
