"""The shards that runs write: which are open, and which images are in them.

The rows of the images are the truth. What is in a shard and has no row is cut off or left behind when the shard is
continued, sealed or copied.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from oidl.model import Member, OpenShard, Rendition
from oidl.model.sample import SCHEMA
from oidl.state.connection import transaction
from oidl.state.times import timestamp

IMAGE_FORMAT = (
    "coalesce((SELECT r.format FROM rendition AS r WHERE r.name = f.rendition AND r.mode NOTNULL), "
    "iif(f.conversion NOTNULL, NULL, d.format), 'jpeg')"
)
"""The format of an image, by its rows in `file` (f) and `download` (d); converted originals are JPEG."""

SHARD_OF_FILE = "s.path = rtrim(rtrim({}.path, '0123456789'), '#')"
"""Whether a row of `shard` (s) is that of a row of `file`, whose alias is filled in: its path before the last #."""

IS_REMOTE = f"EXISTS (SELECT 1 FROM shard AS s WHERE {SHARD_OF_FILE} AND NOT s.is_local)"
"""Whether a file is only in an object store; the alias of `file` is filled in."""

_UNSEALED = (
    "SELECT s.shard_id, s.set_id, t.rendition, t.format, s.split, s.number, s.path, s.state, t.directory "
    "FROM shard AS s JOIN shard_set AS t USING (set_id) "
    "WHERE s.state IN ('open', 'stale') AND t.writer = 'run' AND s.is_local"
)
_NEXT = "json_extract(recipe, '$.next.\"' || :split || '\"')"  # the number after those that are not used any more
_REMOVED = ""  # the ImageID of rows of `removed_file` for whole shards


class Shard(NamedTuple):
    """A shard of a run; `path` as in `file.path`, `split` is its subset, `directory` as in `open_shard`."""

    shard_id: int
    set_id: int
    rendition: str
    format: str
    split: str
    number: int
    path: str
    state: str
    directory: str


class Sample(NamedTuple):
    """An image of a shard: where its sample begins, and how long it is; `path` is that of its row in `file`.

    `crc32` is that of the sample, None if it was not recorded.
    """

    image_id: str
    place: int
    at: int
    bytes: int
    path: str
    crc32: int | None = None


class RecordedSample(NamedTuple):
    """The sample of an image in a shard of a run: the format of the shard, and where the sample is in it.

    `is_local`: False if the shard is only in an object store.
    """

    format: str
    at: int
    bytes: int
    is_local: bool
    crc32: int | None = None


def open_shard(
    db: sqlite3.Connection,
    rendition: Rendition,
    subset: str,
    directory: str,
    home: str,
    *,
    is_taken: Callable[[str], bool] = lambda path: False,
    above: int = 0,
) -> OpenShard:
    """A new shard for images of `rendition` in `subset`; it has a row before it has a file.

    `directory` stands for the directories of all subsets, `home` is that of this one, both as in `file.path`.
    `is_taken` says whether there is a file of this path that has no row. Its `shard_id` is larger than `above`: SQLite
    would use that of a removed shard again, which others may still mean.
    """
    with transaction(db):
        db.execute(
            "INSERT INTO shard_set (writer, directory, format, rendition, recipe, created_at) "
            "VALUES ('run', ?, ?, ?, ?, ?) ON CONFLICT (directory) DO UPDATE SET format = excluded.format, "
            "rendition = excluded.rendition, created_at = excluded.created_at, "
            "recipe = json_patch(excluded.recipe, json_object('next', json_extract(recipe, '$.next'))) "
            "WHERE writer = 'run' AND NOT EXISTS (SELECT 1 FROM shard WHERE shard.set_id = shard_set.set_id)",
            (directory, rendition.store, rendition.name, json.dumps({"schema": SCHEMA}), timestamp()),
        )
        (set_id,) = db.execute("SELECT set_id FROM shard_set WHERE directory = ?", (directory,)).fetchone()
        (number,) = db.execute(
            "SELECT max(coalesce((SELECT max(number) + 1 FROM shard WHERE set_id = :set AND split = :split), 0), "
            f"coalesce({_NEXT}, 0)) FROM shard_set WHERE set_id = :set",
            {"set": set_id, "split": subset},
        ).fetchone()
        suffix = "tar" if rendition.store == "webdataset" else rendition.store
        removed = {path for _, path in removed_shards(db)}
        while (path := f"{home}/{subset}-{number:06d}.{suffix}") in removed or is_taken(path):
            number += 1
        cursor = db.execute(
            "INSERT INTO shard (shard_id, set_id, split, number, path, state) "
            "SELECT max(coalesce(max(shard_id), 0), ?) + 1, ?, ?, ?, ?, 'open' FROM shard",
            (above, set_id, subset, number, path),
        )
    assert cursor.lastrowid is not None
    return OpenShard(cursor.lastrowid, path, 0, 0, 0)


