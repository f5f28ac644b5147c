"""The status counts of the images of a root's plan.

A run makes the selection on its own connection, and `oidl status` is too short to repeat it. So a run counts its images
once, and updates the counts with each outcome, in the same transaction: they are as true as the rows. Changes of images
outside a run discard the counts.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from oidl.model import Job, Status, StatusCount
from oidl.state.complete import ClassCount
from oidl.state.known import known_status
from oidl.state.plan import read_plan

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """The images of the plan by status and by reason; `done` ones have every requested rendition.

    `limit` and `limit_per_class` are those of the plan. `classes` is the number of counted classes, `full_classes` of
    those that reached the limit; `short` has a few of the others, by name, and their number of images.
    """

    by_status: Mapping[Status, int]
    by_reason: Mapping[str, Mapping[Status, int]] = field(default_factory=dict)
    limit: int | None = None
    limit_per_class: int | None = None
    classes: int = 0
    full_classes: int = 0
    short: Mapping[str, int] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """The number of all images that match the plan."""
        return sum(self.by_status.values())

    @property
    def is_full(self) -> bool:
        """Whether every class has as many images as were asked for."""
        return 0 < self.classes == self.full_classes

    @property
    def is_enough(self) -> bool:
        """Whether as many images are done as the limit asks for."""
        return self.limit is not None and self.by_status[Status.DONE] >= self.limit

    @property
    def left(self) -> int:
        """The number of unsettled images, up to the limit; 0 if every class is full, but too many if only some are."""
        if self.is_full:
            return 0
        left = self.by_status[Status.PENDING] + self.by_status[Status.RETRY]
        if self.limit is None:
            return left
        return max(0, min(left, self.limit - self.by_status[Status.DONE]))


def write_plan_counts(
    db: sqlite3.Connection, status_counts: Iterable[StatusCount], classes: Mapping[str, ClassCount]
) -> None:
    """Records the counts of the plan, inside the caller's transaction; nothing for the whole list."""
    forget_plan_counts(db)
    db.executemany(
        "INSERT INTO plan_status_count VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET images = images + excluded.images",
        ((status, reason or "", images) for _, status, reason, images in status_counts),
    )
    db.executemany(
        "INSERT INTO plan_class VALUES (?, ?, ?)",
        ((name, each.images, each.complete) for name, each in classes.items()),
    )


def forget_plan_counts(db: sqlite3.Connection) -> None:
    """Discards the counts of the plan because images changed; the next run counts them again."""
    db.execute("DELETE FROM plan_status_count")
    db.execute("DELETE FROM plan_class")


def move_plan_counts(db: sqlite3.Connection, job: Job, status: Status, reason: str | None) -> None:
    """Records the new `status` of `job`, an image of the plan, inside the caller's transaction."""
    # An image that was done counted as pending, because it lacked something.
    before = Status.PENDING if job.status is Status.DONE else job.status
    db.execute(
        "UPDATE plan_status_count SET images = images - 1 WHERE status = ? AND reason = ?", (before, job.reason or "")
    )
    db.execute(
        "INSERT INTO plan_status_count VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET images = images + 1",
        (status, reason or ""),
    )
    if status is Status.DONE and job.classes:
        db.execute(
            "UPDATE plan_class SET done = done + 1 WHERE label_name IN (SELECT value FROM json_each(?))",
            (json.dumps(job.classes),),
        )


def read_plan_counts(db: sqlite3.Connection) -> PlanCounts | None:
    """The counts of the plan; None if it covers the whole list, or if no run counted its images."""
    plan = read_plan(db)
    rows = db.execute("SELECT status, reason, images FROM plan_status_count WHERE images > 0").fetchall()
    subset = plan.get("subset")
    if not rows and subset and not any(plan.get(option) for option in _CHOOSING):
        rows = db.execute(
            "SELECT status, reason, images FROM status_count "
            "WHERE images > 0 AND subset IN (SELECT value FROM json_each(?))",
            (json.dumps(subset),),
        ).fetchall()
        (total,) = db.execute("SELECT sum(images) FROM status_count").fetchone()
        rows = [] if sum(images for *_, images in rows) == total else rows
    if not rows:
        return None
    by_status = dict.fromkeys(Status, 0)
    by_reason: dict[str, dict[Status, int]] = {}
    for status, reason, images in rows:
        by_status[known_status(status)] += images
        if reason and status in (Status.FAILED, Status.RETRY):
            by_reason.setdefault(reason, dict.fromkeys(Status, 0))[known_status(status)] += images
    limit, per_class = _number(plan.get("limit")), _number(plan.get("limit_per_class"))
    classes, full = db.execute("SELECT count(*), coalesce(sum(done >= ?), 0) FROM plan_class", (per_class,)).fetchone()
    short = db.execute(
        "SELECT coalesce(c.display_name, p.label_name), p.done "
        "FROM plan_class AS p LEFT JOIN class AS c USING (label_name) WHERE p.done < ? ORDER BY 1 LIMIT ?",
        (per_class, _MOST_NAMED),
    )
    return PlanCounts(by_status, by_reason, limit, per_class, classes, full, dict(short.fetchall()))


def images_left(db: sqlite3.Connection) -> int:
    """How many images the next run has left to do; 0 if that is not known.

    It is not if no run has counted them, nor for a limit per class before it is reached.
    """
    if counts := read_plan_counts(db):
        return counts.left if counts.limit_per_class is None else 0
    if any(read_plan(db).get(option) for option in _CHOOSING):
        return 0
    (left,) = db.execute("SELECT sum(images) FROM status_count WHERE status IN ('pending', 'retry')").fetchone()
    return left or 0


_CHOOSING = ("limit", "image_ids", "classes", "label_types", "attributes", "min_box_area", "where", "limit_per_class")


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
