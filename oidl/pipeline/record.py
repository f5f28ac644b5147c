"""The last stage: outcomes become rows, many to a commit, and only then count.

A batch is committed after 500 outcomes or 250 ms, in a thread, with the state of
the run beside it. What was handed over when the run is cancelled is still
committed.
"""

import logging
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import trio

from oidl.model import Done, Failure, Postponed, Reason, Status, Work
from oidl.pipeline.containment import BugCount, contained
from oidl.pipeline.feed import Claims
from oidl.pipeline.retry import UNCOUNTED, decide_all
from oidl.pipeline.stop import Stop
from oidl.pipeline.writer import StateWriter
from oidl.progress.meter import Meter
from oidl.progress.statistics import Statistics
from oidl.state.database import explained
from oidl.state.ledger import Ledger, Tries

_BATCH = 500
_BATCH_S = 0.25
_BEAT_S = 1.0

log = logging.getLogger("oidl")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an image that was in hand."""

    work: Work
    result: Done | Failure | Postponed


class Recorder:
    """Records outcomes until their channel closes."""

    def __init__(self, state: StateWriter, claims: Claims, meter: Meter, stop: Stop, rng: random.Random) -> None:
        self._state = state
        self._ledger = state.ledger
        self._claims = claims
        self._meter = meter
        self._stop = stop
        self._rng = rng
        self._bugs = BugCount(stop)
        self._beat_at = -_BEAT_S

    async def run(self, outcomes: trio.MemoryReceiveChannel[Outcome]) -> None:
        """Records all of `outcomes`."""
        batch: list[Outcome] = []
        try:
            async for first in outcomes:
                batch.append(first)
                with trio.move_on_after(_BATCH_S), suppress(trio.EndOfChannel):
                    while len(batch) < _BATCH:
                        batch.append(await outcomes.receive())
                await self._commit(batch)
        finally:
            if batch:
                await self._commit(batch)
            self._bugs.run_ends()

    async def _commit(self, batch: list[Outcome]) -> None:
        # Shielded, so that what is recorded and what the meter, the feed and the log know stay the same.
        with trio.CancelScope(shield=True):
            outcomes = tuple(batch)
            batch.clear()
            for outcome, status in await self._state.run(self._record, outcomes):
                with contained(outcome.work):
                    self._tell(outcome, status)
            self._claims.release(
                [outcome.work.image_id for outcome in outcomes],
                any_done=any(isinstance(outcome.result, Done) for outcome in outcomes),
            )
            await self._beat()

    def _record(self, outcomes: Sequence[Outcome]) -> list[tuple[Outcome, Status]]:
        with self._ledger.transaction():
            return [self._record_one(outcome) for outcome in outcomes]

    def _record_one(self, outcome: Outcome) -> tuple[Outcome, Status]:
        """Records an outcome, or the bug that kept it from being recorded; failing that too, its row stays as it is."""
        with contained(outcome.work) as bug, self._part():
            return outcome, self._write(outcome)
        assert bug.failure
        outcome = Outcome(replace(outcome.work, tried=()), bug.failure)
        with contained(outcome.work), self._part():
            return outcome, self._write(outcome)
        return outcome, outcome.work.status

    @contextmanager
    def _part(self) -> Iterator[None]:
        """A part of the transaction that can fail alone; what SQLite has against the database stops the program."""
        with explained(self._state.db.path), self._ledger.part():
            yield

    def _write(self, outcome: Outcome) -> Status:
        match outcome.result:
            case Done() as done:
                self._ledger.done(outcome.work, done)
                return Status.DONE
            case Failure() as failure:
                failures = [(each, self._tries(outcome.work, each)) for each in (*outcome.work.tried, failure)]
                verdict, told = decide_all(failures, datetime.now(UTC), self._rng)
                self._ledger.failed(outcome.work, failure, verdict, told)
                return verdict.status
            case Postponed() as postponed:
                due = datetime.now(UTC) + timedelta(seconds=postponed.wait_s)
                self._ledger.postponed(outcome.work, postponed, due)
                return Status.RETRY

    def _tries(self, work: Work, failure: Failure) -> Tries:
        return self._ledger.tries(work.image_id, failure.reason, UNCOUNTED, failure.source)

    def _tell(self, outcome: Outcome, status: Status) -> None:
        """Lets the meter, the log and whatever may stop the run know what is recorded."""
        if isinstance(outcome.result, Postponed):
            self._meter.postponed(outcome.work, outcome.result)
        else:
            self._meter.recorded(outcome.work, outcome.result, status)
            is_bug = isinstance(outcome.result, Failure) and outcome.result.reason is Reason.INTERNAL_ERROR
            self._bugs.count(is_bug=is_bug)
        match outcome.result:
            case Failure(reason=Reason.DISK) as failure:
                self._stop.disk_is_full(failure)
            case Failure() as failure:
                log.info("%s %s %s: %s", status, outcome.work.image_id, failure.reason, failure.detail)
            case Postponed() as postponed:
                log.debug("postponed %s: %s", outcome.work.image_id, postponed.detail)
            case Done() as done:
                log.debug("done %s %d bytes from %s", outcome.work.image_id, done.bytes, done.url or "disk")

    async def _beat(self) -> None:
        now = trio.current_time()
        if now >= self._beat_at + _BEAT_S:
            self._beat_at = now
            await self._state.run(beat, self._ledger, self._meter.statistics())


def beat(ledger: Ledger, now: Statistics) -> None:
    """Notes in the database how far the run is."""
    with ledger.transaction():
        ledger.beat(
            done=now.done,
            failed=now.failed,
            bytes_read=now.bytes_read,
            images_per_s=now.images_per_s,
            bytes_per_s=now.read_bytes_per_s,
        )
        ledger.paces(now.paces)
