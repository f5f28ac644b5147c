"""What the feed sends, in what order, and when it ends; the queue is real, the clock is not."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import trio
import trio.testing
from builders import THUMB, image, job

from oidl.model import Done, Failure, Job, Reason, RetryDecision, Source, Status, WrittenFile
from oidl.node.stop import Stop
from oidl.pipeline.feed import Feed, FeedEnd, InFlight
from oidl.pipeline.target import Target
from oidl.settings import Retries
from oidl.state.connection import StateConnection
from oidl.state.ledger import Ledger
from oidl.state.queue import Queue

START = datetime(2030, 1, 1, tzinfo=UTC)
DONE = Done(Source.ORIGINAL, "u", 500, "m", 8, 6, (WrittenFile(THUMB.name, "thumbs/x.jpg", 50, 8, 6),))
PAGE = 5


@dataclass
class WallClock:
    """The time of day: it follows Trio's clock, at another `speed` while the system corrects it."""

    speed: float = 1.0

    def __call__(self) -> datetime:
        return START + timedelta(seconds=trio.current_time() * self.speed)


@pytest.fixture(autouse=True)
def _clocks(inline_threads: None) -> None:
    """Threads would not wait for Trio's mock clock."""


@dataclass
class Fed:
    """One walk of a feed, and whoever takes what it feeds: `settle` is called for each, by default it is done then."""

    ledger: Ledger
    queue: Queue
    settle: Callable[["Fed", int, Job], None] = lambda fed, number, item: fed.done(item)
    target: Target = field(default_factory=Target)
    retries: Retries = field(default_factory=lambda: Retries(max_wait_s=120.0))
    wall_clock: WallClock = field(default_factory=WallClock)
    numbers: list[int] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    end: FeedEnd | None = None
    ended_s: float = -1.0
    stop: Stop = field(init=False)
    in_flight: InFlight = field(init=False)

    def done(self, item: Job) -> None:
        self.ledger.done(item, DONE)
        self.in_flight.release([(item, Status.DONE)])

    def failed(self, item: Job, in_s: float, status: Status = Status.RETRY) -> None:
        self.ledger.failed(
            item, Failure(Reason.TIMEOUT), RetryDecision(status, self.wall_clock() + timedelta(seconds=in_s))
        )
        self.in_flight.release([(item, status)])

    def run(self) -> "Fed":
        trio.run(self._main, clock=trio.testing.MockClock(autojump_threshold=0))
        return self

    async def _main(self) -> None:
        self.stop, self.in_flight = Stop(), InFlight(self.target)
        feed = Feed(
            self.queue, self.in_flight, self.stop, self.retries,
            say=self.said.append, page_size=PAGE, now=self.wall_clock,
        )  # fmt: skip
        works_in, jobs = trio.open_memory_channel[Job](0)

        async def take() -> None:
            async with jobs:
                async for item in jobs:
                    assert item.image_id in self.in_flight.image_ids
                    self.numbers.append(int(item.image_id, 16))
                    self.at_s.append(trio.current_time())
                    self.settle(self, self.numbers[-1], item)
                    if self.stop.draining.is_set():
                        await trio.testing.wait_all_tasks_blocked()  # whoever is slow to take the next one

        with trio.fail_after(3600):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(take)
                self.end = await feed.run(works_in)
                self.ended_s = trio.current_time()


@pytest.fixture
def queue(reader: StateConnection, ledger: Ledger) -> Queue:
    ledger.open_run({})  # run 2: what the tests record beforehand is of an earlier one
    return Queue(reader, (THUMB,), run_id=2, max_tries=3)


def test_new_images_come_once_each_in_imageid_order_page_after_page(ledger: Ledger, queue: Queue) -> None:
    fed = Fed(ledger, queue).run()
    assert fed.numbers == list(range(12))
    assert fed.end is FeedEnd.NOTHING_LEFT
    assert fed.in_flight.image_ids == set()


def test_finished_ones_that_lack_something_come_last(ledger: Ledger, queue: Queue) -> None:
    for number in (8, 3):
        ledger.done(job(number), Done(Source.ORIGINAL, "u", 500, "m", 8, 6, ()))
    ledger.done(job(5), DONE)
    assert Fed(ledger, queue).run().numbers == [0, 1, 2, 4, 6, 7, 9, 10, 11, 3, 8]


def test_due_retries_go_before_new_images_the_longest_due_first(reader: StateConnection, ledger: Ledger) -> None:
    for number, due_s in ((3, -1), (7, -60)):
        due = RetryDecision(Status.RETRY, START + timedelta(seconds=due_s))
        ledger.failed(job(number), Failure(Reason.TIMEOUT), due)
    ledger.open_run({})
    fed = Fed(ledger, Queue(reader, (THUMB,), run_id=2, max_tries=3)).run()
    assert fed.numbers == [7, 3, 0, 1, 2, 4, 5, 6, 8, 9, 10, 11]


