"""The meter counts what was recorded, and forgets what is past."""

from conftest import work

from oidl.model import Done, Failure, Reason, Source, Status, WrittenFile
from oidl.progress.meter import Meter
from oidl.progress.words import duration, progress_line

DONE = Done(Source.ORIGINAL, "u", 500, "m", 1, 1, (WrittenFile("thumbs", "p", 40, 1, 1),))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_outcomes_are_counted_by_what_became_of_the_image() -> None:
    meter = Meter(Clock(), remaining=10)
    for number in range(4):
        meter.started(work(number))
    meter.read(500)
    meter.recorded(work(0), DONE, Status.DONE)
    meter.recorded(work(1), Failure(Reason.GONE), Status.FAILED)
    meter.recorded(work(2), Failure(Reason.TIMEOUT), Status.RETRY)
    meter.dropped(work(3))
    now = meter.statistics()
    assert (now.done, now.failed, now.retried, now.remaining, now.in_flight) == (1, 1, 1, 8, 0)
    assert (now.bytes_read, now.bytes_written, now.by_reason) == (500, 40, {Reason.GONE: 1})


def test_the_rate_is_of_the_last_seconds() -> None:
    clock = Clock()
    meter = Meter(clock, remaining=1000)
    for second in range(60):
        clock.now = 1000.0 + second
        for _ in range(10 if second < 30 else 2):
            meter.recorded(work(1), DONE, Status.DONE)
            meter.read(100)
    now = meter.statistics()
    assert 1.8 < now.images_per_s < 2.3
    assert now.left_s is not None
    clock.now += 100
    assert meter.statistics().images_per_s == 0
    assert meter.statistics().left_s is None


def test_memory_does_not_grow_with_time() -> None:
    clock = Clock()
    meter = Meter(clock)
    for second in range(10_000):
        clock.now = float(second)
        meter.read(1)
    assert len(meter._seconds) < 100


def test_a_line_fits_a_narrow_terminal() -> None:
    meter = Meter(Clock(), remaining=9_178_275)
    line = progress_line(meter.statistics())
    assert "9,178,275 left" in line
    assert len(line) < 80


def test_durations_have_the_two_units_that_matter() -> None:
    assert [duration(seconds) for seconds in (8, 65, 3700, 100_000)] == ["8 s", "1 min 5 s", "1 h 1 min", "1 d 3 h"]
