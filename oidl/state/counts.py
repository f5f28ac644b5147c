"""The status of all images as one frozen value; read from counts, so instant for any number of rows."""

import sqlite3
from dataclasses import dataclass, field

from oidl.model import Status
from oidl.state.known import known_status
from oidl.state.licenses import LicenseCount, license_counts
from oidl.state.nodes import NodeRow, read_nodes
from oidl.state.plan_counts import PlanCounts, read_plan_counts
from oidl.state.times import parse_timestamp

_FASTEST = 1e15  # per second; people edit rows, and JSON has no infinity
_HAS_REMOTE = (
    "coalesce((SELECT json_extract(settings, '$.shards.remote') FROM run WHERE json_valid(settings) "
    "ORDER BY id DESC LIMIT 1), '') <> ''"
)


@dataclass(frozen=True, slots=True)
class RunRow:
    """The row of one `oidl run`; `outcome` is None while it is active (or if it was killed)."""

    id: int
    started_at: str
    updated_at: str
    finished_at: str | None
    outcome: str | None
    done: int
    failed: int
    bytes: int
    images_per_s: float
    bytes_per_s: float
    throttled: int = 0

    @property
    def elapsed_s(self) -> float:
        """Seconds from its start to its end or last update; 0 if a clock jump made it negative."""
        started, ended = parse_timestamp(self.started_at), parse_timestamp(self.finished_at or self.updated_at)
        return max(0.0, (ended - started).total_seconds()) if started and ended else 0.0


@dataclass(frozen=True, slots=True)
class PaceRow:
    """The row of a provider's pace, of this machine or of a `node`'s host; a `rate` of None is no limit."""

    provider: str
    window: int
    rate: float | None
    learned_rate: float | None
    paused_until: str | None
    updated_at: str
    node: str = ""


