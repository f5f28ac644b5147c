"""Which shards are in an object store, and which are still to be uploaded."""

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from oidl.state.connection import transaction
from oidl.state.times import timestamp


class RemoteShard(NamedTuple):
    """A shard that is in the object store only: its path as in `file.path`, its length in bytes, and its address."""

    path: str
    bytes: int
    url: str


class SealedShard(NamedTuple):
    """A sealed shard of a run: its path as in `file.path`, its length in bytes, and its SHA-256 (hex)."""

    shard_id: int
    path: str
    bytes: int
    sha256: str


def shards_to_upload(db: sqlite3.Connection) -> list[SealedShard]:
    """The sealed shards of runs that were not uploaded yet."""
    return [
        SealedShard._make(row)
        for row in db.execute(
            "SELECT s.shard_id, s.path, s.bytes, s.sha256 FROM shard AS s JOIN shard_set AS t USING (set_id) "
            "WHERE s.state = 'sealed' AND s.uploaded_at IS NULL AND s.is_local AND t.writer = 'run' ORDER BY s.shard_id"
        )
    ]


def record_staged(db: sqlite3.Connection, shard_id: int, size: int, sha256: str, staged_url: str) -> None:
    """Records that a node has completed a shard on its own disk and uploaded it to the staging place."""
    with transaction(db):
        db.execute(
            "UPDATE shard SET state = 'sealed', is_local = 0, bytes = ?, sha256 = ?, remote_url = ?, sealed_at = ?, "
            "samples = (SELECT count(*) FROM shard_member AS m WHERE m.shard_id = shard.shard_id) WHERE shard_id = ?",
            (size, sha256, staged_url, timestamp(), shard_id),
        )


def staged_shards(db: sqlite3.Connection) -> list[tuple[SealedShard, str]]:
    """The shards that are staged and not moved to their names yet, each with its staged URL."""
    rows = db.execute(
        "SELECT shard_id, path, bytes, sha256, remote_url FROM shard "
        "WHERE state IN ('sealed', 'stale') AND NOT is_local AND uploaded_at IS NULL AND remote_url NOTNULL "
        "ORDER BY shard_id"
    )
    return [(SealedShard._make(row[:4]), row[4]) for row in rows]


def record_unstaged(db: sqlite3.Connection, shard_ids: Iterable[int]) -> None:
    """Records that staged shards are lost: they are open again, as shards without a file."""
    with transaction(db):
        db.executemany(
            "UPDATE shard SET state = 'open', is_local = 1, bytes = 0, samples = 0, sha256 = NULL, remote_url = NULL, "
            "sealed_at = NULL WHERE shard_id = ?",
            [(shard_id,) for shard_id in shard_ids],
        )


def record_uploaded(db: sqlite3.Connection, shard_id: int, url: str, *, keep_local: bool = False) -> None:
    """Records that a shard is in the object store; unless `keep_local`, that is the only copy from now on."""
    with transaction(db):
        db.execute(
            "UPDATE shard SET remote_url = ?, uploaded_at = ?, is_local = ? WHERE shard_id = ?",
            (url, timestamp(), int(keep_local), shard_id),
        )


def remote_shards(db: sqlite3.Connection) -> list[RemoteShard]:
    """The shards that are in the object store only, as far as the database knows."""
    rows = db.execute("SELECT path, bytes, coalesce(remote_url, '') FROM shard WHERE NOT is_local")
    return [RemoteShard._make(row) for row in rows]


def remote_address(db: sqlite3.Connection, path: str) -> str | None:
    """The address of the shard at `path` if it is in the object store only."""
    row = db.execute("SELECT remote_url FROM shard WHERE path = ? AND NOT is_local", (path,)).fetchone()
    return row[0] if row else None


def has_remote_shards(db: sqlite3.Connection, rendition: str) -> bool:
    """Whether there are shards of runs with images of `rendition` that are in the object store only."""
    (answer,) = db.execute(
        "SELECT EXISTS (SELECT 1 FROM shard AS s JOIN shard_set AS t USING (set_id) "
        "WHERE t.rendition = ? AND t.writer = 'run' AND NOT s.is_local)",
        (rendition,),
    ).fetchone()
    return bool(answer)
