"""The nodes of the last run on a cluster."""

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from oidl.model import NodeProgress
from oidl.state.times import timestamp


class NodeRow(NamedTuple):
    """The row of a node; `lost` is how it ended, None while it lives."""

    name: str
    host: str
    threads: int
    started_at: str
    updated_at: str
    images: int
    images_per_s: float
    in_progress: int
    lost: str | None


class NodeTable:
    """Writes the table `node`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._written: dict[str, NodeProgress] = {}

    def write(self, run_id: int, nodes: Iterable[NodeProgress]) -> None:
        """Records the nodes of a run that changed, inside the caller's transaction; those of earlier runs go."""
        changed = [node for node in nodes if self._written.get(node.life) != node]
        if changed and not self._written:
            self._db.execute("DELETE FROM node WHERE run_id <> ?", (run_id,))
        self._written.update((node.life, node) for node in changed)
        now = datetime.now(UTC)
        self._db.executemany(
            "INSERT INTO node VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "updated_at = excluded.updated_at, images = excluded.images, images_per_s = excluded.images_per_s, "
            "in_progress = excluded.in_progress, lost = excluded.lost",
            [
                (
                    node.life,
                    run_id,
                    node.name,
                    node.host,
                    node.threads,
                    timestamp(now - timedelta(seconds=node.age_s)),
                    timestamp(now),
                    node.images,
                    node.images_per_s,
                    node.in_progress,
                    node.lost,
                )
                for node in changed
            ],
        )


def read_nodes(db: sqlite3.Connection, run_id: int) -> tuple[NodeRow, ...]:
    """The nodes of a run, those that live first."""
    rows = db.execute(
        "SELECT name, host, threads, started_at, updated_at, images, images_per_s, in_progress, lost FROM node "
        "WHERE run_id = ? ORDER BY lost NOTNULL, started_at, name",
        (run_id,),
    )
    return tuple(NodeRow._make(row) for row in rows)
