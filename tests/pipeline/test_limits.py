"""A run stops by itself: in time, at its bytes, while there is room, and when everything fails alike."""

from pathlib import Path

import pytest
import trio
import trio.testing
from conftest import work

from oidl.model import Done, Failure, Reason, Source, Status
from oidl.pipeline.limits import too_full, watch_limits
from oidl.pipeline.stop import Stop
from oidl.progress.meter import RECENT, Meter
from oidl.settings import Limits

DONE = Done(Source.ORIGINAL, "http://x/1.jpg", 10, "md5", 4, 3, ())
ROOMY = 10**12


def _run(limits: Limits, events, *, free: int = ROOMY) -> tuple[Stop, float]:
    """The stop, and the virtual seconds until the watcher was done, while `events(meter)` goes on beside it."""
    stop = Stop()

    async def main() -> float:
        meter = Meter(trio.current_time)
        started = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(events, meter)
            with trio.move_on_after(1000):
                await watch_limits(limits, [Path("/")], meter, stop, lambda _: free)
            nursery.cancel_scope.cancel()
        return trio.current_time() - started

    took_s = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return stop, took_s


async def _nothing(meter: Meter) -> None:
    await trio.sleep_forever()


def _failing(reasons: list[Reason | None]):
    async def events(meter: Meter) -> None:
        for number, reason in enumerate(reasons):
            outcome = DONE if reason is None else Failure(reason, "x")
            meter.recorded(work(number), outcome, Status.DONE if reason is None else Status.RETRY)
        await trio.sleep_forever()

    return events


def test_no_limit_never_stops() -> None:
    stop, took_s = _run(Limits(), _nothing)
    assert took_s == 1000
    assert not stop.draining.is_set()


def test_time_is_over() -> None:
    stop, took_s = _run(Limits(duration_s=90), _nothing)
    assert took_s == 90
    assert stop.draining.is_set()
    assert stop.limit == "1 min 30 s are over (--max-duration)"


def test_bytes_are_counted_as_they_arrive() -> None:
    async def steady(meter: Meter) -> None:
        await trio.sleep(0.5)  # between two looks at the limits, so that each look finds a number that is sure
        while True:
            meter.read(100)
            await trio.sleep(1)

    stop, took_s = _run(Limits(bytes_read=5000), steady)
    assert took_s == 50
    assert stop.limit == "5.0 kB are downloaded (--max-bytes)"


def test_a_disk_that_fills_up_stops_the_run_as_a_full_one_does() -> None:
    stop, took_s = _run(Limits(min_free_bytes=10**9), _nothing, free=10**9 - 1)
    assert took_s == 0
    assert stop.disk_failure is not None
    assert stop.disk_failure.reason is Reason.DISK
    assert "--min-free" in stop.disk_failure.detail


def test_just_enough_room_is_enough() -> None:
    assert too_full(Limits(min_free_bytes=500), [Path("/")], lambda _: 500) is None


@pytest.mark.parametrize("reason", list(Reason))
def test_everything_failing_alike_is_diagnosed(reason: Reason) -> None:
    stop, took_s = _run(Limits(), _failing([reason] * RECENT))
    assert took_s <= 1
    assert stop.limit is not None
    assert f"{RECENT} of the last {RECENT} tries failed alike, {reason}" in stop.limit


@pytest.mark.parametrize(
    "reasons",
    [
        [Reason.DNS] * (RECENT - 1),  # too few to tell
        [None] * 11 + [Reason.DNS] * (RECENT - 11),  # 94.5 %
        [Reason.DNS, Reason.TIMEOUT] * RECENT,  # bad, but not alike
        [Reason.DNS] * RECENT + [None] * 11,  # it came back
    ],
)
def test_less_than_that_goes_on(reasons: list[Reason | None]) -> None:
    stop, _ = _run(Limits(failure_rate=0.95), _failing(reasons))
    assert stop.limit is None


def test_a_rate_above_one_never_stops() -> None:
    stop, _ = _run(Limits(failure_rate=1.1), _failing([Reason.DNS] * 2 * RECENT))
    assert stop.limit is None
