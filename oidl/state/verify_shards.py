"""Whole shards according to the database, for the comparison with the disk; and what a repair does to their rows."""

import json
import sqlite3
from collections.abc import Collection
from typing import NamedTuple

from oidl.state.connection import transaction
from oidl.state.shards import drop_empty


class SealedShard(NamedTuple):
    """A shard that was complete, with `bytes` and SHA-256 (hex); `writer` is `run` or `pack`, `path` as recorded."""

    shard_id: int
    writer: str
    rendition: str
    path: str
    bytes: int
    sha256: str


def sealed_page(db: sqlite3.Connection, after: int, limit: int) -> list[SealedShard]:
    """The next `limit` shards on this machine whose number in the table is greater than `after`."""
    return [
        SealedShard._make(row)
        for row in db.execute(
            "SELECT s.shard_id, t.writer, t.rendition, s.path, s.bytes, s.sha256 "
            "FROM shard AS s JOIN shard_set AS t USING (set_id) "
            "WHERE s.shard_id > ? AND s.state IN ('sealed', 'stale') AND s.sha256 NOTNULL "
            "AND s.is_local ORDER BY s.shard_id LIMIT ?",
            (after, limit),
        )
    ]


def count_sealed(db: sqlite3.Connection) -> int:
    """The number of shards that `sealed_page` has in all."""
    count: int = db.execute(
        "SELECT count(*) FROM shard WHERE state IN ('sealed', 'stale') AND sha256 NOTNULL AND is_local"
    ).fetchone()[0]
    return count


def has_sealed(db: sqlite3.Connection, path: str) -> bool:
    """Whether there is still a complete shard with this path."""
    return (
        db.execute("SELECT 1 FROM shard WHERE path = ? AND state IN ('sealed', 'stale')", (path,)).fetchone()
        is not None
    )


def has_file(db: sqlite3.Connection, image_id: str, rendition: str, path: str) -> bool:
    """Whether the row of this file still names this path."""
    row = db.execute("SELECT path FROM file WHERE image_id = ? AND rendition = ?", (image_id, rendition)).fetchone()
    return row is not None and row[0] == path


def recorded_shards(db: sqlite3.Connection, paths: Collection[str]) -> set[str]:
    """Those of `paths` that are shards, or were some until their removal, which the next run finishes."""
    names = json.dumps(tuple(paths))
    rows = db.execute(
        "SELECT path FROM shard WHERE path IN (SELECT value FROM json_each(:names)) UNION ALL "
        "SELECT path FROM removed_file WHERE image_id = '' AND path IN (SELECT value FROM json_each(:names))",
        {"names": names},
    )
    return {path for (path,) in rows}


def shard_directories(db: sqlite3.Connection) -> set[str]:
    """The directories of the sets of shards that runs wrote, with `*` for the subset, as in `shard_set.directory`."""
    return {directory for (directory,) in db.execute("SELECT directory FROM shard_set WHERE writer = 'run'")}


def pack_directories(db: sqlite3.Connection) -> list[str]:
    """The directories of the sets of shards that `oidl pack` made or began, as in `shard_set.directory`."""
    return [directory for (directory,) in db.execute("SELECT directory FROM shard_set WHERE writer = 'pack'")]


def images_of_shard(db: sqlite3.Connection, path: str) -> list[tuple[str, str]]:
    """The ImageIDs and the rendition of the images of which a shard of a run has the only copy."""
    return db.execute(
        "SELECT m.image_id, t.rendition FROM shard AS s JOIN shard_set AS t USING (set_id) "
        "JOIN shard_member AS m USING (shard_id) WHERE s.path = ? AND t.writer = 'run'",
        (path,),
    ).fetchall()


def suspect_shard(db: sqlite3.Connection, path: str) -> bool:
    """Lets the next run copy the images of a shard of a run that is not as it was sealed, but no damaged ones.

    False if that is unknown of some of them, because their samples have no checksum.
    """
    with transaction(db):
        cursor = db.execute(
            "UPDATE shard SET state = 'stale', sha256 = NULL WHERE path = ? "
            "AND set_id IN (SELECT set_id FROM shard_set WHERE writer = 'run') AND NOT EXISTS "
            "(SELECT 1 FROM shard_member AS m WHERE m.shard_id = shard.shard_id AND m.crc32 IS NULL)",
            (path,),
        )
    return cursor.rowcount == 1


def give_up_shard(db: sqlite3.Connection, path: str) -> str | None:
    """Ends a shard that is not as it was sealed; returns the path of a file that has no row any more, None if it has.

    One of a run has no images by now, and is no shard afterwards; `oidl pack` makes one of its own again.
    """
    row = db.execute(
        "SELECT s.shard_id, t.writer, s.set_id FROM shard AS s JOIN shard_set AS t USING (set_id) WHERE s.path = ?",
        (path,),
    ).fetchone()
    if row is None:
        return None
    shard_id, writer, set_id = row
    if writer == "run":
        return path if drop_empty(db, shard_id) else None
    with transaction(db):
        db.execute(
            "UPDATE shard SET state = 'planned', samples = 0, bytes = 0, sha256 = NULL, sealed_at = NULL "
            "WHERE shard_id = ?",
            (shard_id,),
        )
        db.execute("UPDATE shard_set SET finished_at = NULL WHERE set_id = ?", (set_id,))
    return None