def test_what_comes_due_meanwhile_goes_before_the_next_page(ledger: Ledger, queue: Queue) -> None:
    def fail_once(fed: Fed, number: int, item: Job) -> None:
        fed.failed(item, -1) if number == 1 and fed.numbers.count(1) == 1 else fed.done(item)

    assert Fed(ledger, queue, fail_once).run().numbers == [0, 1, 2, 3, 4, 1, *range(5, 12)]


def test_what_is_in_hand_is_not_fed_again_though_its_row_says_it_is_due(ledger: Ledger, queue: Queue) -> None:
    due = RetryDecision(Status.RETRY, START - timedelta(seconds=1))

    def hold_some(fed: Fed, number: int, item: Job) -> None:
        """Rows of 0-6, more than a page of them, are committed long before the images are let go of."""
        if fed.numbers.count(number) == 1 and number < 7:
            ledger.failed(item, Failure(Reason.TIMEOUT), due)
        elif number == 8 and fed.numbers.count(8) == 1:
            fed.failed(item, -0.5)  # due after all those, and free
        else:
            fed.done(item)
        if number == 8 and fed.numbers.count(8) == 2:
            fed.in_flight.release([(job(held), Status.RETRY) for held in range(7)])

    fed = Fed(ledger, queue, hold_some).run()
    assert fed.numbers == [*range(10), 8, 10, 11, *range(7)]
    assert fed.end is FeedEnd.NOTHING_LEFT


def test_what_is_let_go_of_while_the_queue_is_asked_is_not_fed_by_the_old_answer(
    reader: StateConnection, ledger: Ledger
) -> None:
    recorded: list[Callable[[], None]] = []

    class Slow(Queue):
        def due(self, now: datetime, limit: int, *, already_tried: bool, classes: object = None) -> list[Job]:
            answer = super().due(now, limit, already_tried=already_tried, classes=None)
            if already_tried and any(item.image_id == image(1).image_id for item in answer):
                recorded.pop()()  # the second try was a success, which is known a moment after the answer
            return answer

    def hold(fed: Fed, number: int, item: Job) -> None:
        if number == 1:
            ledger.failed(item, Failure(Reason.TIMEOUT), RetryDecision(Status.RETRY, START - timedelta(seconds=1)))
            recorded.append(lambda: fed.done(item))
        else:
            fed.done(item)

    ledger.open_run({})
    fed = Fed(ledger, Slow(reader, (THUMB,), run_id=2, max_tries=3), hold).run()
    assert not recorded
    assert fed.numbers == list(range(12))


def test_it_does_not_end_while_something_is_in_hand_that_may_come_again(ledger: Ledger, queue: Queue) -> None:
    def slow(fed: Fed, number: int, item: Job) -> None:
        if number == 4 and fed.numbers.count(4) == 1:
            trio.lowlevel.spawn_system_task(fail_later, fed, item)
        else:
            fed.done(item)

    async def fail_later(fed: Fed, item: Job) -> None:
        await trio.sleep(10.5)
        fed.failed(item, -1)

    fed = Fed(ledger, queue, slow).run()
    assert fed.numbers == [*range(12), 4]
    assert fed.at_s[-1] == pytest.approx(10.5)


# ---- waiting for retries


def test_it_waits_for_retries_that_come_due_and_says_so_once(ledger: Ledger, queue: Queue) -> None:
    def fail_twice(fed: Fed, number: int, item: Job) -> None:
        fed.failed(item, 60) if number in (3, 5) and fed.numbers.count(number) == 1 else fed.done(item)

    fed = Fed(ledger, queue, fail_twice).run()
    assert sorted(fed.numbers[12:]) == [3, 5]
    assert fed.at_s[12:] == pytest.approx([60, 60], abs=0.1)
    assert fed.said == ["waiting 60 s to retry 2 images"]
    assert fed.end is FeedEnd.NOTHING_LEFT


def test_a_wait_that_ends_too_soon_by_the_time_of_day_goes_on_in_silence(ledger: Ledger, queue: Queue) -> None:
    def fail_once(fed: Fed, number: int, item: Job) -> None:
        fed.failed(item, 20) if number == 3 and fed.numbers.count(3) == 1 else fed.done(item)

    fed = Fed(ledger, queue, fail_once, wall_clock=WallClock(speed=0.5)).run()
    assert fed.at_s[12:] == pytest.approx([40], abs=0.1)
    assert fed.said == ["waiting 20 s to retry 1 image"]


