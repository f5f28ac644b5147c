"""The files on disk according to the database, a page at a time, for the comparison of the two.

Every query is a walk or a look-up along a primary key or the index of ImageIDs,
so neither memory nor the time per page grows with the list. There is no index on
`file.path`: for nine million files it would take some 700 MB and permanently a
tenth of the loading speed, and the name of a file is its ImageID, which leads the
primary key. Files with Flickr names are found by the table of those names.
"""

import json
import sqlite3
from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from oidl.model import Rendition
from oidl.state.known import known_mode
from oidl.state.shards import IMAGE_FORMAT, RecordedSample, recorded_samples


class FileRow(NamedTuple):
    """A row of `file`, and the MD5 (base64) that its bytes must have, None if unknown.

    For an original it is the published one; for another unchanged copy, the one recorded at the download. `sample` is
    set for an image in a shard whose place is recorded.
    """

    image_id: str
    rendition: str
    path: str
    bytes: int
    width: int
    height: int
    md5: str | None
    image_format: str = ""
    sample: RecordedSample | None = None


class MissingRendition(NamedTuple):
    """An image that is done, and a rendition that its run requested but that has no row in `file`."""

    image_id: str
    rendition: str


class PublishedImage(NamedTuple):
    """The published values that identify a file of an image."""

    subset: str
    original_size: int
    original_md5: str


@dataclass(frozen=True, slots=True)
class RunRequirements:
    """The requested renditions of the runs, in order: run n began at `started_at[n]` and requested `renditions[n]`.

    The first of the names in `original_names[n]` stands for any of them: unchanged images have one of these names.
    """

    started_at: tuple[str, ...]
    renditions: tuple[frozenset[str], ...]
    original_names: tuple[tuple[str, ...], ...]

    def missing_renditions(self, moment: str, present: Collection[str]) -> list[str]:
        """The renditions that an image done at `moment` lacks; only one run is active at a time."""
        number = bisect_right(self.started_at, moment) - 1
        if number < 0:
            return []
        names = set(self.renditions[number])
        if not set(self.original_names[number]).intersection(present):
            names.update(self.original_names[number][:1])
        return sorted(names.difference(present))


def known_renditions(db: sqlite3.Connection) -> list[tuple[Rendition, int]]:
    """Every rendition, with the fields that determine the names of its files, and its number of files.

    Raises `StateError` for an unknown resize mode.
    """
    return [
        (Rendition(name, directory, known_mode(mode), format=image_format), files)
        for name, directory, mode, image_format, files in db.execute(
            "SELECT name, directory, mode, format, files FROM rendition ORDER BY name"
        )
    ]


def unfinished_tokens(db: sqlite3.Connection) -> frozenset[str]:
    """The marks of the temporary files of runs that are active or were killed."""
    rows = db.execute("SELECT token FROM run WHERE token NOTNULL AND finished_at IS NULL")
    return frozenset(token for (token,) in rows)


def run_requirements(db: sqlite3.Connection) -> RunRequirements:
    """The requirements of all runs, without renditions that were removed later."""
    removed: dict[str, str] = dict(db.execute("SELECT name, removed_at FROM removed_rendition"))

    def is_required(name: str, moment: str) -> bool:
        return removed.get(name, "") < moment

    started_at, renditions, original_names = [], [], []
    for moment, text in db.execute("SELECT started_at, settings FROM run ORDER BY started_at, id"):
        made, names = _required(text)
        started_at.append(moment)
        renditions.append(frozenset(name for name in made if is_required(name, moment)))
        # Any of them is enough, so an image whose file was removed with one of them does not lack another.
        original_names.append(names if all(is_required(name, moment) for name in names) else ())
    return RunRequirements(tuple(started_at), tuple(renditions), tuple(original_names))


