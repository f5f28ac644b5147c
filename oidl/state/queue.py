"""What is left to do, asked page by page: the feed's queries.

Three walks, each along an index and each a page at a time, so that neither
memory nor a page's time grows with the list: images that were never tried,
images whose retry is due, and finished images that lack something this run
asks for. Who is in flight is not known here; claims live in the feed.
"""

import sqlite3
from collections.abc import Iterable
from datetime import datetime

from oidl.model import ORIGINAL, Rendition, Work
from oidl.state.database import timestamp

_COLUMNS = """
    d.image_id, d.subset, i.original_url, i.original_size, i.original_md5, i.thumbnail_300k_url,
    (SELECT group_concat(f.rendition, char(10)) FROM file AS f WHERE f.image_id = d.image_id),
    (SELECT f.path FROM file AS f WHERE f.image_id = d.image_id AND f.rendition = 'original')
"""


class Queue:
    """The images of one selection that still lack one of `wanted`.

    `db` is a reader of the feed's own. `image_ids` None means all images,
    `subsets` empty all subsets. With `again_before`, images that were done
    before that time are to be done again, and every rendition counts as lacking.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        wanted: tuple[Rendition, ...],
        *,
        subsets: tuple[str, ...] = (),
        image_ids: Iterable[str] | None = None,
        again_before: datetime | None = None,
    ) -> None:
        self._db = db
        self._wanted = wanted
        self._again_before = timestamp(again_before) if again_before else None
        self._subsets = subsets
        self._in_subsets = f"AND d.subset IN ({', '.join('?' * len(subsets))})" if subsets else ""
        self._images = "download AS d"
        if image_ids is not None:
            db.execute("CREATE TEMP TABLE chosen (image_id TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID")
            db.execute("BEGIN")
            db.executemany("INSERT OR IGNORE INTO chosen VALUES (?)", ((image_id,) for image_id in image_ids))
            db.execute("COMMIT")
            # CROSS JOIN fixes the order: walk the few that were chosen, look each of them up.
            self._images = "temp.chosen AS c CROSS JOIN download AS d ON d.image_id = c.image_id"

    def unknown_ids(self) -> tuple[int, tuple[str, ...]]:
        """How many of the chosen ImageIDs are not in the list, and the first few of them."""
        absent = "FROM temp.chosen AS c WHERE c.image_id NOT IN (SELECT d.image_id FROM download AS d)"
        (count,) = self._db.execute(f"SELECT count(*) {absent}").fetchone()
        return count, tuple(
            image_id for (image_id,) in self._db.execute(f"SELECT c.image_id {absent} LIMIT 5")
        )

    def untried(self, after: str, limit: int) -> list[Work]:
        """The next `limit` images after ImageID `after` that were never tried, in ImageID order."""
        return self._walk("d.status = 'pending'", (), after, limit)

    def incomplete(self, after: str, limit: int) -> list[Work]:
        """The next `limit` finished images after ImageID `after` that lack a wanted rendition."""
        if self._again_before:
            return self._walk("d.status = 'done' AND d.finished_at < ?", (self._again_before,), after, limit)
        if not self._wanted:
            return []
        names = [rendition.name for rendition in self._wanted]
        present = (
            "SELECT count(*) FROM file AS f WHERE f.image_id = d.image_id "
            f"AND f.rendition IN ({', '.join('?' * len(names))})"
        )
        return self._walk(f"d.status = 'done' AND ({present}) < ?", (*names, len(names)), after, limit)

    def due(self, now: datetime, limit: int) -> list[Work]:
        """Up to `limit` images whose time to be tried again has come, the longest due first."""
        return self._work(
            f"SELECT {_COLUMNS} FROM {self._retries} JOIN image AS i ON i.image_id = d.image_id "
            f"WHERE d.status = 'retry' AND d.next_attempt_at <= ? {self._in_subsets} "
            "ORDER BY d.next_attempt_at LIMIT ?",
            (timestamp(now), *self._subsets, limit),
        )

    def retries(self) -> tuple[int, datetime | None]:
        """How many selected images wait to be tried again, and when the first of them is due."""
        count, first = self._db.execute(
            f"SELECT count(*), min(d.next_attempt_at) FROM {self._retries} "
            f"WHERE d.status = 'retry' AND d.next_attempt_at >= '' {self._in_subsets}",
            self._subsets,
        ).fetchone()
        return count, datetime.fromisoformat(first) if first else None

    @property
    def _retries(self) -> str:
        if self._images == "download AS d":
            return "download AS d INDEXED BY download_due"
        return self._images

    def _walk(self, condition: str, values: tuple[object, ...], after: str, limit: int) -> list[Work]:
        return self._work(
            f"SELECT {_COLUMNS} FROM {self._images} CROSS JOIN image AS i ON i.image_id = d.image_id "
            f"WHERE d.image_id > ? AND {condition} {self._in_subsets} ORDER BY d.image_id LIMIT ?",
            (after, *values, *self._subsets, limit),
        )

    def _work(self, query: str, values: tuple[object, ...]) -> list[Work]:
        return [
            Work(*published, self._lacking(present), saved_original)
            for *published, present, saved_original in self._db.execute(query, values)
        ]

    def _lacking(self, present: str | None) -> tuple[Rendition, ...]:
        if self._again_before or not present:
            return self._wanted
        names = present.split("\n")
        return tuple(rendition for rendition in self._wanted if rendition.name not in names)


assert ORIGINAL == "original", "the query above names it"
