"""The photos whose licence should be checked, page by page: the queries of the checks.

A walk along ImageIDs, a selection or a sample in its own order. An image is left out if it was checked lately, so what
is left to do is a query, and a check that was stopped resumes.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from oidl.model import PublishedPhoto
from oidl.state.connection import StateConnection
from oidl.state.selection import SelectedImages, add_shuffle_key
from oidl.state.times import timestamp

_SAMPLE = "CREATE TEMP TABLE license_sample (place INTEGER PRIMARY KEY, image_id TEXT NOT NULL) STRICT"


@dataclass(frozen=True, slots=True)
class CheckScope:
    """Which images: those that are done, or `all_images`, of `subsets` (empty: all); last checked before `before`.

    With `sample`, only so many of them, drawn by `seed`: the same ones as long as the images are the same, whether they
    were checked or not.
    """

    before: datetime
    subsets: tuple[str, ...] = ()
    all_images: bool = False
    sample: int | None = None
    seed: int = 0


class LicenseQueue:
    """The photos of `scope`, of those `selected` on `db`; None means all images."""

    def __init__(self, db: StateConnection, scope: CheckScope, selected: SelectedImages | None) -> None:
        self._db = db
        self._images, self._key = "download AS d", "d.image_id"
        self._after: str | int = ""
        if selected is not None:
            self._walk_along("selected")
        self._conditions = "true" if scope.all_images else "d.status = 'done'"
        if scope.subsets:
            self._conditions += " AND d.subset IN (SELECT value FROM json_each(:subsets))"
        self._values: dict[str, object] = {"subsets": json.dumps(scope.subsets), "before": timestamp(scope.before)}
        if scope.sample is not None:
            self._draw(scope.sample, scope.seed)
        self._conditions += (
            " AND NOT EXISTS (SELECT 1 FROM license_check AS l "
            "WHERE l.image_id = d.image_id AND l.checked_at >= :before)"
        )

    def count(self) -> int:
        """How many photos are left."""
        (count,) = self._db.execute(
            f"SELECT count(*) FROM {self._images} WHERE {self._conditions}", self._values
        ).fetchone()
        return int(count)

    def page(self, size: int) -> list[PublishedPhoto]:
        """The next `size` photos; fewer, or none, at the end. Each photo comes once."""
        rows = self._db.execute(
            f"SELECT {self._key}, i.image_id, i.subset, i.original_landing_url, i.license, i.author_profile_url, "
            f"i.author FROM {self._images} CROSS JOIN image AS i ON i.image_id = d.image_id "
            f"WHERE {self._key} > :after AND {self._conditions} ORDER BY {self._key} LIMIT :size",
            {**self._values, "after": self._after, "size": size},
        ).fetchall()
        if rows:
            self._after = rows[-1][0]
        return [PublishedPhoto(*row[1:]) for row in rows]

    def _draw(self, size: int, seed: int) -> None:
        """Fills `temp.license_sample`, and walks along it."""
        add_shuffle_key(self._db, seed)
        self._db.execute(_SAMPLE)
        self._db.execute(
            f"INSERT INTO license_sample (image_id) SELECT d.image_id FROM {self._images} WHERE {self._conditions} "
            "ORDER BY shuffle_key(d.image_id) LIMIT :size",
            {**self._values, "size": size},
        )
        self._walk_along("license_sample")

    def _walk_along(self, table: str) -> None:
        # CROSS JOIN fixes the order: along the table, looking up each image.
        self._images = f"temp.{table} AS s CROSS JOIN download AS d ON d.image_id = s.image_id"
        self._key, self._after = "s.place", -1
