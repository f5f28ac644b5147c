"""A run stops by itself: at its time, at its bytes, when space runs out, and when everything fails alike."""

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import pytest
import trio
import trio.testing

from oidl.model import Reason
from oidl.node.stop import Stop
from oidl.pipeline.limits import RunLimits, streak_text, too_full
from oidl.pipeline.streak import FEW, RECENT
from oidl.progress.meter import Meter
from oidl.settings import Limits

ROOMY = 10**12


def _run(
    limits: Limits, events: Callable[[Meter, RunLimits], Awaitable[None]] | None = None, *, free: int = ROOMY
) -> tuple[Stop, float]:
    """The stop, and the virtual seconds until the run was asked to stop, while `events` go on."""
    stop = Stop()

    async def main() -> float:
        meter = Meter(trio.current_time)
        run_limits = RunLimits(limits, meter, stop, lambda _: free)
        started = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_limits.watch, [Path("/")])
            if events:
                nursery.start_soon(events, meter, run_limits)
            with trio.move_on_after(1000):
                await stop.draining.wait()
            nursery.cancel_scope.cancel()
        return trio.current_time() - started

    took_s = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return stop, took_s


def _limits(reasons: Iterable[Reason | None], **changes: float) -> tuple[RunLimits, Stop]:
    """The limits, and the stop, of a run with these outcomes."""
    stop = Stop()
    limits = RunLimits(Limits(**changes), Meter(lambda: 0.0), stop, lambda _: ROOMY)  # type: ignore[arg-type]
    for reason in reasons:
        limits.count_outcome(reason)
    return limits, stop


def test_no_limit_never_stops() -> None:
    stop, took_s = _run(Limits())
    assert took_s == 1000
    assert not stop.draining.is_set()


def test_time_is_over() -> None:
    stop, took_s = _run(Limits(duration_s=90))
    assert took_s == 90
    assert stop.limit == "1 min 30 s have passed (--max-duration)"


def test_bytes_are_looked_at_when_they_arrive_and_not_once_a_second() -> None:
    async def quick(meter: Meter, limits: RunLimits) -> None:
        for _ in range(100):
            meter.read(100)
            limits.count_bytes()
            await trio.sleep(0.001)

    stop, took_s = _run(Limits(bytes_read=5000), quick)
    assert took_s == pytest.approx(0.049)
    assert stop.limit == "5.0 kB downloaded (--max-bytes)"


def test_a_disk_that_fills_up_stops_the_run_as_a_full_one_does() -> None:
    async def write(_: Meter, limits: RunLimits) -> None:
        await trio.sleep(2.5)
        limits.begin_writing()
        await trio.sleep_forever()

    stop, took_s = _run(Limits(min_free_bytes=10**9), write, free=10**9 - 1)
    assert took_s == 2.5, "a run that writes nothing ends well"
    assert stop.disk_failure is not None
    assert stop.disk_failure.reason is Reason.DISK
    assert "--min-free" in stop.disk_failure.detail


def test_just_enough_room_is_enough() -> None:
    assert too_full(Limits(min_free_bytes=500), [Path("/")], lambda _: 500) is None


@pytest.mark.parametrize("reason", list(Reason))
def test_everything_failing_alike_is_diagnosed_at_the_outcome_that_shows_it(reason: Reason) -> None:
    _, stop = _limits([reason] * (RECENT - 1))
    assert not stop.draining.is_set()
    _, stop = _limits([reason] * RECENT)
    assert stop.limit is not None
    assert f"{RECENT} of the last {RECENT} tries failed for the same reason, {reason}" in stop.limit


@pytest.mark.parametrize(
    "reasons",
    [
        [Reason.DNS] * (RECENT - 1),  # too few to tell
        [None] * 11 + [Reason.DNS] * (RECENT - 11),  # 94.5 %
        [Reason.DNS, Reason.TIMEOUT] * RECENT,  # bad, but not alike
    ],
)
def test_less_than_that_goes_on(reasons: list[Reason | None]) -> None:
    assert _limits(reasons, failure_rate=0.95)[1].limit is None


def test_a_rate_above_one_never_stops() -> None:
    limits, stop = _limits([Reason.DNS] * 2 * RECENT, failure_rate=1.1)
    assert (stop.limit, limits.streak()) == (None, None)


def test_a_short_run_that_ends_with_everything_failing_alike_has_a_streak_too() -> None:
    limits, stop = _limits([Reason.NOT_AN_IMAGE] * 40)
    assert not stop.draining.is_set()
    streak = limits.streak()
    assert streak
    assert "40 of the last 40 tries failed for the same reason, not_an_image" in streak_text(streak)
    assert _limits([Reason.NOT_AN_IMAGE] * (FEW - 1))[0].streak() is None
