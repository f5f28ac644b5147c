"""The work that is left, page by page: the queries of the feed.

Three walks, each along an index and a page at a time, so that neither memory nor
the time per page grows with the list: images that were never tried, images whose
retry is due, and finished images that lack something this run needs. Images in
flight are not known here; the feed tracks them.
"""

import json
import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from oidl.model import Job, Published, Reason, Rendition, StatusCount, StoreKind
from oidl.state.connection import StateConnection
from oidl.state.known import known_status
from oidl.state.licenses import CHECK_COLUMNS
from oidl.state.sample_annotations import SampleAnnotations
from oidl.state.selection import SelectedImages
from oidl.state.shards import IS_REMOTE
from oidl.state.times import parse_timestamp, timestamp
from oidl.state.translate import translating_sqlite_errors

_ROTATION = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]*)?")
_FEW = 10_000  # up to this many selected images, retries are found among them, not among all retries

_COLUMNS = f"""
    d.image_id, d.subset, i.original_url, i.original_size, i.original_md5, i.thumbnail_300k_url,
    (SELECT group_concat(f.rendition, char(10)) FROM file AS f WHERE f.image_id = d.image_id),
    (SELECT f.path FROM file AS f WHERE f.image_id = d.image_id AND f.rendition = 'original' AND f.conversion IS NULL
     AND NOT {IS_REMOTE.format("f")}),
    i.rotation, d.status, d.reason
"""
_PUBLISHED = f"i.license, i.author, i.author_profile_url, i.title, i.original_landing_url, {CHECK_COLUMNS}"
_CLASSES = "(SELECT group_concat(m.class, char(10)) FROM temp.member AS m WHERE m.image_id = d.image_id)"
_IS_OF_CLASSES = """
    EXISTS (SELECT 1 FROM temp.member AS m
            WHERE m.image_id = d.image_id AND m.class IN (SELECT value FROM json_each(:classes)))
"""

# The number of required renditions that an image has; its parameters are `required_values`.
PRESENT = """
    ((SELECT count(*) FROM file AS f
      WHERE f.image_id = d.image_id AND f.rendition IN (SELECT value FROM json_each(:required)))
     + EXISTS (SELECT 1 FROM file AS f
               WHERE f.image_id = d.image_id AND f.rendition IN (SELECT value FROM json_each(:original_names))))
"""
_TRIED = "EXISTS (SELECT 1 FROM attempt AS a WHERE a.image_id = d.image_id AND a.run_id = :run)"
_TRIES = """
    (SELECT count(*) FROM attempt AS a
     WHERE a.image_id = d.image_id AND a.run_id = :run AND a.source_index = 0
     AND a.reason NOT IN (SELECT value FROM json_each(:uncounted)))
"""


def required_values(required: Iterable[Rendition], original_names: Collection[str]) -> dict[str, str | int]:
    """The parameters of `PRESENT` and `required_count`.

    Any name in `original_names` satisfies the one of them that is required.
    """
    names = [rendition.name for rendition in required]
    return {
        "required": json.dumps([name for name in names if name not in original_names]),
        "original_names": json.dumps(sorted(original_names)),
        "required_count": len(names),
    }


class ScheduledRetries(NamedTuple):
    """The number of images that wait for a retry, and when the first and the last of them are due."""

    images: int = 0
    first: datetime | None = None
    last: datetime | None = None


