"""Limits are targets: a run gets that many images, whatever fails on the way, and fetches no needless ones."""

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
import trio.testing
from builders import LIST, THUMB, image, job

from oidl.model import Done, Failure, Job, LabelType, Reason, RetryDecision, Source, Status, WrittenFile
from oidl.node.stop import Stop
from oidl.pipeline.feed import Feed, FeedEnd, InFlight
from oidl.pipeline.target import Target
from oidl.settings import Retries, Selection
from oidl.state.complete import count_by_class, count_complete
from oidl.state.database import connect_reader, connect_writer
from oidl.state.ledger import Ledger
from oidl.state.load import load_list
from oidl.state.queue import Queue
from oidl.state.selection import select_images

START = datetime(2030, 1, 1, tzinfo=UTC)
DONE = Done(Source.ORIGINAL, "u", 500, "m", 8, 6, (WrittenFile(THUMB.name, "thumbs/x.jpg", 50, 8, 6),))
CLASSES = ("/m/a", "/m/b", "/m/c")


def wall_clock() -> datetime:
    """The time of day, which follows Trio's clock."""
    return START + timedelta(seconds=trio.current_time())


@pytest.fixture(autouse=True)
def _clocks(inline_threads: None) -> None:
    """Threads would not wait for Trio's mock clock."""