def put_member(db: sqlite3.Connection, image_id: str, member: Member) -> None:
    """Records that an image is in a shard, and in no other shard of its set; inside the caller's transaction."""
    values = {"image": image_id, **member._asdict()}
    db.execute(
        "DELETE FROM shard_member WHERE image_id = :image "
        "AND set_id = (SELECT set_id FROM shard WHERE shard_id = :shard_id)",
        values,
    )
    db.execute(
        "INSERT INTO shard_member (set_id, image_id, shard_id, place, at, bytes, crc32) "
        "SELECT set_id, :image, shard_id, :place, :at, :bytes, :crc32 FROM shard WHERE shard_id = :shard_id",
        values,
    )


def unsealed_shards(db: sqlite3.Connection) -> list[Shard]:
    """The open and the stale shards of runs. A stale one that is only in an object store stays as it is."""
    return [Shard._make(row) for row in db.execute(f"{_UNSEALED} ORDER BY s.shard_id")]


def unsealed_shard(db: sqlite3.Connection, shard_id: int) -> Shard | None:
    """The open or stale shard of a run with this number; None if it is sealed, or gone."""
    row = db.execute(f"{_UNSEALED} AND s.shard_id = ?", (shard_id,)).fetchone()
    return Shard._make(row) if row else None


def samples_of(db: sqlite3.Connection, shard: Shard) -> list[Sample]:
    """The images of a shard in the order in which they are in it."""
    return [
        Sample._make(row)
        for row in db.execute(
            "SELECT m.image_id, m.place, m.at, m.bytes, f.path, m.crc32 FROM shard_member AS m "
            "JOIN file AS f ON f.image_id = m.image_id AND f.rendition = ? WHERE m.shard_id = ? ORDER BY m.at",
            (shard.rendition, shard.shard_id),
        )
    ]


def count_samples(db: sqlite3.Connection, shard_id: int) -> int:
    """How many images of a shard are recorded."""
    count: int = db.execute("SELECT count(*) FROM shard_member WHERE shard_id = ?", (shard_id,)).fetchone()[0]
    return count


def record_sealed(db: sqlite3.Connection, shard: Shard, samples: int, size: int, sha256: str) -> None:
    """Records that a shard is complete, under its final name."""
    with transaction(db):
        db.execute(
            "UPDATE shard SET state = 'sealed', samples = ?, bytes = ?, sha256 = ?, sealed_at = ? WHERE shard_id = ?",
            (samples, size, sha256, timestamp(), shard.shard_id),
        )


def record_moved(db: sqlite3.Connection, shard: Shard, target: Shard, moved: Iterable[Sample]) -> None:
    """Records that the images of a shard were copied to another one; the first is then no shard any more.

    `moved` has their new places and paths.
    """
    rows = [each._asdict() for each in moved]
    values = {"shard": target.shard_id, "set": target.set_id, "rendition": shard.rendition}
    with transaction(db):
        db.execute("UPDATE shard SET state = 'open' WHERE shard_id = ?", (shard.shard_id,))
        db.executemany(
            "UPDATE shard_member SET shard_id = :shard, place = :place, at = :at, bytes = :bytes "
            "WHERE set_id = :set AND image_id = :image_id",
            [values | row for row in rows],
        )
        db.executemany(
            "UPDATE file SET path = :path WHERE image_id = :image_id AND rendition = :rendition",
            [values | row for row in rows],
        )
        _drop(db, shard.shard_id)


def drop_shard(db: sqlite3.Connection, shard: Shard) -> None:
    """Removes the row of a shard without images; `removed_shards` then names its file."""
    with transaction(db):
        _drop(db, shard.shard_id)


def drop_empty(db: sqlite3.Connection, shard_id: int) -> bool:
    """Does the same if the shard has no images; returns whether it had none."""
    with transaction(db):
        if count_samples(db, shard_id):
            return False
        _drop(db, shard_id)
        return True