class Queue:
    """The images of one selection that still lack one of `required`.

    `db` is the feed's own reader, on which `selected` was selected; None means all images, empty `subsets` all
    subsets. With `again_before`, images that were done before that time are done again, and every rendition counts as
    missing. Any name in `original_names`, the names for unchanged images, satisfies the one that is required. An image
    is tried `max_tries` times in run `run_id`, not counting reasons in `uncounted`.
    """

    def __init__(
        self,
        db: StateConnection,
        required: tuple[Rendition, ...],
        *,
        run_id: int,
        max_tries: int,
        uncounted: Iterable[Reason] = (),
        subsets: tuple[str, ...] = (),
        selected: SelectedImages | None = None,
        again_before: datetime | None = None,
        original_names: Iterable[str] = (),
    ) -> None:
        self._db = db
        self._original_names = frozenset(original_names)
        self._required = required
        self._again_before = timestamp(again_before) if again_before else None
        self._values = {
            "run": run_id,
            "max_tries": max_tries,
            "uncounted": json.dumps(tuple(uncounted)),
            "subsets": json.dumps(subsets),
            **required_values(required, self._original_names),
            "again_before": self._again_before,
        }
        self._filter = "d.subset IN (SELECT value FROM json_each(:subsets))" if subsets else "true"
        self._images, self._key, self._after = "download AS d", "d.image_id", ":after"
        self._retries = "download AS d INDEXED BY download_due"
        self._are_selected = selected is not None
        is_by_class = selected is not None and selected.is_by_class
        self._annotations = SampleAnnotations(db)
        self._has_shards = any(rendition.store is not StoreKind.FILES for rendition in required)
        self._columns = f"{_COLUMNS}, {_CLASSES if is_by_class else 'NULL'}"
        if self._has_shards:
            self._columns += f", {_PUBLISHED}"
        if selected is not None:
            # CROSS JOIN fixes the order: walk along the selection in its own order and look up each image.
            self._images = "temp.selected AS c CROSS JOIN download AS d ON d.image_id = c.image_id"
            self._key = "c.place"
            self._after = "coalesce((SELECT a.place FROM temp.selected AS a WHERE a.image_id = :after), 0)"
            if selected.images <= _FEW:
                self._retries = self._images
            else:
                self._filter = "EXISTS (SELECT 1 FROM temp.selected AS c WHERE c.image_id = d.image_id)"

    def status_counts(self) -> list[StatusCount]:
        """The number of selected images by status; from `status_count` unless there is a selection."""
        if self._are_selected:
            query = (
                f"SELECT d.subset, d.status, d.reason, count(*) FROM {self._images} WHERE {self._filter} "
                "GROUP BY d.subset, d.status, d.reason"
            )
        else:
            query = (
                "SELECT d.subset, d.status, d.reason, d.images FROM status_count AS d "
                f"WHERE d.images > 0 AND {self._filter}"
            )
        return [
            StatusCount(subset, known_status(status), Reason.of(reason), images)
            for subset, status, reason, images in self._db.execute(query, self._values)
        ]

    def plan_status_counts(self) -> list[StatusCount]:
        """The same for selected images, but one that lacks something, or must be done again, is pending."""
        lacks = "d.finished_at < :again_before" if self._again_before else f"{PRESENT} < :required_count"
        status = f"iif(d.status = 'done' AND {lacks}, 'pending', d.status)"
        return [
            StatusCount("", known_status(status), Reason.of(reason), images)
            for status, reason, images in self._db.execute(
                f"SELECT {status}, d.reason, count(*) FROM {self._images} WHERE {self._filter} GROUP BY 1, 2",
                self._values,
            )
        ]

    def pending(self, after: str, limit: int, of_class: str | None = None) -> list[Job]:
        """The next `limit` images after ImageID `after` that were never tried, in ImageID or selection order.

        `of_class` is one of the classes that images are counted by, None for any image.
        """
        return self._walk("d.status = 'pending'", after, limit, of_class)

    def incomplete(self, after: str, limit: int, of_class: str | None = None) -> list[Job]:
        """The next `limit` finished images after ImageID `after` that lack a required rendition."""
        if self._again_before:
            return self._walk("d.status = 'done' AND d.finished_at < :again_before", after, limit, of_class)
        if not self._required:
            return []
        return self._walk(f"d.status = 'done' AND {PRESENT} < :required_count", after, limit, of_class)

    def due(self, now: datetime, limit: int, *, already_tried: bool, classes: Iterable[str] | None = None) -> list[Job]:
        """Up to `limit` images whose retry is due, the longest due first.

        With `already_tried`, those that this run tried before and may try again; without,
        those that wait since an earlier run. Only those of `classes`, unless that is None.
        """
        condition = f"{_TRIED} AND {_TRIES} < :max_tries" if already_tried else f"NOT {_TRIED}"
        condition, values = self._of_classes(condition, classes)
        return self._work(
            f"SELECT {self._columns} FROM {self._retries} CROSS JOIN image AS i ON i.image_id = d.image_id "
            f"WHERE d.status = 'retry' AND d.next_attempt_at <= :now AND {self._filter} AND {condition} "
            "ORDER BY d.next_attempt_at LIMIT :limit",
            now=timestamp(now),
            limit=limit,
            **values,
        )

    def retries(
        self, *, already_tried: bool | None = None, classes: Iterable[str] | None = None
    ) -> tuple[int, datetime | None]:
        """The number of selected images that wait for a retry, and when the first that this run may try is due.

        If `already_tried` is True, the first of those that this run has tried before; if False, of the others. In both
        cases only those of `classes`, unless that is None.
        """
        condition = f"{_TRIES} < :max_tries"
        if already_tried is not None:
            condition += f" AND {_TRIED}" if already_tried else f" AND NOT {_TRIED}"
        condition, values = self._of_classes(condition, classes)
        count, first = self._db.execute(
            f"SELECT count(*), min(iif({condition}, d.next_attempt_at, NULL)) FROM {self._retries} "
            f"WHERE d.status = 'retry' AND d.next_attempt_at >= '' AND {self._filter}",
            {**self._values, **values},
        ).fetchone()
        return count, parse_timestamp(first)

    def has_left(self) -> bool:
        """Whether a selected image is not settled: it waits, was never tried, or lacks something."""
        return bool(self.scheduled_retries().images or self.pending("", 1) or self.incomplete("", 1))

    def scheduled_retries(self, classes: Iterable[str] | None = None) -> ScheduledRetries:
        """The selected images (or those of `classes`) that wait for a retry, and are left for the next run."""
        condition, values = self._of_classes("true", classes)
        count, first, last = self._db.execute(
            f"SELECT count(*), min(d.next_attempt_at), max(d.next_attempt_at) FROM {self._retries} "
            f"WHERE d.status = 'retry' AND d.next_attempt_at >= '' AND {self._filter} AND {condition}",
            {**self._values, **values},
        ).fetchone()
        return ScheduledRetries(count, parse_timestamp(first), parse_timestamp(last)) if count else ScheduledRetries()

    @staticmethod
    def _of_classes(condition: str, classes: Iterable[str] | None) -> tuple[str, dict[str, str]]:
        """`condition`, extended to images of `classes`; None for any image."""
        if classes is None:
            return condition, {}
        return f"{condition} AND {_IS_OF_CLASSES}", {"classes": json.dumps(tuple(classes))}

    def _walk(self, condition: str, after: str, limit: int, of_class: str | None) -> list[Job]:
        images = self._images
        if of_class is not None:
            images = "temp.member AS c CROSS JOIN download AS d ON d.image_id = c.image_id"
            condition += " AND c.class = :of_class"
        return self._work(
            f"SELECT {self._columns} FROM {images} CROSS JOIN image AS i ON i.image_id = d.image_id "
            f"WHERE {self._key} > {self._after} AND {condition} AND {self._filter} ORDER BY {self._key} LIMIT :limit",
            after=after,
            limit=limit,
            of_class=of_class,
        )

    def _work(self, query: str, **values: object) -> list[Job]:
        with translating_sqlite_errors(self._db.path):
            rows = self._db.execute(query, {**self._values, **values}).fetchall()
            published = self._published(rows)
        return [
            Job(
                image_id=row[0],
                subset=row[1],
                original_url=row[2],
                original_size=row[3],
                original_md5=row[4],
                thumbnail_300k_url=row[5],
                missing_renditions=self._missing_renditions(row[6]),
                saved_original=row[7],
                rotation=_degrees(row[8]),
                status=known_status(row[9]),
                reason=Reason.of(row[10]),
                classes=tuple(row[11].split("\n")) if row[11] else (),
                published=published.get(row[0]),
            )
            for row in rows
        ]

    def _published(self, rows: Sequence[Sequence[Any]]) -> dict[str, Published]:
        """What samples say of these images; empty unless a rendition goes to shards."""
        if not self._has_shards:
            return {}
        annotations = self._annotations.of([row[0] for row in rows])
        return {
            row[0]: Published._make(
                (*row[12:17], _degrees(row[8]) if row[8] else -1, *annotations.get(row[0], ((), ())), *row[17:])
            )
            for row in rows
        }

    def _missing_renditions(self, present: str | None) -> tuple[Rendition, ...]:
        if self._again_before or not present:
            return self._required
        names = set(present.split("\n"))
        if names & self._original_names:
            names |= self._original_names
        return tuple(rendition for rendition in self._required if rendition.name not in names)


def _degrees(rotation: str | None) -> int:
    """The published rotation (`90.0`, empty, or None in older lists) in degrees; 0 if it is not a number."""
    return round(float(rotation)) % 360 if rotation and _ROTATION.fullmatch(rotation) else 0