@dataclass(frozen=True, slots=True)
class ShardCounts:
    """The shards that runs wrote of one rendition: how many are open and complete, and the bytes of all of them.

    `uploaded` of the complete ones are in an object store, `remote` of these nowhere else. `waiting` will be
    uploaded by the next run; there are none if the last run had no object store.
    """

    open: int
    sealed: int
    bytes: int
    uploaded: int = 0
    remote: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class PackCounts:
    """A set of shards that `oidl pack` makes in `directory`: how many of the planned `shards` are complete, and their
    bytes; `finished_at` is when all of it was, None before."""

    directory: str
    format: str
    rendition: str
    sealed: int
    shards: int
    bytes: int
    finished_at: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of images by status.

    `by_subset` maps a subset to statuses, `by_reason` a reason to the images that failed or wait for a retry because of
    it, `files` the name of a rendition to its (files, bytes), `shards` to its shards if it has some; `packs` are the
    sets that were packed. `paces` are those of the providers after the last run; `skipped_rows` of the list are not
    images. `plan` has the counts for the plan, None if it covers the whole list. `nodes` are those of the last run, if
    it used a cluster. `licenses` are the images whose licence was checked.
    """

    dataset_version: str | None
    by_subset: dict[str, dict[Status, int]]
    by_reason: dict[str, dict[Status, int]]
    bytes_downloaded: int
    files: dict[str, tuple[int, int]]
    next_attempt_at: str | None
    run: RunRow | None
    paces: tuple[PaceRow, ...] = ()
    skipped_rows: int = 0
    plan: PlanCounts | None = None
    shards: dict[str, ShardCounts] = field(default_factory=dict)
    nodes: tuple[NodeRow, ...] = ()
    packs: tuple[PackCounts, ...] = ()
    licenses: tuple[LicenseCount, ...] = ()

    @property
    def by_status(self) -> dict[Status, int]:
        """The number of images by status, with every status present."""
        return {status: sum(row[status] for row in self.by_subset.values()) for status in Status}

    @property
    def is_plan_done(self) -> bool:
        """Whether nothing is left for the plan, whatever else waits for a retry."""
        return self.plan is not None and not self.plan.left

    @property
    def total(self) -> int:
        """All images of the list."""
        return sum(self.by_status.values())


NOTHING_YET = Counts(None, {}, {}, 0, {}, None, None)
"""The counts before an image list is loaded."""


def read_counts(db: sqlite3.Connection) -> Counts:
    """All counts, in one consistent read."""
    db.execute("BEGIN")
    try:
        version = db.execute("SELECT dataset_version FROM image_list LIMIT 1").fetchone()
        (skipped_rows,) = db.execute("SELECT coalesce(sum(skipped), 0) FROM image_list").fetchone()
        by_subset: dict[str, dict[Status, int]] = {}
        by_reason: dict[str, dict[Status, int]] = {}
        bytes_downloaded = 0
        for subset, status, reason, images, size in db.execute(
            "SELECT subset, status, reason, images, bytes FROM status_count ORDER BY subset, status, reason"
        ):
            statuses = by_subset.setdefault(subset, dict.fromkeys(Status, 0))
            statuses[known_status(status)] += images
            bytes_downloaded += size
            if reason and images and status in (Status.FAILED, Status.RETRY):
                reasons = by_reason.setdefault(reason, dict.fromkeys(Status, 0))
                reasons[known_status(status)] += images
        runs = read_runs(db, 1)
        return Counts(
            dataset_version=version[0] if version else None,
            by_subset=by_subset,
            by_reason=by_reason,
            bytes_downloaded=bytes_downloaded,
            files={
                name: (files, size)
                for name, files, size in db.execute("SELECT name, files, bytes FROM rendition ORDER BY name")
            },
            next_attempt_at=db.execute(
                "SELECT min(next_attempt_at) FROM download INDEXED BY download_due "
                "WHERE status = 'retry' AND next_attempt_at >= ''"
            ).fetchone()[0],
            run=runs[0] if runs else None,
            skipped_rows=skipped_rows,
            plan=read_plan_counts(db),
            shards=_shards(db),
            nodes=read_nodes(db, runs[0].id) if runs else (),
            packs=_packs(db),
            licenses=tuple(license_counts(db)),
            paces=tuple(
                PaceRow(*row)
                for row in db.execute(
                    "SELECT provider, window, rate, learned_rate, paused_until, updated_at, node "
                    "FROM pace ORDER BY provider, node"
                )
            ),
        )
    finally:
        db.execute("COMMIT")


def _shards(db: sqlite3.Connection) -> dict[str, ShardCounts]:
    # An open shard ends with its last sample.
    rows = db.execute(
        "SELECT t.rendition, sum(s.state = 'open'), sum(s.state <> 'open'), sum(iif(s.state = 'open', coalesce("
        "(SELECT m.at + m.bytes FROM shard_member AS m WHERE m.shard_id = s.shard_id ORDER BY m.place DESC LIMIT 1), "
        "0), s.bytes)), sum(s.uploaded_at NOTNULL), "
        "sum(s.uploaded_at NOTNULL AND NOT s.is_local), "
        f"sum(s.state = 'sealed' AND s.uploaded_at ISNULL AND {_HAS_REMOTE}) "
        "FROM shard_set AS t JOIN shard AS s USING (set_id) WHERE t.writer = 'run' "
        "GROUP BY t.rendition ORDER BY t.rendition"
    )
    return {rendition: ShardCounts(*counts) for rendition, *counts in rows}


def _packs(db: sqlite3.Connection) -> tuple[PackCounts, ...]:
    rows = db.execute(
        "SELECT t.directory, t.format, t.rendition, coalesce(sum(s.state = 'sealed'), 0), count(s.shard_id), "
        "coalesce(sum(s.bytes), 0), t.finished_at FROM shard_set AS t LEFT JOIN shard AS s USING (set_id) "
        "WHERE t.writer = 'pack' GROUP BY t.set_id ORDER BY t.directory"
    )
    return tuple(PackCounts(*row) for row in rows)


def read_runs(db: sqlite3.Connection, most: int = 1_000) -> tuple[RunRow, ...]:
    """The last runs, the latest first."""
    return tuple(
        RunRow(*row)
        for row in db.execute(
            "SELECT id, started_at, updated_at, finished_at, outcome, done, failed, bytes, "
            "max(0.0, min(images_per_s, ?1)), max(0.0, min(bytes_per_s, ?1)), throttled "
            "FROM run ORDER BY id DESC LIMIT ?2",
            (_FASTEST, most),
        )
    )
