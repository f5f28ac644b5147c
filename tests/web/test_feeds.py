"""The snapshots of a run in another process: requested about once a second, and completed with pictures."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio
import trio.testing
from builders import image, job

from oidl.model import Done, Source, Status
from oidl.progress.meter import Meter
from oidl.state.connection import StateConnection
from oidl.web.database import Database
from oidl.web.feeds import RunFeed
from oidl.web.snapshot import in_a_line, run_page

AT = datetime(2030, 1, 1, tzinfo=UTC)
DONE = Done(Source.ORIGINAL, "u", 5000, "m", 640, 480, ())


class Run:
    """The run's side: it counts how often it is asked."""

    def __init__(self, path: Path) -> None:
        self.asked = 0
        self.meter = Meter(trio.current_time)
        self.feed = RunFeed(self.ask, Database(path), {"root": "/r", "plan": "--limit 5"})

    async def ask(self) -> None:
        self.asked += 1

    async def tell(self, *numbers: int) -> bool:
        """Sends a snapshot, after these images were done."""
        for number in numbers:
            self.meter.recorded(job(number), DONE, Status.DONE)
        return await self.feed.receive(in_a_line(run_page(self.meter.statistics(), AT)).encode())


@pytest.fixture
def in_time(stocked: StateConnection) -> Callable[[Callable[[Run], Awaitable[None]]], None]:
    """Runs a test; time takes no time."""

    def start(test: Callable[[Run], Awaitable[None]]) -> None:
        async def main() -> None:
            await test(Run(stocked.path))

        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.01))

    return start


def test_the_run_is_asked_once_for_all_and_once_a_second_at_most(in_time) -> None:
    async def test(run: Run) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(run.feed.snapshot)
            await trio.testing.wait_all_tasks_blocked()
            assert run.asked == 1
            await run.tell()
        for _ in range(50):
            await run.feed.snapshot()
        assert run.asked == 1
        await trio.sleep(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run.feed.snapshot)
            await trio.testing.wait_all_tasks_blocked()
            assert run.asked == 2
            await run.tell()

    in_time(test)


def test_a_snapshot_has_the_pictures_that_came_the_newest_first(in_time) -> None:
    async def test(run: Run) -> None:
        await run.tell(1)
        await run.tell(4)
        now = json.loads(await run.feed.snapshot())
        assert [card["image_id"] for card in now["pictures"]] == [image(4).image_id, image(1).image_id]

    in_time(test)


def test_a_snapshot_says_what_the_page_is_about(in_time) -> None:
    async def test(run: Run) -> None:
        await run.tell()
        assert json.loads(await run.feed.snapshot())["about"] == {"root": "/r", "plan": "--limit 5"}

    in_time(test)


def test_after_the_last_snapshot_the_run_is_asked_no_more(in_time) -> None:
    async def test(run: Run) -> None:
        assert not await run.tell()
        run.meter.ended("finished")
        assert await run.tell()
        await trio.sleep(100)
        assert json.loads(await run.feed.snapshot())["outcome"] == "finished"
        assert run.asked == 0

    in_time(test)
