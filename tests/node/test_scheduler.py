"""Images wait for their own host only: the scheduler with real permits, on a clock that does not wait.

The servers are fakes: they decide on their answer when the request has taken its time.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
import trio
import trio.testing
from builders import job

from oidl.model import Blame, Failure, Job, Postponed, Reason, Source
from oidl.net.known_hosts import host_of
from oidl.net.permits import Permits
from oidl.node.attempt import Attempt
from oidl.node.scheduler import HostScheduler
from oidl.node.sources import Sources
from oidl.node.stop import Stop
from oidl.settings import NetworkSettings

UNREACHABLE = Failure(Reason.CONNECTION, "no route", blame=Blame.HOST)
LATENCY_S = 0.1

Server = Callable[[str, float], Awaitable[Failure | None]]


@dataclass
class SchedulerHarness:
    """A lobby between a made-up feed and fetchers that ask made-up servers."""

    server: Server
    hosts: list[str]
    images: int
    providers: dict[str, str] = field(default_factory=dict)
    patience_s: float = 600.0
    seconds: float = 1e6
    fetchers: int = 128
    done: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    postponed: list[tuple[Job, Postponed]] = field(default_factory=list)
    dropped: list[Job] = field(default_factory=list)
    asked: int = 0
    fed: int = 0
    in_hand: int = 0
    peak_in_hand: int = 0
    said: list[str] = field(default_factory=list)
    stop: Stop = field(init=False)
    between: Callable[["SchedulerHarness"], None] = lambda trip: None

    def run(self) -> "SchedulerHarness":
        async def main() -> float:
            self.stop = Stop()
            transfers = NetworkSettings(max_total_connections=self.fetchers)
            began = trio.current_time()
            permits = Permits(transfers, self.providers, say=self.said.append)
            self.scheduler = HostScheduler(
                Sources((Source.ORIGINAL,), {}).first,
                permits.backoff,
                self.stop,
                per_host=transfers.max_host_connections,
                patience_s=self.patience_s,
            )
            jobs_in, jobs = trio.open_memory_channel[Job](0)
            attempts_in, attempts = trio.open_memory_channel[Attempt](0)
            with trio.move_on_after(self.seconds):
                async with trio.open_nursery() as nursery:
                    async with attempts:
                        for _ in range(self.fetchers):
                            nursery.start_soon(self._fetcher, attempts.clone(), permits)
                    nursery.start_soon(self.scheduler.run, jobs, attempts_in, self._conclude)
                    nursery.start_soon(self._feed, jobs_in)
            return trio.current_time() - began

        self.took_s = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
        return self

    async def _feed(self, fed: trio.MemorySendChannel[Job]) -> None:
        # Where the scheduler drains while this waits for it, there is nobody to send to.
        with suppress(trio.BrokenResourceError):
            async with fed:
                await self._feed_all(fed)

    async def _feed_all(self, fed: trio.MemorySendChannel[Job]) -> None:
        for number in range(self.images):
            if self.stop.draining.is_set():
                return
            host = self.hosts[number % len(self.hosts)]
            await fed.send(job(number, original_url=f"http://{host}/{number}_o.jpg"))
            self.fed += 1
            self.in_hand += 1
            self.peak_in_hand = max(self.in_hand, self.peak_in_hand)
            self.between(self)

    async def _conclude(self, attempt: Attempt, postponed: Postponed | None) -> None:
        await trio.lowlevel.checkpoint()
        self.in_hand -= 1
        self.scheduler.finished()
        if postponed:
            self.postponed.append((attempt.job, postponed))
        else:
            self.dropped.append(attempt.job)

    async def _fetcher(self, attempts: trio.MemoryReceiveChannel[Attempt], permits: Permits) -> None:
        async with attempts:
            async for attempt in attempts:
                await self._fetch(attempt, permits)

    async def _fetch(self, attempt: Attempt, permits: Permits) -> None:
        async with permits.request(attempt.download.url) as permit:
            if permit is not None:
                self.asked += 1
                permit.failure = await self.server(attempt.host, trio.current_time())
        must_wait = permit is None or (permit.failure is not None and permit.failure.reason is Reason.RATE_LIMITED)
        if must_wait and self.scheduler.requeue(attempt):
            return
        self.scheduler.released(attempt)
        self.scheduler.finished()
        self.in_hand -= 1
        if permit is not None and permit.failure is None:
            self.done[attempt.host] += 1
        else:
            self.failed[attempt.host] += 1


async def well(host: str, now: float) -> None:
    await trio.sleep(LATENCY_S)


def dead(name: str, after_s: float) -> Server:
    async def server(host: str, now: float) -> Failure | None:
        await trio.sleep(after_s if host == name else LATENCY_S)
        return UNREACHABLE if host == name else None

    return server


HOSTS = [f"c{number}.test" for number in range(16)]


@pytest.mark.parametrize("after_s", [0.001, 2.0], ids=["refuses", "a black hole"])
def test_one_dead_host_among_sixteen_costs_the_others_next_to_nothing(after_s: float) -> None:
    healthy = SchedulerHarness(well, HOSTS, 10**9, seconds=5).run()
    trip = SchedulerHarness(dead(HOSTS[7], after_s), HOSTS, 10**9, seconds=5).run()
    others = {host: count for host, count in trip.done.items() if host != HOSTS[7]}
    assert len(others) == 15
    for host, count in others.items():
        assert count >= 0.95 * healthy.done[host]
    assert trip.failed[HOSTS[7]] <= 25, "it is asked now and then"
    assert len(trip.postponed) > 100
    assert {host_of(item.original_url) for item, _ in trip.postponed} == {HOSTS[7]}
    assert len(trip.said) == 1
    assert trip.stop.limit is None


def test_what_is_postponed_comes_back_when_the_host_is_tried_and_not_all_at_once() -> None:
    trip = SchedulerHarness(dead("a", 0.001), ["a", "b"], 3000).run()
    waits = [postponed.wait_s for _, postponed in trip.postponed]
    assert all(postponed.reason is Reason.CONNECTION for _, postponed in trip.postponed)
    assert max(waits) > 5
    assert min(waits) > 0
    assert trip.done == {"b": 1500}
    assert trip.failed["a"] + len(trip.postponed) == 1500


def test_a_slow_host_holds_up_no_other() -> None:
    async def server(host: str, now: float) -> None:
        await trio.sleep(20 if host == "slow" else LATENCY_S)

    trip = SchedulerHarness(server, ["slow"] + [f"c{number}" for number in range(15)], 1600).run()
    assert trip.done.total() == 1600
    assert trip.took_s == pytest.approx(100 / 5 * 20, rel=0.1)  # what that one takes, and no longer


class Limited:
    """Bears so many requests a second, of all hosts together."""

    def __init__(self, limit: int, retry_after_s: float | None = None) -> None:
        self.limit, self.retry_after_s = limit, retry_after_s
        self.counts: Counter[int] = Counter()
        self.refused: list[float] = []

    async def __call__(self, host: str, now: float) -> Failure | None:
        await trio.sleep(LATENCY_S)
        second = int(trio.current_time())
        self.counts[second] += 1
        if self.counts[second] <= self.limit:
            return None
        self.refused.append(trio.current_time())
        return Failure(Reason.RATE_LIMITED, http_status=429, retry_after_s=self.retry_after_s)


@pytest.mark.parametrize("retry_after_s", [None, 1.0])
def test_a_provider_that_bears_forty_a_second_is_asked_for_about_that_and_no_image_suffers(
    retry_after_s: float | None,
) -> None:
    server = Limited(40, retry_after_s)
    trip = SchedulerHarness(server, HOSTS, 4000, {"*.test": "flickr"}).run()
    assert trip.done.total() == 4000
    assert not trip.failed
    assert not trip.postponed
    assert 4000 / trip.took_s >= 0.7 * 40
    assert len(server.refused) < 0.15 * trip.asked
    late = [at for at in server.refused if at - server.refused[0] > 60]
    assert len(late) < 0.1 * (trip.asked - sum(count for second, count in server.counts.items() if second < 60))


def test_an_image_that_its_host_always_objects_to_holds_up_no_other() -> None:
    async def server(host: str, now: float) -> Failure | None:
        await trio.sleep(LATENCY_S)
        poisoned = trip.asked % 97 == 1
        return Failure(Reason.RATE_LIMITED, http_status=503, retry_after_s=1.0) if poisoned else None

    trip = SchedulerHarness(server, ["a"], 500)
    trip.run()
    assert trip.done.total() + trip.failed.total() == 500


def test_a_provider_that_objects_to_everything_for_ever_ends_the_wait() -> None:
    async def server(host: str, now: float) -> Failure | None:
        await trio.sleep(LATENCY_S)
        return Failure(Reason.RATE_LIMITED, http_status=429)

    trip = SchedulerHarness(server, HOSTS, 10**6, {"*.test": "flickr"}).run()
    assert trip.stop.limit is not None
    assert "flickr asked for a pause" in trip.stop.limit
    assert trip.took_s < 2000
    assert trip.asked < 200
    assert len(trip.postponed) + len(trip.dropped) + trip.failed.total() == trip.fed
    assert trip.fed < 10_000


def test_a_pause_beyond_all_patience_is_not_waited_for_and_what_is_well_goes_on() -> None:
    async def server(host: str, now: float) -> Failure | None:
        await trio.sleep(LATENCY_S)
        return Failure(Reason.RATE_LIMITED, http_status=429, retry_after_s=3600) if host == "busy" else None

    trip = SchedulerHarness(server, ["busy", "b", "c"], 3000).run()
    assert trip.done == {"b": 1000, "c": 1000}
    assert trip.took_s < 100
    assert len(trip.postponed) + trip.failed["busy"] == 1000
    assert all(postponed.wait_s > 3400 for _, postponed in trip.postponed)


def test_no_more_wait_here_than_there_is_room_for() -> None:
    trip = SchedulerHarness(well, ["a"], 6_000, seconds=20).run()
    assert 2000 <= trip.peak_in_hand <= 2010


def test_a_drain_lets_go_of_all_that_waits() -> None:
    def stop_halfway(trip: SchedulerHarness) -> None:
        if trip.fed == 3000:
            trip.stop.interrupt()

    trip = SchedulerHarness(well, ["a", "b"], 10**6, between=stop_halfway).run()
    assert trip.done.total() + len(trip.dropped) == trip.fed
    assert len(trip.dropped) > 1000
    assert trip.took_s < 40


def test_a_job_in_progress_keeps_it_open_and_may_be_queued_again_for_another_host() -> None:
    async def unneeded(attempt: Attempt, postponed: Postponed | None) -> None:
        raise AssertionError("nothing is postponed or dropped")

    async def main() -> list[str]:
        first = Sources((Source.ORIGINAL,), {}).first
        scheduler = HostScheduler(first, lambda url: None, Stop(), per_host=1, patience_s=1.0)
        feed, jobs = trio.open_memory_channel[Job](1)
        fetchers, attempts = trio.open_memory_channel[Attempt](0)
        handed_out = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scheduler.run, jobs, fetchers, unneeded)
            await feed.send(job(1, original_url="http://a/1.jpg"))
            await feed.aclose()
            async for attempt in attempts:
                handed_out.append(attempt.host)
                scheduler.released(attempt)
                await trio.testing.wait_all_tasks_blocked()  # it is with a validator, and nobody else is there
                if len(handed_out) == 1:
                    scheduler.put(first(job(1, original_url="http://b/1.jpg")))
                else:
                    scheduler.finished()
        return handed_out

    assert trio.run(main) == ["a", "b"]


def test_hosts_without_images_are_forgotten() -> None:
    trip = SchedulerHarness(well, [f"h{number}" for number in range(500)], 500).run()
    assert trip.done.total() == 500
    assert not trip.scheduler._queues
    assert not trip.scheduler._ready
