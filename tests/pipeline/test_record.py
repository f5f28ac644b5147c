"""Outcomes become rows, many per commit, and count only then; none is lost after it was handed over."""

import random
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trio
import trio.testing
from builders import LIST, THUMB, image, job

from oidl.errors import StateError
from oidl.model import Done, Failure, Job, Postponed, Reason, Source, Status, WrittenFile
from oidl.node.stop import Stop
from oidl.pipeline.feed import InFlight
from oidl.pipeline.record import Outcome, Recorder
from oidl.pipeline.writer import StateWriter
from oidl.progress.meter import Meter
from oidl.state.connection import StateConnection
from oidl.state.database import connect_reader
from oidl.state.load import load_list
from oidl.state.queue import Queue
from oidl.state.times import timestamp

DONE = Done(Source.ORIGINAL, "u", 500, "m", 8, 6, (WrittenFile(THUMB.name, "thumbs/x.jpg", 50, 8, 6),))
GONE = Failure(Reason.GONE, "HTTP 410", http_status=410, source=Source.ORIGINAL, url="https://x/1.jpg")

pytestmark = pytest.mark.usefixtures("inline_threads")


@dataclass
class Desk:
    """A recorder at work on the images of `db`, all of them claimed."""

    db: StateConnection
    in_flight: InFlight
    meter: Meter
    stop: Stop
    news: list[Reason | None]
    recorder: Recorder
    inbox: trio.MemorySendChannel[Outcome]
    outcomes: trio.MemoryReceiveChannel[Outcome]
    clock: trio.testing.MockClock
    state: StateWriter

    async def send(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            await self.inbox.send(outcome)
        await trio.testing.wait_all_tasks_blocked()

    async def after(self, seconds: float) -> None:
        self.clock.jump(seconds)
        await trio.testing.wait_all_tasks_blocked()

    def ask(self, query: str) -> Any:
        """What another process sees, which is what is committed."""
        reader = connect_reader(self.db.path)
        try:
            return reader.execute(query).fetchall()
        finally:
            reader.close()

    @property
    def done(self) -> int:
        return int(self.ask("SELECT count(*) FROM download WHERE status = 'done'")[0][0])


Main = Callable[[Desk, trio.CancelScope], Awaitable[None]]


def record(db: StateConnection, main: Main) -> Desk:
    """Runs `main` beside a recorder, on a clock that stands still until it is told; closes the channel after it."""
    clock = trio.testing.MockClock()
    state = StateWriter(db)
    state.ledger.open_run({})

    async def run() -> Desk:
        in_flight, meter, stop = InFlight(), Meter(clock.current_time), Stop()
        in_flight.image_ids.update(row[0] for row in db.execute("SELECT image_id FROM image"))
        news: list[Reason | None] = []
        recorder = Recorder(state, in_flight, meter, stop, random.Random(1), confirm_after_s=45.0, on_news=news.append)
        desk = Desk(db, in_flight, meter, stop, news, recorder, *trio.open_memory_channel[Outcome](0), clock, state)
        async with trio.open_nursery() as nursery, desk.inbox:
            nursery.start_soon(recorder.run, desk.outcomes)
            await main(desk, nursery.cancel_scope)
        return desk

    return trio.run(run, clock=clock)


def done(*numbers: int) -> list[Outcome]:
    return [Outcome(job(number), DONE) for number in numbers]


# ---- batches


def test_a_batch_is_committed_250_ms_after_its_first_outcome(loaded_db: StateConnection) -> None:
    async def main(desk: Desk, _: object) -> None:
        await desk.send(done(1))
        await desk.after(0.2)
        await desk.send(done(2))
        await desk.after(0.04)
        assert desk.done == 0
        await desk.after(0.02)
        assert desk.done == 2

    record(loaded_db, main)


def test_five_hundred_outcomes_do_not_wait_and_are_one_commit(db: StateConnection) -> None:
    load_list(db, LIST, ("train",), [image(number) for number in range(502)])

    async def main(desk: Desk, _: object) -> None:
        await desk.send(done(*range(499)))
        assert desk.done == 0
        commits: list[str] = []
        db.set_trace_callback(lambda statement: commits.append(statement) if statement == "COMMIT" else None)
        await desk.send(done(499))
        db.set_trace_callback(None)
        assert desk.done == 500
        assert len(commits) == 2  # the outcomes, and how far the run is
        await desk.send(done(500))
        assert desk.done == 500

    assert record(db, main).done == 501


def test_the_outcomes_of_all_images_in_flight_wait_for_no_more(loaded_db: StateConnection) -> None:
    async def main(desk: Desk, _: object) -> None:
        desk.in_flight.image_ids.intersection_update([job(1).image_id, job(2).image_id])
        await desk.send(done(1))
        assert desk.done == 0  # the other one may come soon
        await desk.send(done(2))
        assert desk.done == 2  # the clock has not moved

    record(loaded_db, main)


def test_how_far_the_run_is_is_also_recorded_while_nothing_comes(loaded_db: StateConnection) -> None:
    async def main(desk: Desk, _: object) -> None:
        await desk.send(done(1))
        await desk.after(0.3)
        desk.meter.recorded(job(2), DONE, Status.DONE)  # by others
        assert desk.ask("SELECT done FROM run") == [(1,)]
        await desk.after(5.1)
        assert desk.ask("SELECT done FROM run") == [(2,)]

    record(loaded_db, main)


def test_when_the_stages_before_have_ended_nobody_waits_for_more(loaded_db: StateConnection) -> None:
    async def main(desk: Desk, _: object) -> None:
        await desk.send(done(1, 2))
        assert desk.done == 0

    assert record(loaded_db, main).done == 2  # the clock has not moved


# ---- claims and counters follow the commit


def test_an_image_is_let_go_of_only_when_others_can_see_its_row(loaded_db: StateConnection) -> None:
    async def main(desk: Desk, _: object) -> None:
        seen: list[list[str]] = []
        release = desk.in_flight.release

        def watched(recorded: Iterable[tuple[Job, Status | None]]) -> None:
            rows = desk.ask("SELECT image_id FROM download WHERE status <> 'pending'")
            seen.append([image_id for (image_id,) in rows])
            release(recorded)

        desk.in_flight.release = watched  # type: ignore[method-assign]
        await desk.send([*done(1), Outcome(job(2), GONE)])
        assert len(desk.in_flight.image_ids) == 12
        assert desk.meter.statistics().done == 0
        await desk.after(0.3)
        assert seen == [[image(1).image_id, image(2).image_id]]
        assert desk.in_flight.image_ids.isdisjoint(seen[0])
        assert len(desk.in_flight.image_ids) == 10
        assert (desk.meter.statistics().done, desk.meter.statistics().failed) == (1, 1)

    record(loaded_db, main)


def test_a_commit_that_fails_is_all_or_nothing_and_lets_go_of_none(
    loaded_db: StateConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    desks: list[Desk] = []

    def broken(*_: object) -> None:
        error = sqlite3.DatabaseError("malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    async def main(desk: Desk, _: object) -> None:
        desks.append(desk)
        monkeypatch.setattr(desk.state.ledger, "failed", broken)
        await desk.send([*done(1), Outcome(job(2), GONE)])
        await desk.after(0.3)

    with pytest.raises(ExceptionGroup) as raised:
        record(loaded_db, main)
    assert raised.group_contains(StateError, match="is damaged")
    assert desks[0].done == 0
    assert len(desks[0].in_flight.image_ids) == 12
    assert desks[0].meter.statistics().done == 0


@pytest.mark.parametrize(("result", "moves"), [(DONE, True), (GONE, False)])
def test_only_success_is_progress_that_puts_off_the_end_of_a_wait(
    loaded_db: StateConnection, result: Done | Failure, moves: bool
) -> None:
    async def main(desk: Desk, _: object) -> None:
        await desk.after(5)
        await desk.send([Outcome(job(1), result)])
        await desk.after(1)
        assert desk.in_flight.progressed_at == (6 if moves else 0)

    record(loaded_db, main)


def test_how_far_the_run_is_stands_in_its_row_no_more_than_once_a_second(loaded_db: StateConnection) -> None:
    async def main(desk: Desk, _: object) -> None:
        for number, (seconds, shown) in enumerate([(0.3, 1), (0.3, 1), (0.3, 1), (0.5, 4)]):
            await desk.send(done(number))
            await desk.after(seconds)
            assert desk.done == number + 1
            assert desk.ask("SELECT done FROM run ORDER BY id DESC LIMIT 1") == [(shown,)]

    record(loaded_db, main)


# ---- cancelled


def test_what_was_handed_over_before_a_cancel_is_still_committed(loaded_db: StateConnection) -> None:
    async def main(desk: Desk, scope: trio.CancelScope) -> None:
        await desk.send([*done(1, 2), Outcome(job(3), GONE)])
        assert desk.done == 0
        scope.cancel()

    desk = record(loaded_db, main)
    assert desk.done == 2
    assert desk.ask("SELECT reason FROM failure") == [("gone",)]
    assert len(desk.in_flight.image_ids) == 9


def test_a_cancel_in_the_middle_of_a_commit_leaves_all_of_one_mind(
    loaded_db: StateConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main(desk: Desk, scope: trio.CancelScope) -> None:
        transaction = desk.state.ledger.transaction

        def cancelling() -> AbstractContextManager[None]:
            scope.cancel()
            return transaction()

        monkeypatch.setattr(desk.state.ledger, "transaction", cancelling)
        await desk.send(done(1, 2))
        await desk.after(0.3)

    desk = record(loaded_db, main)
    assert desk.done == desk.meter.statistics().done == 2
    assert len(desk.in_flight.image_ids) == 10
    assert desk.ask("SELECT done FROM run ORDER BY id DESC LIMIT 1") == [(2,)]


# ---- failures


def fail(db: StateConnection, *failures: Failure) -> tuple[list[str], Desk]:
    """Where image 1 stands after each of `failures`."""
    statuses: list[str] = []

    async def main(desk: Desk, _: object) -> None:
        for failure in failures:
            await desk.send([Outcome(job(1), failure)])
            await desk.after(0.3)
            statuses.extend(row[0] for row in desk.ask("SELECT status FROM failure"))

    return statuses, record(db, main)


def test_a_failure_for_good_is_a_row_that_says_all_about_it(loaded_db: StateConnection) -> None:
    statuses, desk = fail(loaded_db, GONE)
    assert statuses == ["failed"]
    row = ("original", "https://x/1.jpg", "gone", 410, "HTTP 410")
    assert desk.ask("SELECT source, url, reason, http_status, detail FROM attempt") == [row]
    assert desk.ask("SELECT source, url, reason, http_status, detail FROM download WHERE status = 'failed'") == [row]
    assert desk.meter.statistics().by_reason == {Reason.GONE: 1}


def test_every_try_is_an_attempt_and_those_before_it_decide(loaded_db: StateConnection) -> None:
    forbidden = Failure(Reason.FORBIDDEN, http_status=403)
    statuses, desk = fail(loaded_db, forbidden, Failure(Reason.TIMEOUT), forbidden, forbidden)
    assert statuses == ["retry", "retry", "retry", "failed"]
    reasons = [reason for (reason,) in desk.ask("SELECT reason FROM attempt ORDER BY id")]
    assert reasons == ["forbidden", "timeout", "forbidden", "forbidden"]
    assert desk.ask("SELECT attempts, next_attempt_at FROM failure") == [(4, None)]
    assert (desk.meter.statistics().retried, desk.meter.statistics().failed) == (3, 1)


def test_two_tries_in_one_batch_count_one_after_the_other(loaded_db: StateConnection) -> None:
    async def main(desk: Desk, _: object) -> None:
        await desk.send([Outcome(job(1), Failure(Reason.MD5_MISMATCH))] * 2)

    desk = record(loaded_db, main)
    assert desk.ask("SELECT status, attempts FROM failure") == [("failed", 2)]


def test_a_retry_after_is_in_the_row_and_a_rate_limit_does_not_count(loaded_db: StateConnection) -> None:
    before = datetime.now(UTC)
    statuses, desk = fail(loaded_db, Failure(Reason.RATE_LIMITED, retry_after_s=3600))
    assert statuses == ["retry"]
    ((attempts, due),) = desk.ask("SELECT attempts, next_attempt_at FROM failure")
    assert attempts == 0
    hour = timedelta(hours=1)
    assert timestamp(before + hour) <= due <= timestamp(datetime.now(UTC) + hour)


def test_a_disk_that_cannot_be_written_stops_the_run_and_not_the_image(loaded_db: StateConnection) -> None:
    full = Failure(Reason.DISK, "no space left")
    statuses, desk = fail(loaded_db, full)
    assert statuses == ["retry"]
    assert desk.stop.draining.is_set()
    assert desk.stop.disk_failure == full
    assert not desk.stop.is_interrupted


def test_no_other_failure_stops_the_run(loaded_db: StateConnection) -> None:
    _, desk = fail(loaded_db, GONE, Failure(Reason.TIMEOUT))
    assert not desk.stop.draining.is_set()


# ---- news


def test_only_what_tells_something_about_the_path_is_news(loaded_db: StateConnection) -> None:
    page, slow = Failure(Reason.NOT_AN_IMAGE), Failure(Reason.TIMEOUT)
    local = replace(DONE, source=Source.LOCAL)

    async def main(desk: Desk, _: object) -> None:
        for expected, result in (
            ([Reason.NOT_AN_IMAGE], page),
            ([], page),  # as before
            ([Reason.TIMEOUT], slow),
            ([Reason.TIMEOUT], slow),  # the network may well be down again
            ([], local),
            ([None], DONE),
        ):
            desk.news.clear()
            await desk.send([Outcome(job(1), result)])
            await desk.after(0.3)
            assert desk.news == expected

    record(loaded_db, main)


# ---- bugs

UNWRITABLE = Failure(Reason.GONE, http_status=10**30)  # more than SQLite has bits for


def test_a_bug_while_one_outcome_is_recorded_loses_no_other_of_the_batch(loaded_db: StateConnection) -> None:
    async def main(desk: Desk, _: object) -> None:
        await desk.send([*done(1), Outcome(job(2), UNWRITABLE), Outcome(job(3), GONE), *done(4)])
        await desk.after(0.3)
        assert len(desk.in_flight.image_ids) == 8

    desk = record(loaded_db, main)
    assert desk.done == 2
    assert desk.ask("SELECT image_id, status, reason FROM failure") == [
        (image(2).image_id, "retry", "internal_error"),
        (image(3).image_id, "failed", "gone"),
    ]
    assert desk.ask("SELECT image_id, reason FROM attempt") == [
        (image(2).image_id, "internal_error"),
        (image(3).image_id, "gone"),
    ]


def test_an_outcome_that_cannot_be_recorded_at_all_leaves_its_row_as_it_was(
    loaded_db: StateConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main(desk: Desk, _: object) -> None:
        monkeypatch.setattr(desk.state.ledger, "failed", lambda *_: 1 / 0)
        await desk.send([*done(1), Outcome(job(2), GONE), *done(3)])
        await desk.after(0.3)
        assert len(desk.in_flight.image_ids) == 9

    desk = record(loaded_db, main)
    assert (desk.done, desk.ask("SELECT * FROM failure")) == (2, [])
    assert desk.stop.bug is None


def test_a_bug_of_the_meter_s_keeps_no_image_claimed(
    loaded_db: StateConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main(desk: Desk, _: object) -> None:
        monkeypatch.setattr(desk.meter, "recorded", lambda *_: 1 / 0)
        await desk.send(done(1, 2))
        await desk.after(0.3)
        assert len(desk.in_flight.image_ids) == 10

    assert record(loaded_db, main).done == 2


def test_nothing_but_bugs_stops_the_run(loaded_db: StateConnection) -> None:
    bug = Failure(Reason.INTERNAL_ERROR, "TypeError: odd")

    async def main(desk: Desk, _: object) -> None:
        await desk.send([*done(0), *(Outcome(job(number), bug) for number in range(1, 10))])
        await desk.after(0.3)
        assert not desk.stop.draining.is_set()
        await desk.send([Outcome(job(1), bug)])
        await desk.after(0.3)
        assert desk.stop.draining.is_set()

    assert record(loaded_db, main).stop.bug


# ---- what the meter is told


def test_the_meter_counts_what_the_database_counts(loaded_db: StateConnection) -> None:
    async def main(desk: Desk, _: object) -> None:
        reader = connect_reader(loaded_db.path)
        desk.meter.set_baseline(Queue(reader, (THUMB,), run_id=1, max_tries=9).status_counts())
        reader.close()
        waits = Postponed(Reason.DNS, "its host is unreachable", 60.0)
        outcomes = [Outcome(job(3), GONE), Outcome(job(4), Failure(Reason.TIMEOUT)), Outcome(job(5), waits)]
        await desk.send([*done(1, 2), *outcomes])
        await desk.after(1)
        again = job(4, status=Status.RETRY, reason=Reason.TIMEOUT)
        await desk.send([Outcome(again, DONE)])
        await desk.after(1)
        now = desk.meter.statistics()
        rows = desk.ask("SELECT subset, status, count(*) FROM download GROUP BY subset, status")
        assert sorted(rows) == sorted(
            (subset, status.value, count)
            for subset, by_status in now.by_subset.items()
            for status, count in by_status.items()
            if count
        )
        assert {
            (status, reason, count)
            for status, reason, count in desk.ask(
                "SELECT status, reason, count(*) FROM download WHERE reason IS NOT NULL GROUP BY status, reason"
            )
        } == {
            (status.value, reason.value, count)
            for reason, by_status in now.failures.items()
            for status, count in by_status.items()
            if count
        }
        assert (now.done, now.settled, now.total) == (3, 4, 12)

    record(loaded_db, main)
