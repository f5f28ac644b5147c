"""The last stage: outcomes become rows, many per commit, and count only after that.

A batch is committed after 500 outcomes or 250 ms, and at once if no other image is in flight. A thread does that, and
then records the state of the run. When the run is cancelled, the outcomes received so far are still committed.
"""

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import trio

from oidl.model import AttemptCounts, Done, Failure, Job, Postponed, Reason, Source, Status
from oidl.node.attempt import Outcome
from oidl.node.containment import contained, stops_the_program
from oidl.node.stop import Stop
from oidl.pipeline.bugs import BugCount
from oidl.pipeline.feed import InFlight
from oidl.pipeline.retry import UNCOUNTED, decide_all, rule_for
from oidl.pipeline.writer import StateWriter
from oidl.progress.meter import Meter
from oidl.progress.statistics import Statistics
from oidl.state.ledger import Ledger
from oidl.state.translate import translating_sqlite_errors

_BATCH = 500
_BATCH_S = 0.25
_HEARTBEAT_S, _IDLE_S = 1.0, 5.0  # while outcomes come, and while none does

log = logging.getLogger("oidl")


@dataclass(frozen=True, slots=True)
class _Recorded:
    """An outcome as recorded in the database.

    `path_evidence` has one item if the outcome says something about the path to the server: the reason of the failure,
    or None for a download.
    """

    outcome: Outcome
    status: Status
    path_evidence: tuple[Reason | None, ...] = ()

    @property
    def settled_as(self) -> Status | None:
        """The status after a try; None if the image was not tried, or its status did not change."""
        if isinstance(self.outcome.result, Failure) and self.status in (Status.RETRY, Status.FAILED):
            return self.status
        return Status.DONE if isinstance(self.outcome.result, Done) else None


