"""Which shards are in an object store, and which are still to be uploaded."""

import sqlite3
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
            "WHERE s.state = 'sealed' AND s.uploaded_at IS NULL AND t.writer = 'run' ORDER BY s.shard_id"
        )
    ]


def record_uploaded(db: sqlite3.Connection, shard_id: int, url: str, *, keep_local: bool) -> None:
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
