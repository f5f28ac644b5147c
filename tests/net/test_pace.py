"""The pace finds what a provider bears: on a clock that does not wait, against servers that object in several ways."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
import trio
import trio.testing

from oidl.net.pace import Pace

LATENCY_S = 0.12


@dataclass
class Limited:
    """A server that bears `limit(now)` requests in each second, counted as it likes best; None is an answer."""

    limit: Callable[[float], float]
    retry_after_s: float | None = None
    asked: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    _second: int = -1
    _count: int = 0

    def ask(self, now: float) -> bool:
        self.asked.append(now)
        if int(now) != self._second:
            self._second, self._count = int(now), 0
        self._count += 1
        if self._count <= self.limit(now):
            return True
        self.refused.append(now)
        return False


@dataclass
class Banning(Limited):
    """It also bans for 20 s whoever goes beyond, counted anew from each request in that time."""

    banned_until: float = -1.0

    def ask(self, now: float) -> bool:
        if now < self.banned_until:
            self.asked.append(now)
            self.refused.append(now)
            self.banned_until = now + 20
            return False
        if Limited.ask(self, now):
            return True
        self.banned_until = now + 20
        return False


def simulate(
    server: Limited, seconds: float, *, images: float = math.inf, pace: Pace | None = None
) -> tuple[int, float]:
    """Asks as fast as the pace allows with 128 askers; returns how many images were had, and in what time."""
    pace = pace or Pace(128, rng=random.Random(1))
    had = 0

    async def asker(turn: trio.Lock, changed: list[trio.Event]) -> None:
        nonlocal had
        while had < images:
            async with turn:
                while (wait_s := pace.wait_s(trio.current_time() - zero)) > 0:
                    with trio.move_on_after(wait_s):
                        await changed[0].wait()
                started_at = trio.current_time() - zero
                pace.started(started_at)
            await trio.sleep(LATENCY_S * rng.uniform(0.5, 1.5))
            now = trio.current_time() - zero
            if server.ask(now):
                had += 1
                pace.succeeded(now)
            else:
                pace.throttled(now, started_at, server.retry_after_s)
            changed[0].set()
            changed[0] = trio.Event()

    async def main() -> float:
        nonlocal zero
        zero = trio.current_time()
        turn, changed = trio.Lock(), [trio.Event()]
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                for _ in range(128):
                    nursery.start_soon(asker, turn, changed)
        return trio.current_time() - zero

    rng = random.Random(2)
    zero = 0.0
    took_s = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return had, took_s


def share(server: Limited, begin: float, end: float) -> float:
    """How many of the requests between two times were refused."""
    refused, asked = (sum(begin <= at < end for at in times) for times in (server.refused, server.asked))
    return refused / asked


@pytest.mark.parametrize("retry_after_s", [None, 1.0, 5.0])
def test_a_hard_limit_is_found_and_kept(retry_after_s: float | None) -> None:
    server = Limited(lambda now: 40, retry_after_s)
    had, took_s = simulate(server, 600, images=10_000)
    assert had >= 10_000
    assert had / took_s >= 0.7 * 40
    assert share(server, 60, math.inf) < 0.02
    assert share(server, 0, math.inf) < 0.05


def test_without_a_limit_the_window_opens_to_its_end_and_there_is_no_rate() -> None:
    pace = Pace(128)
    had, _ = simulate(Limited(lambda now: math.inf), 30, pace=pace)
    assert had > 0.9 * 30 * 128 / LATENCY_S * 0.9
    assert pace.state("x", 0).rate is None
    assert pace.state("x", 0).window == 128


def test_a_limit_that_moves_is_followed_down_and_up() -> None:
    server = Limited(lambda now: 10 if 200 <= now < 400 else 100)
    simulate(server, 900)
    borne = [at for at in server.asked if at not in set(server.refused)]
    rate = {begin: sum(begin <= at < begin + 100 for at in borne) / 100 for begin in (100, 300, 700)}
    assert 70 <= rate[100] <= 100
    assert 7 <= rate[300] <= 10
    assert 65 <= rate[700] <= 100
    assert share(server, 0, math.inf) < 0.05


def test_a_ban_that_lengthens_when_hammered_ends() -> None:
    server = Banning(lambda now: 40)
    simulate(server, 1200)
    assert share(server, 0, math.inf) < 0.05
    assert len(server.asked) > 0.12 * 40 * 1200
    gaps = [later - earlier for earlier, later in pairwise(server.asked)]
    assert max(gaps) > 20, "it was left alone for as long as the ban"


def test_ceilings_hold_whatever_the_server_bears() -> None:
    server = Limited(lambda now: math.inf)
    simulate(server, 100, pace=Pace(3, max_rate=25))
    assert 24 * 100 <= len(server.asked) <= 25 * 100 + 10
    server = Limited(lambda now: math.inf)
    simulate(server, 100, pace=Pace(3))
    assert len(server.asked) <= 1.1 * 3 * 100 / LATENCY_S


def test_what_an_earlier_run_learned_is_where_this_one_starts() -> None:
    server = Limited(lambda now: 40)
    simulate(server, 10, pace=Pace(128, learned_rate=38.0))
    assert share(server, 0, math.inf) < 0.02
    assert len(server.asked) >= 28 * 10


def test_a_provider_that_objects_from_the_start_is_not_thought_slow() -> None:
    pace = Pace(64)
    pace.started(0)
    pace.throttled(0.1, 0)
    assert pace.learned_rate is None


def test_one_round_of_requests_is_one_objection() -> None:
    pace = Pace(64, learned_rate=64.0)
    before = pace.state("x", 0).rate
    assert before is not None
    for _ in range(8):
        pace.started(1.0)
    for _ in range(8):
        pace.throttled(1.1, started_at=1.0)
    after = pace.state("x", 1.1).rate
    assert after == pytest.approx(0.95 * before / 2)


def test_the_longest_pause_that_was_asked_for_is_kept() -> None:
    pace = Pace(64)
    for _ in range(3):
        pace.started(0)
    pace.throttled(1.0, 0, 10.0)
    pace.throttled(1.5, 0, 60.0)
    pace.throttled(1.6, 0, 5.0)
    assert pace.wait_s(2.0) == pytest.approx(59.5)
    assert pace.state("x", 2.0).pause_reason == "too many requests, Retry-After 60 s"


def test_a_pause_says_why_there_is_one_while_there_is() -> None:
    pace = Pace(64)
    pace.started(0)
    assert pace.state("x", 0.5).pause_reason == ""
    pace.throttled(1.0, 0)
    assert pace.state("x", 1.1).pause_reason == "too many requests"
    assert pace.state("x", 9.0).pause_reason == ""
    assert Pace(64, paused_until=5.0).state("x", 1.0).pause_reason == "asked for in an earlier run"


def test_after_a_pause_one_request_goes_first() -> None:
    pace = Pace(64)
    for _ in range(30):
        pace.started(0)
    for _ in range(10):
        pace.succeeded(0.9)
    for _ in range(20):
        pace.throttled(1.0, 0, 10.0)
    assert pace.wait_s(11.5) == 0
    pace.started(11.5)
    assert pace.wait_s(11.6) == math.inf
    pace.succeeded(11.7)
    assert pace.wait_s(12.5) == 0


def test_pauses_double_up_to_minutes_while_it_objects_and_start_anew_after() -> None:
    pace = Pace(64, rng=random.Random(3))
    now, pauses = 0.0, []
    for _ in range(12):
        pace.started(now)
        pace.throttled(now, now)
        pauses.append(pace.wait_s(now))
        now += pauses[-1]
    assert pauses[0] <= 1.25
    assert all(later > 1.1 * earlier for earlier, later in pairwise(pauses[:8]))
    assert 225 <= pauses[-1] <= 375
    pace.started(now)
    pace.succeeded(now)
    now += 100
    pace.started(now)
    pace.throttled(now, now)
    assert pace.wait_s(now) <= 1.25


def test_errors_speed_nothing_up() -> None:
    pace = Pace(64, learned_rate=10.0)
    before = pace.state("x", 0)
    now = 0.0
    for _ in range(1000):
        now += min(pace.wait_s(now), 1.0)
        pace.started(now)
        pace.failed()
    assert pace.state("x", now) == before


def test_success_that_nothing_held_back_speeds_nothing_up() -> None:
    pace = Pace(64, learned_rate=10.0)
    before = pace.state("x", 0)
    for second in range(1000):
        assert pace.wait_s(second) == 0
        pace.started(second)
        pace.succeeded(second + 0.1)
    assert pace.state("x", 1000) == before