def _required(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The renditions that a run with these settings makes of each image, and the originals of which it keeps one.

    Both are empty for settings that cannot be read, because people edit the table.
    """
    try:
        settings = json.loads(text)
        originals = settings.get("originals", {})
        original_names = originals.get("sources") or [originals.get("rendition", {}).get("name")]
        names = tuple(str(each["name"]) for each in settings.get("renditions", ()))
        return names, tuple(map(str, original_names)) if originals.get("save") else ()
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return (), ()


def file_page(db: sqlite3.Connection, after: tuple[str, str], limit: int, since: str = "") -> list[FileRow]:
    """The next `limit` files after `after`, an ImageID and the name of a rendition, written at `since` or later."""
    rows = [
        FileRow._make(row)
        for row in db.execute(
            "SELECT f.image_id, f.rendition, f.path, f.bytes, f.width, f.height, CASE "
            "WHEN f.conversion IS NOT NULL THEN NULL WHEN f.rendition = 'original' THEN i.original_md5 "
            "WHEN f.rendition = d.source THEN d.md5 END, "
            f"{IMAGE_FORMAT}, NULL FROM file AS f CROSS JOIN image AS i ON i.image_id = f.image_id "
            "CROSS JOIN download AS d ON d.image_id = f.image_id "
            "WHERE (f.image_id, f.rendition) > (?, ?) AND f.written_at >= ? ORDER BY f.image_id, f.rendition LIMIT ?",
            (*after, since, limit),
        )
    ]
    samples = recorded_samples(db, {row.image_id for row in rows})
    return [row._replace(sample=samples.get((row.image_id, row.path.rpartition("#")[0]))) for row in rows]


def count_files(db: sqlite3.Connection, since: str) -> int:
    """The number of files that were written at `since` or later."""
    count: int = db.execute("SELECT count(*) FROM file WHERE written_at >= ?", (since,)).fetchone()[0]
    return count


def missing_page(
    db: sqlite3.Connection, requirements: RunRequirements, after: str, limit: int
) -> tuple[list[MissingRendition], str | None]:
    """The renditions that the next `limit` done images lack, and the last of their ImageIDs; None at the end."""
    rows = db.execute(
        "SELECT d.image_id, d.finished_at, "
        "(SELECT group_concat(f.rendition, char(10)) FROM file AS f WHERE f.image_id = d.image_id) "
        "FROM download AS d WHERE d.status = 'done' AND d.image_id > ? ORDER BY d.image_id LIMIT ?",
        (after, limit),
    ).fetchall()
    lacks = [
        MissingRendition(image_id, name)
        for image_id, finished_at, present in rows
        for name in requirements.missing_renditions(finished_at or "", (present or "").split("\n"))
    ]
    return lacks, rows[-1][0] if rows else None


def has_flickr_names(db: sqlite3.Connection) -> bool:
    """Whether there are file names that are not ImageIDs."""
    return db.execute("SELECT 1 FROM file_name LIMIT 1").fetchone() is not None


def paths_by_name(db: sqlite3.Connection, names: Collection[str]) -> dict[str, list[str]]:
    """For each of `names` (without suffix) the paths, as in `file.path`, of the files that may have it."""
    paths: dict[str, list[str]] = {}
    for name, path in db.execute(
        "SELECT image_id, path FROM file WHERE image_id IN (SELECT value FROM json_each(:names)) UNION ALL "
        "SELECT n.name, f.path FROM file_name AS n CROSS JOIN file AS f ON f.image_id = n.image_id "
        "WHERE n.name IN (SELECT value FROM json_each(:names))",
        {"names": json.dumps(tuple(names))},
    ):
        paths.setdefault(name, []).append(path)
    return paths


def listed_images(db: sqlite3.Connection, image_ids: Collection[str]) -> dict[str, PublishedImage]:
    """The published values of those of `image_ids` that are in the list."""
    return {
        image_id: PublishedImage(*row)
        for image_id, *row in db.execute(
            "SELECT image_id, subset, original_size, original_md5 FROM image "
            "WHERE image_id IN (SELECT value FROM json_each(?))",
            (json.dumps(tuple(image_ids)),),
        )
    }
