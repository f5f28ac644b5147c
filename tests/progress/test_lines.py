"""A line every second on a terminal, every 30 s in a log; with rates and the time left."""

import pytest
import trio
import trio.testing
from builders import job

from oidl.model import Done, Failure, Reason, Source, Status
from oidl.progress.format import duration, progress_line
from oidl.progress.lines import PacedLine, print_lines
from oidl.progress.meter import Meter

DONE = Done(Source.ORIGINAL, "u", 500, "m", 1, 1, ())


@pytest.mark.parametrize(("is_terminal", "at_s"), [(True, [1, 2, 3, 4]), (False, [30, 60, 90, 120])])
def test_lines_come_every_second_on_a_terminal_and_every_half_minute_elsewhere(
    is_terminal: bool, at_s: list[int]
) -> None:
    shown: list[tuple[float, str]] = []

    async def main() -> None:
        meter = Meter(trio.current_time, remaining=100)

        def show(line: str) -> None:
            shown.append((trio.current_time(), line))
            meter.recorded(job(1), DONE, Status.DONE)

        with trio.move_on_after(at_s[-1] + 0.5):
            await print_lines(meter, show, is_terminal=is_terminal)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert [at for at, _ in shown] == pytest.approx(at_s)
    assert [line.split(" · ")[0] for _, line in shown] == [f"{done} done" for done in range(4)]


@pytest.mark.parametrize(("is_terminal", "at_s"), [(True, [1, 2, 3, 4]), (False, [30, 60, 90, 120])])
def test_lines_about_work_without_a_loop_come_as_often(is_terminal: bool, at_s: list[int]) -> None:
    now = 100.0
    shown: list[str] = []
    line = PacedLine(shown.append, is_terminal=is_terminal, clock=lambda: now)
    while now < 100.5 + at_s[-1]:
        line(lambda elapsed_s: f"{elapsed_s:g} s")
        now += 0.25
    assert shown == [f"{at} s" for at in at_s]


def statistics(images_a_second: int, seconds: int, remaining: int) -> str:
    now = 0.0
    meter = Meter(lambda: now, remaining=remaining)
    for second in range(seconds):
        now = float(second)
        for _ in range(images_a_second):
            meter.recorded(job(1), DONE, Status.DONE)
        meter.read(2_500_000)
    meter.recorded(job(1), Failure(Reason.GONE), Status.FAILED)
    now = float(seconds)
    return progress_line(meter.statistics())


def test_a_line_has_counts_rates_and_the_time_left() -> None:
    assert statistics(40, 30, 1201 + 24_000) == "1,200 done · 1 failed · 40 img/s · 2.5 MB/s · 24,000 left · 9 min 59 s"


def test_the_time_left_is_not_said_where_nothing_moves_or_nothing_is_left() -> None:
    assert statistics(0, 30, 31).endswith(" · 30 left · 10 min 0 s")
    assert statistics(40, 30, 1201).endswith(" · 0 left")
    assert progress_line(Meter(lambda: 0.0, remaining=5).statistics()).endswith(" · 5 left")


@pytest.mark.parametrize(
    ("name", "rows", "received", "expected", "words"),
    [
        ("mine.csv", 14_600_000, None, None, "loading mine.csv · 14,600,000 rows"),
        ("a/mine.csv", 0, 0, 850_000_000, "loading mine.csv · 0 rows · 0 B of 850 MB"),
        ("boxes.csv", None, 98_000_000, 2_258_447_590, "fetching boxes.csv · 98.0 MB of 2.3 GB · 2.5 MB/s"),
        ("boxes.csv", None, 98_000_000, None, "fetching boxes.csv · 98.0 MB · 2.5 MB/s"),
        ("boxes.csv", None, None, 80, "fetching boxes.csv · 2.5 MB/s"),
        (
            "\x1b[2J" + "x" * 99,
            14_600_000,
            10**9 - 10**6,
            10**9 - 1,
            "loading …" + "x" * 31 + " · 14,600,000 rows · 999 MB of 1.0 GB",
        ),
    ],
)
def test_a_file_on_its_way_is_told_of_while_no_image_is(
    name: str, rows: int | None, received: int | None, expected: int | None, words: str
) -> None:
    now = 0.0
    meter = Meter(lambda: now)
    with meter.reading(name, expected) as reading:
        reading.count_rows = None if rows is None else lambda: rows
        reading.count_bytes = None if received is None else lambda: received
        meter.read(2_500_000)
        now = 1.0
        line = progress_line(meter.statistics())
        meter.started(job(1))
        assert progress_line(meter.statistics()).startswith("0 done")
        meter.dropped(job(1))
    assert len(line) < 80
    assert line.isprintable()
    assert words == line
    assert progress_line(meter.statistics()).startswith("0 done")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (3599.9, "1 h 0 min"), (86_400, "1 d 0 h")]
)
def test_a_time_is_rounded_before_it_is_split(seconds: float, words: str) -> None:
    assert duration(seconds) == words