class Recorder:
    """Records outcomes until their channel closes.

    `confirm_after_s` belongs to the retry policy. `on_news` is called with the reason why an image failed, or None for
    one that was downloaded. An outcome without evidence about the path to the server is not news: the image failed for
    the same reason before, or was on disk.
    """

    def __init__(
        self,
        state: StateWriter,
        in_flight: InFlight,
        meter: Meter,
        stop: Stop,
        rng: random.Random,
        *,
        confirm_after_s: float,
        on_news: Callable[[Reason | None], None] = lambda reason: None,
    ) -> None:
        self._state = state
        self._ledger = state.ledger
        self._in_flight = in_flight
        self._meter = meter
        self._stop = stop
        self._rng = rng
        self._confirm_after_s = confirm_after_s
        self._on_news = on_news
        self._bugs = BugCount(stop)
        self._heartbeat_at = -_HEARTBEAT_S

    async def run(self, outcomes: trio.MemoryReceiveChannel[Outcome]) -> None:
        """Records all of `outcomes`."""
        batch: list[Outcome] = []
        try:
            while True:
                with trio.move_on_after(_IDLE_S) as idle:
                    batch.append(await outcomes.receive())
                if idle.cancelled_caught:
                    await self._heartbeat()  # images may wait, or nodes upload shards
                    continue
                with trio.move_on_after(_BATCH_S), suppress(trio.EndOfChannel):
                    while len(batch) < min(_BATCH, len(self._in_flight.image_ids)):
                        batch.append(await outcomes.receive())
                await self._commit(batch)
        except trio.EndOfChannel:
            pass
        finally:
            if batch:
                await self._commit(batch)
            self._bugs.run_ends()

    async def _commit(self, batch: list[Outcome]) -> None:
        # Shielded, so that the meter, the feed and the log agree with what is recorded.
        with trio.CancelScope(shield=True):
            outcomes = tuple(batch)
            batch.clear()
            written = await self._state.run(self._record, outcomes)
            settled = [(recorded.outcome.job, recorded.settled_as) for recorded in written]
            for recorded in written:
                with contained(recorded.outcome.job):
                    self._tell(recorded)
            self._in_flight.release(settled)
            await self._heartbeat()

    def _record(self, outcomes: Sequence[Outcome]) -> list[_Recorded]:
        try:
            with self._ledger.transaction(), translating_sqlite_errors(self._state.db.path):
                return [self._write(outcome) for outcome in outcomes]
        except Exception as error:
            if stops_the_program(error):
                raise
        # A bug: each one by itself, so that it costs only the image that met it. As a rule, that costs a fifth more.
        with self._ledger.transaction():
            return [self._record_one(outcome) for outcome in outcomes]

    def _record_one(self, outcome: Outcome) -> _Recorded:
        """Records an outcome, or the bug that prevented it; if that fails too, the row stays unchanged."""
        with contained(outcome.job) as bug, self._part():
            return self._write(outcome)
        assert bug.failure
        outcome = Outcome(outcome.job, bug.failure)
        with contained(outcome.job), self._part():
            return self._write(outcome)
        return _Recorded(outcome, outcome.job.status)

    @contextmanager
    def _part(self) -> Iterator[None]:
        """A part of the transaction that can fail alone; an error of SQLite about the database stops the program."""
        with translating_sqlite_errors(self._state.db.path), self._ledger.part():
            yield

    def _write(self, outcome: Outcome) -> _Recorded:
        match outcome.result:
            case Done() as done:
                self._ledger.done(outcome.job, done, outcome.earlier)
                return _Recorded(outcome, Status.DONE, () if done.source == Source.LOCAL else (None,))
            case Failure() as failure:
                tries = [(each, self._tries(outcome.job, each)) for each in (*outcome.earlier, failure)]
                verdict, cause = decide_all(tries, datetime.now(UTC), self._rng, self._confirm_after_s)
                self._ledger.failed(outcome.job, failure, verdict, cause, outcome.earlier)
                is_known = any(each_tries.for_reason for each, each_tries in tries if each.reason is cause.reason)
                evidence = () if is_known and rule_for(cause).tries else (cause.reason,)
                return _Recorded(outcome, verdict.status, evidence)
            case Postponed() as postponed:
                due = datetime.now(UTC) + timedelta(seconds=postponed.wait_s)
                self._ledger.postponed(outcome.job, postponed, due)
                return _Recorded(outcome, Status.RETRY)
            case None:
                return _Recorded(outcome, outcome.job.status)

    def _tries(self, job: Job, failure: Failure) -> AttemptCounts:
        return self._ledger.tries(job.image_id, failure.reason, UNCOUNTED, failure.source)

    def _tell(self, recorded: _Recorded) -> None:
        """Reports a recorded outcome to the meter, the log and everything that may stop the run."""
        outcome, status = recorded.outcome, recorded.status
        for reason in recorded.path_evidence:
            self._on_news(reason)
        if isinstance(outcome.result, Postponed):
            self._meter.postponed(outcome.job, outcome.result)
        elif outcome.result:
            self._meter.recorded(outcome.job, outcome.result, status)
            is_bug = isinstance(outcome.result, Failure) and outcome.result.reason is Reason.INTERNAL_ERROR
            self._bugs.count(is_bug=is_bug)
        match outcome.result:
            case Failure(reason=Reason.DISK) as failure:
                self._stop.disk_is_full(failure)
            case Failure() as failure:
                log.info("%s %s %s: %s", status, outcome.job.image_id, failure.reason, failure.detail)
            case Postponed() as postponed:
                log.debug("postponed %s: %s", outcome.job.image_id, postponed.detail)
            case Done() as done:
                log.debug("done %s %d bytes from %s", outcome.job.image_id, done.bytes, done.url or "disk")

    async def _heartbeat(self) -> None:
        now = trio.current_time()
        if now >= self._heartbeat_at + _HEARTBEAT_S:
            self._heartbeat_at = now
            await self._state.run(heartbeat, self._ledger, self._meter.statistics())


def heartbeat(ledger: Ledger, now: Statistics) -> None:
    """Records the progress of the run in the database."""
    with ledger.transaction():
        ledger.heartbeat(
            done=now.done,
            failed=now.failed,
            throttled=now.throttled,
            bytes_read=now.bytes_read,
            images_per_s=now.images_per_s,
            bytes_per_s=now.read_bytes_per_s,
        )
        ledger.paces.write(now.paces)
        ledger.nodes(now.nodes)