def drop_shards(db: sqlite3.Connection, rendition: str) -> None:
    """Removes the rows of all shards without images of `rendition`, and of its sets that then have no shards.

    If runs had an object store, the sets stay: they have the numbers of shards that are still there.
    """
    with transaction(db):
        empty = db.execute(
            "SELECT s.shard_id FROM shard AS s JOIN shard_set AS t USING (set_id) WHERE t.rendition = ? "
            "AND t.writer = 'run' AND NOT EXISTS (SELECT 1 FROM shard_member AS m WHERE m.shard_id = s.shard_id)",
            (rendition,),
        ).fetchall()
        for (shard_id,) in empty:
            _drop(db, shard_id)
        db.execute(
            "DELETE FROM shard_set WHERE rendition = ? AND writer = 'run' "
            "AND NOT EXISTS (SELECT 1 FROM shard AS s WHERE s.set_id = shard_set.set_id) AND NOT EXISTS (SELECT 1 "
            "FROM run WHERE json_valid(settings) AND coalesce(json_extract(settings, '$.shards.remote'), '') <> '')",
            (rendition,),
        )


def _drop(db: sqlite3.Connection, shard_id: int) -> None:
    split, number, set_id = db.execute(
        "SELECT split, number, set_id FROM shard WHERE shard_id = ?", (shard_id,)
    ).fetchone()
    # A shard of this name may be known elsewhere, so no other gets its number.
    db.execute(
        "UPDATE shard_set SET recipe = json_set("
        f"recipe, '$.next.\"' || :split || '\"', max(coalesce({_NEXT}, 0), :next)) WHERE set_id = :set",
        {"split": split, "next": number + 1, "set": set_id},
    )
    db.execute(
        "INSERT OR IGNORE INTO removed_file (image_id, rendition, path) "
        "SELECT ?, t.rendition, s.path FROM shard AS s JOIN shard_set AS t USING (set_id) WHERE s.shard_id = ?",
        (_REMOVED, shard_id),
    )
    db.execute("DELETE FROM shard WHERE shard_id = ?", (shard_id,))


def sync_commits(db: sqlite3.Connection) -> None:
    """Returns when everything that was committed is on the disk: bytes that rows named before may be removed then."""
    (level,) = db.execute("PRAGMA synchronous").fetchone()
    db.execute("PRAGMA synchronous = FULL")
    try:
        with transaction(db):  # SQLite syncs nothing if nothing is written
            db.execute("INSERT INTO removed_file (image_id, rendition, path) VALUES ('', '', '')")
            db.execute("DELETE FROM removed_file WHERE image_id = '' AND rendition = '' AND path = ''")
    finally:
        db.execute(f"PRAGMA synchronous = {level}")


def removed_shards(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """The renditions and paths of shards without rows, which are not deleted yet."""
    return db.execute("SELECT rendition, path FROM removed_file WHERE image_id = ?", (_REMOVED,)).fetchall()


def forget_removed(db: sqlite3.Connection, paths: Sequence[str]) -> None:
    """Records that the files of these shards are deleted."""
    with transaction(db):
        each = ((_REMOVED, path) for path in paths)
        db.executemany("DELETE FROM removed_file WHERE image_id = ? AND path = ?", each)


def shard_paths(db: sqlite3.Connection) -> Iterator[str]:
    """The paths of all shards, as in `file.path`."""
    return (path for (path,) in db.execute("SELECT path FROM shard"))


def recorded_samples(db: sqlite3.Connection, image_ids: Collection[str]) -> dict[tuple[str, str], RecordedSample]:
    """The samples of these images in shards of runs, by ImageID and path of the shard."""
    return {
        (image_id, path): RecordedSample(*sample)
        for image_id, path, *sample in db.execute(
            "SELECT m.image_id, s.path, t.format, m.at, m.bytes, s.is_local, m.crc32 "
            "FROM shard_set AS t CROSS JOIN json_each(?) "
            "CROSS JOIN shard_member AS m ON m.set_id = t.set_id AND m.image_id = json_each.value "
            "CROSS JOIN shard AS s ON s.shard_id = m.shard_id "
            "WHERE t.writer = 'run' AND m.at >= 0 AND m.bytes > 0",
            (json.dumps(tuple(image_ids)),),
        )
    }