@dataclass
class Server:
    """Runs of a feed on one database, with fetchers that take a while; `outcomes` says what comes of an image's tries.

    Of an image that is not in `outcomes` each try is a success.
    """

    path: Path
    outcomes: dict[int, list[Status | None]] = field(default_factory=dict)
    selection: Selection = field(default_factory=Selection)
    fetchers: int = 4
    retry_s: float = 5.0
    runs: int = 0
    tries: list[int] = field(default_factory=list)
    most_in_flight: int = 0
    rng: random.Random = field(default_factory=lambda: random.Random(1))

    def run(self) -> FeedEnd:
        self.runs += 1
        self.tries.clear()
        return trio.run(self._main, clock=trio.testing.MockClock(autojump_threshold=0))

    async def _main(self) -> FeedEnd:
        db, reader = connect_writer(self.path), connect_reader(self.path)
        try:
            ledger = Ledger(db)
            run_id = ledger.open_run({})
            selected = select_images(reader, self.selection)
            complete, by_class = 0, dict[str, int]()
            if self.selection.limit is not None:
                complete = count_complete(reader, (THUMB,), (), are_selected=selected is not None)
            if self.selection.limit_per_class is not None:
                by_class = {name: each.complete for name, each in count_by_class(reader, (THUMB,), ()).items()}
            target = Target(self.selection.limit, complete, self.selection.limit_per_class, by_class)
            queue = Queue(reader, (THUMB,), run_id=run_id, max_tries=4, selected=selected)
            in_flight = InFlight(target)
            feed = Feed(
                queue, in_flight, Stop(), Retries(max_wait_s=60.0), say=lambda _: None, page_size=7, now=wall_clock
            )
            works_in, jobs = trio.open_memory_channel[Job](0)
            with trio.fail_after(3600):
                async with trio.open_nursery() as nursery:
                    for _ in range(self.fetchers):
                        nursery.start_soon(self._fetch, jobs.clone(), in_flight, ledger)
                    jobs.close()
                    return await feed.run(works_in)
        finally:
            reader.close()
            db.close()

    async def _fetch(self, jobs: trio.MemoryReceiveChannel[Job], in_flight: InFlight, ledger: Ledger) -> None:
        async with jobs:
            async for item in jobs:
                number = int(item.image_id, 16)
                self.tries.append(number)
                self.most_in_flight = max(self.most_in_flight, len(in_flight.image_ids))
                await trio.sleep(self.rng.uniform(0.1, 3.0))
                told = self.outcomes.get(number)
                status = told.pop(0) if told else Status.DONE
                if status is Status.DONE:
                    ledger.done(item, DONE)
                elif status is not None:
                    due = wall_clock() + timedelta(seconds=self.rng.uniform(0.0, self.retry_s))
                    ledger.failed(item, Failure(Reason.TIMEOUT), RetryDecision(status, due))
                in_flight.release([(item, status)])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database of thirty images, with boxes of three classes: a on every 2nd, b on every 3rd, c on every 10th."""
    path = tmp_path / "oidl.sqlite3"
    db = connect_writer(path)
    load_list(db, LIST, ("train",), [image(number) for number in range(30)])
    Ledger(db).register([THUMB])
    boxes = [
        (number, name) for number in range(30) for name, of in zip(CLASSES, (2, 3, 10), strict=True) if number % of == 0
    ]
    db.executemany("INSERT INTO class (label_name, display_name) VALUES (?, ?)", [(name, name) for name in CLASSES])
    db.executemany(
        "INSERT INTO box (image_id, row_number, source, label_name, confidence, "
        "x_min, x_max, y_min, y_max, is_group_of) "
        "VALUES (?, ?, 'xclick', ?, 1, 0.1, 0.9, 0.1, 0.9, 0)",
        [(image(number).image_id, place, name) for place, (number, name) in enumerate(boxes)],
    )
    db.commit()
    db.close()
    return path


def complete_numbers(path: Path) -> list[int]:
    db = connect_reader(path)
    try:
        return [int(name, 16) for (name,) in db.execute("SELECT image_id FROM download WHERE status = 'done'")]
    finally:
        db.close()


FAILED, RETRY = Status.FAILED, Status.RETRY
PER_CLASS = Selection(classes=CLASSES, label_types=(LabelType.BOXES,), limit_per_class=3)


def test_failures_are_replaced_by_the_next(path: Path) -> None:
    server = Server(path, {1: [FAILED], 3: [FAILED], 4: [FAILED]}, Selection(limit=5))
    assert server.run() is FeedEnd.MET
    assert complete_numbers(path) == [0, 2, 5, 6, 7]
    assert sorted(server.tries) == list(range(8))
    assert server.run() is FeedEnd.MET
    assert server.tries == []


def test_a_larger_limit_takes_what_is_missing_to_it(path: Path) -> None:
    server = Server(path, {1: [FAILED]}, Selection(limit=4))
    server.run()
    server.selection = Selection(limit=6)
    assert server.run() is FeedEnd.MET
    assert sorted(server.tries) == [5, 6]


def test_none_is_fed_where_there_is_nothing_to_have(path: Path) -> None:
    server = Server(path, selection=Selection(limit=0))
    assert server.run() is FeedEnd.MET
    assert server.tries == []


def test_no_more_are_in_flight_than_are_missing(path: Path) -> None:
    server = Server(path, {number: [FAILED] for number in range(0, 30, 4)}, Selection(limit=3), fetchers=20)
    server.run()
    assert (len(complete_numbers(path)), server.most_in_flight) == (3, 3)


def test_a_list_that_has_fewer_ends_with_what_there_is(path: Path) -> None:
    server = Server(path, {number: [FAILED] for number in range(25)}, Selection(limit=8))
    assert server.run() is FeedEnd.NOTHING_LEFT
    assert complete_numbers(path) == [25, 26, 27, 28, 29]


def test_an_image_that_waits_is_waited_for_and_not_replaced(path: Path) -> None:
    server = Server(path, {1: [RETRY, RETRY]}, Selection(limit=4), retry_s=10.0)
    assert server.run() is FeedEnd.MET
    assert complete_numbers(path) == [0, 1, 2, 3]
    assert Counter(server.tries) == {0: 1, 1: 3, 2: 1, 3: 1}


@pytest.mark.parametrize("retry_s", [0.0, 10_000.0])
def test_an_image_that_does_not_come_in_this_run_is_replaced_at_its_end(path: Path, retry_s: float) -> None:
    server = Server(path, {1: [RETRY] * 9, 2: [RETRY] * 9}, Selection(limit=4), retry_s=retry_s)
    assert server.run() is FeedEnd.MET
    assert complete_numbers(path) == [0, 3, 4, 5]
    assert sorted(set(server.tries)) == list(range(6))


def test_the_end_comes_though_every_image_waits(path: Path) -> None:
    server = Server(path, {number: [RETRY] * 99 for number in range(30)}, Selection(limit=4), retry_s=10_000.0)
    assert server.run() is FeedEnd.RETRIES_LATER
    assert sorted(set(server.tries)) == list(range(30))


def test_images_that_only_lack_a_rendition_come_before_new_ones(path: Path) -> None:
    db = connect_writer(path)
    for number in (20, 25):
        Ledger(db).done(job(number), replace(DONE, files=()))
    db.close()
    server = Server(path, selection=Selection(limit=3), fetchers=1)
    server.run()
    assert server.tries == [20, 25, 0]


def test_of_each_class_so_many_are_complete(path: Path) -> None:
    server = Server(path, {2: [FAILED], 3: [FAILED], 10: [FAILED]}, PER_CLASS)
    assert server.run() is FeedEnd.NOTHING_LEFT  # c is on 0, 10 and 20, and 10 failed
    found = complete_numbers(path)
    for of, least in ((2, 3), (3, 3), (10, 2)):
        assert sum(number % of == 0 for number in found) >= least
    # a: 0 4 6 for 2; b: 0 6 9 for 3; c: 0 20; an image counts in each of its classes.
    assert found == [0, 4, 6, 9, 20]
    assert server.run() is FeedEnd.NOTHING_LEFT
    assert server.tries == []


def test_both_limits_hold_together(path: Path) -> None:
    server = Server(path, selection=replace(PER_CLASS, limit=4))
    assert server.run() is FeedEnd.MET
    assert len(complete_numbers(path)) == 4


@pytest.mark.parametrize("seed", range(40))
def test_whatever_fails_the_limit_is_had_and_nothing_beyond(path: Path, seed: int) -> None:
    rng = random.Random(seed)
    kinds: list[list[Status | None]] = [[FAILED], [RETRY, FAILED], [RETRY], [RETRY] * 2, [RETRY] * 99, []]
    outcomes = {number: list(rng.choice(kinds)) for number in range(30) if rng.random() < 0.6}
    hopeless = {number for number, told in outcomes.items() if FAILED in told or len(told) > 3}
    limit = rng.randrange(1, 40)
    failures = {number: min(4, len(told)) for number, told in outcomes.items()}
    server = Server(path, outcomes, Selection(limit=limit), rng.randrange(1, 9), rng.choice([0.5, 20.0]), rng=rng)
    server.run()
    found = complete_numbers(path)
    assert len(found) == min(limit, 30 - len(hopeless))
    assert len(server.tries) <= len(found) + sum(failures.get(number, 0) for number in set(server.tries))
    assert server.most_in_flight <= limit
    server.run()
    assert len(complete_numbers(path)) == len(found)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_fails_each_class_has_its_limit(path: Path, seed: int) -> None:
    rng = random.Random(seed)
    kinds: list[list[Status | None]] = [[FAILED], [RETRY, FAILED], [RETRY], [RETRY] * 99]
    outcomes = {number: list(rng.choice(kinds)) for number in range(30) if rng.random() < 0.5}
    hopeless = {number for number, told in outcomes.items() if FAILED in told or len(told) > 3}
    failures = {number: min(4, len(told)) for number, told in outcomes.items()}
    limit, fetchers = rng.randrange(1, 16), rng.randrange(1, 9)
    server = Server(
        path, outcomes, replace(PER_CLASS, limit_per_class=limit, shuffle=bool(seed % 2)), fetchers, rng=rng
    )
    server.run()
    found = set(complete_numbers(path))
    for of in (2, 3, 10):
        there = {number for number in range(30) if number % of == 0}
        assert len(there & found) >= min(limit, len(there - hopeless))
    assert len(found) <= 3 * limit
    assert len(server.tries) <= len(found) + sum(failures.get(number, 0) for number in set(server.tries))
    server.run()
    assert set(complete_numbers(path)) == found