def test_it_waits_no_longer_than_it_may(ledger: Ledger, queue: Queue) -> None:
    def fail(fed: Fed, number: int, item: Job) -> None:
        fed.failed(item, 121) if number == 3 else fed.done(item)

    fed = Fed(ledger, queue, fail).run()
    assert (fed.end, fed.ended_s) == (FeedEnd.RETRIES_LATER, 0)
    assert fed.numbers == list(range(12))
    assert fed.said == []


def test_what_came_due_while_it_could_not_be_looked_for_is_left_when_the_time_is_over(
    ledger: Ledger, queue: Queue
) -> None:
    def fail(fed: Fed, number: int, item: Job) -> None:
        if number == 4:
            trio.lowlevel.spawn_system_task(fail_late, fed, item)
        else:
            fed.done(item)

    async def fail_late(fed: Fed, item: Job) -> None:
        await trio.sleep(130)
        fed.failed(item, -20)  # due at 110 s, in time, and known of ten seconds too late

    fed = Fed(ledger, queue, fail).run()
    assert (fed.end, fed.ended_s) == (FeedEnd.RETRIES_LATER, 130)
    assert fed.numbers == list(range(12))


@pytest.mark.parametrize(("is_done", "end"), [(True, FeedEnd.NOTHING_LEFT), (False, FeedEnd.RETRIES_LATER)])
def test_the_wait_is_counted_from_the_last_image_that_came_to_something(
    ledger: Ledger, queue: Queue, is_done: bool, end: FeedEnd
) -> None:
    def settle(fed: Fed, number: int, item: Job) -> None:
        if fed.numbers.count(number) == 1 and number in (3, 5):
            fed.failed(item, {3: 100, 5: 200}[number])
        elif number == 3 and not is_done:
            fed.failed(item, 0, Status.FAILED)
        else:
            fed.done(item)

    fed = Fed(ledger, queue, settle).run()
    assert fed.numbers[12:] == ([3, 5] if is_done else [3])
    assert fed.end is end


def test_an_image_that_has_had_its_tries_is_not_waited_for(ledger: Ledger, queue: Queue) -> None:
    def fail(fed: Fed, number: int, item: Job) -> None:
        fed.failed(item, 1) if number == 3 else fed.done(item)

    fed = Fed(ledger, queue, fail).run()
    assert fed.numbers.count(3) == 3
    assert fed.end is FeedEnd.RETRIES_LATER
    assert fed.ended_s == pytest.approx(2, abs=0.1)
    assert fed.said == []  # a second is not worth a word


# ---- told to stop


def test_a_soft_stop_ends_it_and_only_what_was_taken_is_in_hand(ledger: Ledger, queue: Queue) -> None:
    def stop_at_third(fed: Fed, number: int, item: Job) -> None:
        if number == 2:
            fed.stop.interrupt()

    fed = Fed(ledger, queue, stop_at_third).run()
    assert fed.end is FeedEnd.STOPPED
    assert fed.numbers == [0, 1, 2]
    assert fed.in_flight.image_ids == {image(number).image_id for number in range(3)}


def test_a_soft_stop_ends_a_wait_for_retries(ledger: Ledger, queue: Queue) -> None:
    async def stop_later(fed: Fed) -> None:
        await trio.sleep(20)
        fed.stop.interrupt()

    def fail(fed: Fed, number: int, item: Job) -> None:
        if number == 3:
            fed.failed(item, 60)
            trio.lowlevel.spawn_system_task(stop_later, fed)
        else:
            fed.done(item)

    fed = Fed(ledger, queue, fail).run()
    assert (fed.end, fed.ended_s) == (FeedEnd.STOPPED, 20)


def test_a_scheduler_that_notices_a_soft_stop_first_is_no_error(queue: Queue) -> None:
    async def main() -> None:
        stop, in_flight = Stop(), InFlight()
        feed = Feed(queue, in_flight, stop, Retries(), say=print)
        jobs_in, jobs = trio.open_memory_channel[Job](0)
        ends: list[FeedEnd] = []

        async def run() -> None:
            ends.append(await feed.run(jobs_in))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await trio.testing.wait_all_tasks_blocked()
            stop.interrupt()
            jobs.close()
        assert ends == [FeedEnd.STOPPED]
        assert not in_flight.image_ids

    trio.run(main)


def test_a_scheduler_that_is_gone_without_a_stop_is_an_error(queue: Queue) -> None:
    async def main() -> None:
        jobs_in, jobs = trio.open_memory_channel[Job](0)
        jobs.close()
        with pytest.RaisesGroup(trio.BrokenResourceError):
            await Feed(queue, InFlight(), Stop(), Retries(), say=print).run(jobs_in)

    trio.run(main)
