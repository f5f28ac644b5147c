"""What the database says is on disk, a page at a time, for whoever compares the two.

Every query is a walk or a look-up along a primary key or the index of ImageIDs, so
neither memory nor a page's time grows with the list. There is no index on
`file.path`: over nine million files it would take some 700 MB and a tenth of the
load's speed for ever, and the name of a file is its ImageID, which leads the
primary key already. Files that are named as on Flickr are found by the table of those names.
"""

import json
import sqlite3
from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from oidl.model import Rendition, ResizeMode


class FileRow(NamedTuple):
    """A row of `file`, and the MD5 (base64) that its bytes must have, None where nobody knows.

    An original has the published one; another copy that was kept as it came, the one that was then noted.
    """

    image_id: str
    rendition: str
    path: str
    bytes: int
    width: int
    height: int
    md5: str | None


class MissingRendition(NamedTuple):
    """An image that is done, and a rendition that its run was asked for, of which it has no row in `file`."""

    image_id: str
    rendition: str


class PublishedImage(NamedTuple):
    """What was published of an image, as far as a file of it can be told by that."""

    subset: str
    original_size: int
    original_md5: str


@dataclass(frozen=True, slots=True)
class RunRequirements:
    """What the runs were asked for, in order: `started_at[n]` is when run n began, `renditions[n]` their names.

    Of the names in `kept[n]`, the first stands for any: images are kept under one of them.
    """

    started_at: tuple[str, ...]
    renditions: tuple[frozenset[str], ...]
    kept: tuple[tuple[str, ...], ...]

    def missing_renditions(self, moment: str, present: Collection[str]) -> list[str]:
        """What an image that was done at `moment` must have and has not: one run is at work at a time."""
        number = bisect_right(self.started_at, moment) - 1
        if number < 0:
            return []
        names = set(self.renditions[number])
        if not set(self.kept[number]).intersection(present):
            names.update(self.kept[number][:1])
        return sorted(names.difference(present))


def known_renditions(db: sqlite3.Connection) -> list[tuple[Rendition, int]]:
    """Every rendition, as far as its files' names depend on it, and how many files it has."""
    return [
        (Rendition(name, directory, ResizeMode(mode) if mode else None, format=image_format), files)
        for name, directory, mode, image_format, files in db.execute(
            "SELECT name, directory, mode, format, files FROM rendition ORDER BY name"
        )
    ]


def run_requirements(db: sqlite3.Connection) -> RunRequirements:
    """What all runs were asked for, less what was removed since."""
    removed: dict[str, str] = dict(db.execute("SELECT name, removed_at FROM removed_rendition"))

    def stands(name: str, moment: str) -> bool:
        return removed.get(name, "") < moment

    started_at, renditions, kept = [], [], []
    for moment, text in db.execute("SELECT started_at, settings FROM run ORDER BY started_at, id"):
        settings = json.loads(text)
        originals = settings.get("originals", {})
        started_at.append(moment)
        asked = (rendition["name"] for rendition in settings.get("renditions", ()))
        renditions.append(frozenset(name for name in asked if stands(name, moment)))
        names = originals.get("sources") or [originals.get("rendition", {}).get("name")]
        # Any of them would do: of an image that had the one that was removed, another one is not to be had.
        is_asked = originals.get("save") and all(stands(name, moment) for name in names)
        kept.append(tuple(names) if is_asked else ())
    return RunRequirements(tuple(started_at), tuple(renditions), tuple(kept))


def file_page(db: sqlite3.Connection, after: tuple[str, str], limit: int, since: str = "") -> list[FileRow]:
    """The next `limit` files after `after`, an ImageID and the name of a rendition, written at `since` or later."""
    return [
        FileRow._make(row)
        for row in db.execute(
            "SELECT f.image_id, f.rendition, f.path, f.bytes, f.width, f.height, CASE "
            "WHEN f.conversion IS NOT NULL THEN NULL WHEN f.rendition = 'original' THEN i.original_md5 "
            "WHEN f.rendition = d.source THEN d.md5 END "
            "FROM file AS f CROSS JOIN image AS i ON i.image_id = f.image_id "
            "CROSS JOIN download AS d ON d.image_id = f.image_id "
            "WHERE (f.image_id, f.rendition) > (?, ?) AND f.written_at >= ? ORDER BY f.image_id, f.rendition LIMIT ?",
            (*after, since, limit),
        )
    ]


def count_files(db: sqlite3.Connection, since: str) -> int:
    """How many files were written at `since` or later."""
    count: int = db.execute("SELECT count(*) FROM file WHERE written_at >= ?", (since,)).fetchone()[0]
    return count


def missing_page(
    db: sqlite3.Connection, asked: RunRequirements, after: str, limit: int
) -> tuple[list[MissingRendition], str | None]:
    """What the next `limit` images that are done lack, and the last of those ImageIDs; None where there is no more."""
    rows = db.execute(
        "SELECT d.image_id, d.finished_at, "
        "(SELECT group_concat(f.rendition, char(10)) FROM file AS f WHERE f.image_id = d.image_id) "
        "FROM download AS d WHERE d.status = 'done' AND d.image_id > ? ORDER BY d.image_id LIMIT ?",
        (after, limit),
    ).fetchall()
    lacks = [
        MissingRendition(image_id, name)
        for image_id, finished_at, present in rows
        for name in asked.missing_renditions(finished_at or "", (present or "").split("\n"))
    ]
    return lacks, rows[-1][0] if rows else None


def has_flickr_names(db: sqlite3.Connection) -> bool:
    """Whether there are names of files that are not ImageIDs."""
    return db.execute("SELECT 1 FROM file_name LIMIT 1").fetchone() is not None


def paths_by_name(db: sqlite3.Connection, names: Collection[str]) -> dict[str, list[str]]:
    """For each of `names` (without suffix) the paths, as in `file.path`, of the files that may go by it."""
    asked = json.dumps(tuple(names))
    paths: dict[str, list[str]] = {}
    for name, path in db.execute(
        "SELECT image_id, path FROM file WHERE image_id IN (SELECT value FROM json_each(:names)) UNION ALL "
        "SELECT n.name, f.path FROM file_name AS n CROSS JOIN file AS f ON f.image_id = n.image_id "
        "WHERE n.name IN (SELECT value FROM json_each(:names))",
        {"names": asked},
    ):
        paths.setdefault(name, []).append(path)
    return paths


def listed_images(db: sqlite3.Connection, image_ids: Collection[str]) -> dict[str, PublishedImage]:
    """What was published of those of `image_ids` that are in the list."""
    return {
        image_id: PublishedImage(*row)
        for image_id, *row in db.execute(
            "SELECT image_id, subset, original_size, original_md5 FROM image "
            "WHERE image_id IN (SELECT value FROM json_each(?))",
            (json.dumps(tuple(image_ids)),),
        )
    }
