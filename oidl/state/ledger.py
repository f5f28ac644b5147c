"""Writes what became of things: outcomes of images, runs, archives, renditions.

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
from typing import Any

from oidl.model import (
    AttemptCounts,
    Done,
    Failure,
    Job,
    Postponed,
    Reason,
    Rendition,
    RetryDecision,
    Source,
    Status,
    StatusCount,
    WrittenFile,
)
from oidl.state.connection import savepoint, transaction
from oidl.state.had import ClassCount
from oidl.state.paces import PaceTable
from oidl.state.plan import Value, read_plan, write_plan
from oidl.state.plan_counts import forget_plan_counts, move_plan_counts, write_plan_counts
from oidl.state.renditions import register
from oidl.state.times import parse_timestamp, timestamp

_CLOCK_STEP = timedelta(seconds=10)  # how far back the clock may be set without a file being missed

# The columns of `download` and `file` that are fields of the same name in the model.
_DONE = tuple(field.name for field in fields(Done) if field.name != "files")
_FILE = tuple(field.name for field in fields(WrittenFile))
# Those that are written as they are; what is known of an earlier download may stay in the others.
_DOWNLOADED = ", ".join(f"{name} = :{name}" for name in _DONE if name not in ("source", "url", "transfer_s"))
_PUT_FILE = (
    f"INSERT INTO file (image_id, written_at, {', '.join(_FILE)}) "
    f"VALUES (:image_id, :written_at, {', '.join(f':{name}' for name in _FILE)}) "
    f"ON CONFLICT DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in ('written_at', *_FILE[1:]))}"
)


class Ledger:
    """The one writer of outcomes, on the one writing connection."""

    def __init__(self, db: sqlite3.Connection, run_id: int = 0) -> None:
        self._db = db
        self.paces = PaceTable(db)
        self._run_id = run_id
        self._counts_plan = False

    def transaction(self) -> AbstractContextManager[None]:
        """Commits all that is written inside it together, or nothing of it."""
        return transaction(self._db)

    def part(self) -> AbstractContextManager[None]:
        """A part of a transaction: nothing of it is written if an exception ends it, and the rest is not affected."""
        return savepoint(self._db)

    def ended_tokens(self, boot_id: str, is_alive: Callable[[int], bool]) -> frozenset[str]:
        """What marks the temporary files of runs that are over.

        In a copy of a database, a run may be on record that goes on elsewhere on this machine.
        """
        rows = self._db.execute("SELECT token, pid, boot_id FROM run WHERE token NOTNULL").fetchall()
        return frozenset(token for token, pid, boot in rows if boot != boot_id or not is_alive(pid))

    def rendition_directories(self) -> list[str]:
        """The directories of all renditions that were ever asked for."""
        return [directory for (directory,) in self._db.execute("SELECT directory FROM rendition")]

    # ---- runs

    def open_run(self, settings: Mapping[str, Any], *, token: str | None = None, boot_id: str | None = None) -> int:
        """Starts a row in `run`, which all that follows is recorded under; a run that died ends as `killed`.

        `token` marks its temporary files; `boot_id` is of the machine.
        """
        self._db.execute("UPDATE run SET outcome = 'killed', finished_at = updated_at WHERE finished_at IS NULL")
        now = timestamp()
        # People who edit the table may leave a retry without a time, or with no time at all: it is due.
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
        """Notes what the root is for from now on."""
        if plan != read_plan(self._db):
            forget_plan_counts(self._db)
        write_plan(self._db, plan)

    def plan_counts(self, standing: Iterable[StatusCount], classes: Mapping[str, ClassCount]) -> None:
        """Notes how the images of the plan stand, and keeps that with each outcome; nothing for the whole list."""
        rows = tuple(standing)
        self._counts_plan = bool(rows)
        with self.transaction():
            write_plan_counts(self._db, rows, classes)

    def _move(self, job: Job, status: Status, reason: Reason | None = None) -> None:
        if self._counts_plan:
            move_plan_counts(self._db, job, status, reason)

    def heartbeat(
        self, *, done: int, failed: int, throttled: int, bytes_read: int, images_per_s: float, bytes_per_s: float
    ) -> None:
        """Notes how far this run is, for `oidl status` in another process."""
        self._db.execute(
            "UPDATE run SET updated_at = ?, done = ?, failed = ?, throttled = ?, bytes = ?, "
            "images_per_s = ?, bytes_per_s = ? WHERE id = ?",
            (timestamp(), done, failed, throttled, bytes_read, images_per_s, bytes_per_s, self._run_id),
        )

    def close_run(self, outcome: str, *, is_synced: bool = False) -> None:
        """Ends this run's row; `is_synced` if all that it wrote is on the disk."""
        now = timestamp()
        self._db.execute(
            "UPDATE run SET updated_at = ?, finished_at = ?, outcome = ?, synced_at = iif(?, ?, synced_at) "
            "WHERE id = ?",
            (now, now, outcome, is_synced, now, self._run_id),
        )

    def synced(self, moment: str) -> None:
        """Notes that all files recorded before `moment`, by whichever run, are on the disk."""
        with self.transaction():
            self._db.execute("UPDATE run SET synced_at = ? WHERE id = ?", (moment, self._run_id))

    def unsynced_since(self, boot_id: str) -> str | None:
        """From when on files were recorded that a power cut may have taken; None if there was none since.

        An earlier run was cut off, or was of another boot. The same boot proves nothing for a run that was cut off: the
        disk may be a copy of one that was in use. An empty `boot_id` is of a system that does not tell.
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

        A try that went on to other sources is one; `source` is where `reason` is counted, None for anywhere.
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
        told: Failure | None = None,
        earlier: Sequence[Failure] = (),
    ) -> None:
        """Records a failed try and what that makes of the image; `told` is the reason, if that is another failure.

        `earlier` are the failures at the sources that were asked before in the same try.
        """
        now = timestamp()
        self._attempts(job.image_id, (*earlier, failure), now)
        failure = told or failure
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
        """Leaves an image that was not tried for later."""
        self._move(job, Status.RETRY, postponed.reason)
        self._db.execute(
            "UPDATE download SET status = 'retry', next_attempt_at = ?, reason = ?, detail = ?, http_status = NULL, "
            "finished_at = NULL WHERE image_id = ?",
            (timestamp(due), postponed.reason, postponed.detail, job.image_id),
        )

    def done(self, job: Job, done: Done, earlier: Sequence[Failure] = ()) -> None:
        """Records an image as done, with its files, which are in place already.

        If the bytes came from disk this time, and are those that were downloaded before, what is known of the download
        stays. `earlier` are the failures at the sources that were asked before the one that had the image.
        """
        now = timestamp()
        self._attempts(job.image_id, earlier, now)
        self._move(job, Status.DONE)
        is_local = done.source == Source.LOCAL
        self._db.execute(
            "UPDATE download SET status = 'done', attempts = attempts + NOT :is_local, next_attempt_at = NULL, "
            "reason = NULL, detail = NULL, http_status = NULL, "
            "source = iif(:is_local AND md5 IS :md5 AND reason IS NULL AND source NOTNULL, source, :source), "
            "url = iif(:is_local AND md5 IS :md5 AND reason IS NULL AND source NOTNULL, url, :url), "
            f"{_DOWNLOADED}, transfer_s = coalesce(:transfer_s, transfer_s), finished_at = :now "
            "WHERE image_id = :image_id",
            _values_of(done, _DONE) | {"is_local": is_local, "now": now, "image_id": job.image_id},
        )
        self._db.executemany(
            _PUT_FILE,
            [_values_of(file, _FILE) | {"image_id": job.image_id, "written_at": now} for file in done.files],
        )

    def claim_name(self, name: str, image_id: str) -> bool:
        """Whether files of `image_id` may be called `name`: it is theirs already, or no image's yet and is theirs now.

        Outside of a transaction, as it is its own: a claim is made before anything is written under the name.
        """
        owner = self._db.execute("SELECT image_id FROM file_name WHERE name = ?", (name,)).fetchone()
        if owner is None:
            with self.transaction():
                self._db.execute("INSERT INTO file_name (name, image_id) VALUES (?, ?)", (name, image_id))
        return owner is None or owner[0] == image_id

    def register(self, renditions: Iterable[Rendition]) -> None:
        """Notes the recipe of each rendition; raises `UsageError` where its directory or name stands for another."""
        register(self._db, tuple(renditions))


def _values_of(record: Done | WrittenFile, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}
