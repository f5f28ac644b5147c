"""Writes outcomes: of images, runs and renditions.

Every method is short and runs inside the caller's `transaction`, so that the
recorder decides what is committed together.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from oidl.model import (
    AttemptCounts,
    Done,
    Failure,
    Job,
    NodeProgress,
    Postponed,
    Reason,
    Rendition,
    RetryDecision,
    Source,
    Status,
    StatusCount,
    WrittenFile,
)
from oidl.state.complete import ClassCount
from oidl.state.connection import savepoint, transaction
from oidl.state.nodes import NodeTable
from oidl.state.paces import PaceTable
from oidl.state.plan import Value, read_plan, write_plan
from oidl.state.plan_counts import forget_plan_counts, move_plan_counts, write_plan_counts
from oidl.state.renditions import register
from oidl.state.shards import put_member
from oidl.state.times import parse_timestamp, timestamp

_CLOCK_STEP = timedelta(seconds=10)  # the clock may be set back this far without missing a file

# The columns of `download` and `file` that are fields of the same name in the model.
_DONE = tuple(field.name for field in fields(Done) if field.name != "files")
_FILE = tuple(field.name for field in fields(WrittenFile) if field.name != "member")
# Values have numbers, not names: binding by name costs a tenth of what it takes to record an outcome.
_done_values, _file_values = attrgetter(*_DONE), attrgetter(*_FILE)
_IS_LOCAL, _NOW, _IMAGE = (f"?{len(_DONE) + number}" for number in (1, 2, 3))
_VALUE = {name: f"?{number}" for number, name in enumerate(_DONE, 1)}
_IS_KNOWN = f"{_IS_LOCAL} AND md5 IS {_VALUE['md5']} AND reason IS NULL AND source NOTNULL"
# Columns that are always overwritten; the others may keep the values of an earlier download.
_DOWNLOADED = ", ".join(
    f"{name} = {value}" for name, value in _VALUE.items() if name not in ("source", "url", "transfer_s")
)
_PUT_DONE = (
    f"UPDATE download SET status = 'done', attempts = attempts + NOT {_IS_LOCAL}, next_attempt_at = NULL, "
    f"reason = NULL, detail = NULL, http_status = NULL, source = iif({_IS_KNOWN}, source, {_VALUE['source']}), "
    f"url = iif({_IS_KNOWN}, url, {_VALUE['url']}), {_DOWNLOADED}, "
    f"transfer_s = coalesce({_VALUE['transfer_s']}, transfer_s), finished_at = {_NOW} WHERE image_id = {_IMAGE}"
)
_PUT_FILE = (
    f"INSERT INTO file ({', '.join(_FILE)}, image_id, written_at) VALUES ({', '.join('?' * (len(_FILE) + 2))}) "
    f"ON CONFLICT DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in ('written_at', *_FILE[1:]))}"
)


class Ledger:
    """The only writer of outcomes, on the only writing connection."""

    def __init__(self, db: sqlite3.Connection, run_id: int = 0) -> None:
        self._db = db
        self.paces = PaceTable(db)
        self._nodes = NodeTable(db)
        self._run_id = run_id
        self._counts_plan = False

    def transaction(self) -> AbstractContextManager[None]:
        """Commits all writes inside it together, or none of them."""
        return transaction(self._db)

    def part(self) -> AbstractContextManager[None]:
        """A part of a transaction: an exception undoes the part and leaves the rest unaffected."""
        return savepoint(self._db)

    def ended_tokens(self, boot_id: str, is_alive: Callable[[int], bool]) -> frozenset[str]:
        """The marks of the temporary files of ended runs.

        A copy of a database may contain a run that is still active elsewhere on this machine.
        """
        rows = self._db.execute("SELECT token, pid, boot_id FROM run WHERE token NOTNULL").fetchall()
        return frozenset(token for token, pid, boot in rows if boot != boot_id or not is_alive(pid))

    def rendition_directories(self) -> list[str]:
        """The directories of all renditions that were ever requested."""
        return [directory for (directory,) in self._db.execute("SELECT directory FROM rendition")]

    # ---- runs

    def open_run(self, settings: Mapping[str, Any], *, token: str | None = None, boot_id: str | None = None) -> int:
        """Starts a row in `run` for all later records; a run that died gets the outcome `killed`.

        `token` marks its temporary files; `boot_id` is that of the machine.
        """
        self._db.execute("UPDATE run SET outcome = 'killed', finished_at = updated_at WHERE finished_at IS NULL")
        now = timestamp()
        # People may edit the table: a retry without a valid time is due.
        self._db.execute(
            "UPDATE download SET next_attempt_at = ? WHERE status = 'retry' AND julianday(next_attempt_at) IS NULL",
            (now,),
        )
        cursor = self._db.execute(
            "INSERT INTO run (started_at, updated_at, settings, token, pid, boot_id) VALUES (?, ?, ?, ?, ?, ?)",
            (now, now, json.dumps(settings, ensure_ascii=False), token, os.getpid(), boot_id),
        )
        assert cursor.lastrowid is not None
        self._run_id = cursor.lastrowid
        return self._run_id

    def plan(self, plan: Mapping[str, Value]) -> None:
        """Records the plan of the root from now on."""
        if plan != read_plan(self._db):
            forget_plan_counts(self._db)
        write_plan(self._db, plan)

    def plan_counts(self, status_counts: Iterable[StatusCount], classes: Mapping[str, ClassCount]) -> None:
        """Records the counts of the plan, and updates them with each outcome; nothing for the whole list."""
        rows = tuple(status_counts)
        self._counts_plan = bool(rows)
        with self.transaction():
            write_plan_counts(self._db, rows, classes)

    def _move(self, job: Job, status: Status, reason: Reason | None = None) -> None:
        if self._counts_plan:
            move_plan_counts(self._db, job, status, reason)

    def heartbeat(
        self, *, done: int, failed: int, throttled: int, bytes_read: int, images_per_s: float, bytes_per_s: float
    ) -> None:
        """Records the progress of this run, for `oidl status` in another process."""
        self._db.execute(
            "UPDATE run SET updated_at = ?, done = ?, failed = ?, throttled = ?, bytes = ?, "
            "images_per_s = ?, bytes_per_s = ? WHERE id = ?",
            (timestamp(), done, failed, throttled, bytes_read, images_per_s, bytes_per_s, self._run_id),
        )

    def nodes(self, nodes: Iterable[NodeProgress]) -> None:
        """Records the nodes of this run."""
        self._nodes.write(self._run_id, nodes)

    def close_run(self, outcome: str, *, is_synced: bool = False) -> None:
        """Ends the row of this run; `is_synced` if everything that it wrote is on the disk."""
        now = timestamp()
        self._db.execute(
            "UPDATE run SET updated_at = ?, finished_at = ?, outcome = ?, synced_at = iif(?, ?, synced_at) "
            "WHERE id = ?",
            (now, now, outcome, is_synced, now, self._run_id),
        )

    def synced(self, moment: str) -> None:
        """Records that all files recorded before `moment`, by any run, are on the disk."""
        with self.transaction():
            self._db.execute("UPDATE run SET synced_at = ? WHERE id = ?", (moment, self._run_id))

    def unsynced_since(self, boot_id: str) -> str | None:
        """The time since which a power cut may have lost recorded files; None if none happened since the last sync.

        The sign is an earlier run that was killed, or that belongs to another boot. The same boot proves nothing for a
        killed run: the disk may be a copy of one that was in use. `boot_id` is empty on systems that do not provide it.
        """
        (mark,) = self._db.execute("SELECT coalesce(max(synced_at), '') FROM run").fetchone()
        row = self._db.execute(
            "SELECT 1 FROM run WHERE id <> ? AND updated_at > ? "
            "AND (outcome = 'killed' OR boot_id <> ? OR boot_id = '') LIMIT 1",
            (self._run_id, mark, boot_id),
        ).fetchone()
        if row is None:
            return None
        moment = parse_timestamp(mark)
        return timestamp(moment - _CLOCK_STEP) if moment else ""

    # ---- images

    def tries(
        self, image_id: str, reason: Reason, uncounted: Iterable[Reason], source: Source | None = None
    ) -> AttemptCounts:
        """The failed tries of an image so far; `uncounted` reasons never count against it in a run.

        A try with several sources counts once; `source` is where `reason` is counted, None for anywhere.
        """
        names = tuple(uncounted)
        row = self._db.execute(
            "SELECT coalesce(sum(run_id = ? AND source_index = 0 "
            "AND reason NOT IN (SELECT value FROM json_each(?))), 0), "
            "coalesce(sum(reason = ? AND counts AND source IS coalesce(?, source)), 0) FROM attempt WHERE image_id = ?",
            (self._run_id, json.dumps(names), reason, source, image_id),
        ).fetchone()
        return AttemptCounts(*row)

    def failed(
        self,
        job: Job,
        failure: Failure,
        verdict: RetryDecision,
        cause: Failure | None = None,
        earlier: Sequence[Failure] = (),
    ) -> None:
        """Records a failed try and the resulting status; `cause` is the failure to report, if it is not this one.

        `earlier` are the failures at the previous sources of the same try.
        """
        now = timestamp()
        self._attempts(job.image_id, (*earlier, failure), now)
        failure = cause or failure
        self._move(job, verdict.status, failure.reason)
        self._db.execute(
            "UPDATE download SET status = ?, attempts = attempts + ?, next_attempt_at = ?, reason = ?, "
            "detail = ?, http_status = ?, source = ?, url = ?, finished_at = ? WHERE image_id = ?",
            (
                verdict.status,
                int(verdict.counts),
                timestamp(verdict.next_attempt_at) if verdict.next_attempt_at else None,
                failure.reason,
                failure.detail,
                failure.http_status,
                failure.source,
                failure.url,
                now if verdict.status is Status.FAILED else None,
                job.image_id,
            ),
        )

    def _attempts(self, image_id: str, failures: Iterable[Failure], now: str) -> None:
        self._db.executemany(
            "INSERT INTO attempt (image_id, run_id, at, source, url, reason, http_status, detail, source_index) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    image_id,
                    self._run_id,
                    now,
                    failure.source,
                    failure.url,
                    failure.reason,
                    failure.http_status,
                    failure.detail,
                    index,
                )
                for index, failure in enumerate(failures)
            ],
        )

    def postponed(self, job: Job, postponed: Postponed, due: datetime) -> None:
        """Postpones an image that was not tried."""
        self._move(job, Status.RETRY, postponed.reason)
        self._db.execute(
            "UPDATE download SET status = 'retry', next_attempt_at = ?, reason = ?, detail = ?, http_status = NULL, "
            "finished_at = NULL WHERE image_id = ?",
            (timestamp(due), postponed.reason, postponed.detail, job.image_id),
        )

    def done(self, job: Job, done: Done, earlier: Sequence[Failure] = ()) -> None:
        """Records an image as done, with its files, which are already in place.

        If the bytes came from disk and are those of an earlier download, the record of that download stays. `earlier`
        are the failures at the sources before the one that had the image.
        """
        now = timestamp()
        if earlier:
            self._attempts(job.image_id, earlier, now)
        self._move(job, Status.DONE)
        self._db.execute(_PUT_DONE, (*_done_values(done), done.source == Source.LOCAL, now, job.image_id))
        for file in done.files:
            self._db.execute(_PUT_FILE, (*_file_values(file), job.image_id, now))
            if file.member:
                put_member(self._db, job.image_id, file.member)

    def claim_name(self, name: str, image_id: str) -> bool:
        """Whether files of `image_id` may be called `name`; claims the name if no image has it.

        Call it outside a transaction, because it uses one: a name is claimed before a file is written under it.
        """
        owner = self._db.execute("SELECT image_id FROM file_name WHERE name = ?", (name,)).fetchone()
        if owner is None:
            with self.transaction():
                self._db.execute("INSERT INTO file_name (name, image_id) VALUES (?, ?)", (name, image_id))
        return owner is None or owner[0] == image_id

    def register(self, renditions: Iterable[Rendition]) -> None:
        """Records the recipe of each rendition; raises `UsageError` if its directory or name belongs to another one."""
        register(self._db, tuple(renditions))
