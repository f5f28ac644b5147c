"""The full screen by its lines: everything is on it at 80 × 24, it fits every window, nothing in it is a command."""

import re
from dataclasses import replace

import pytest
from builders import job
from rich.cells import cell_len

from oidl.model import Done, Failure, Reason, Source, Status, StatusCount, WrittenFile
from oidl.net.body import Body
from oidl.net.pace import PaceState
from oidl.progress.layout import Frame, draw
from oidl.progress.meter import Meter
from oidl.progress.statistics import Statistics
from oidl.progress.view import Tab, View

FILE = WrittenFile("thumbs", "2017_11/train/thumbs/0a1/0a1b2c3d4e5f6071.jpg", 40_000, 224, 168)
DONE = Done(Source.ORIGINAL, "u", 1_900_000, "m", 1024, 768, (FILE,))
GONE = Failure(Reason.GONE, "HTTP 410", http_status=410, url="https://c1/1_o.jpg")


def busy(seconds: int = 40, images: int = 3) -> Statistics:
    """A run in full swing, of the whole dataset, with all lists full."""
    now = 0.0
    meter = Meter(lambda: now, remaining=9_000_000, time_of_day=lambda: 1e9)
    meter.set_baseline(
        [
            StatusCount("train", Status.PENDING, None, 8_011_219),
            StatusCount("train", Status.DONE, None, 1_000_000),
            StatusCount("validation", Status.PENDING, None, 41_620),
            StatusCount("test", Status.RETRY, Reason.TIMEOUT, 125_436),
        ]
    )
    meter.paced_by(
        lambda: (
            PaceState("calm", 16, 38.2, 0.0, learned_rate=40.1),
            PaceState("flickr", 8, 20.0, 12.4, 40.1, "too many requests, Retry-After 30 s"),
        )
    )
    for second in range(seconds):
        now = float(second)
        meter.read(2_500_000)
        for number in range(images):
            meter.recorded(job(100 * second + number), DONE, Status.DONE)
            meter.recorded(job(100 * second + 50 + number), GONE, Status.FAILED)
    for number in range(64):
        item = job(10**6 + number, original_size=4000)
        meter.started(item)
        body = Body(1.0)
        meter.requested(item, item.original_url, body)
        body.add(bytes(1000))
    for number in (1, 2):
        meter.started(job(10**7 + number))
        meter.processing(job(10**7 + number))
    now = float(seconds)
    return meter.statistics()


def text(frame: Frame) -> list[str]:
    return ["".join(span.text for span in line).rstrip() for line in frame.lines]


def squeezed(line: str) -> str:
    return re.sub(" +", " ", line)


@pytest.mark.parametrize("tab", Tab)
@pytest.mark.parametrize(
    ("width", "height"), [(80, 24), (60, 18), (79, 23), (120, 40), (300, 100), (59, 24), (80, 17), (10, 3), (1, 1)]
)
def test_every_window_is_filled_and_never_overrun(width: int, height: int, tab: Tab) -> None:
    for is_help in (False, True):
        frame = draw(busy(), View(tab, 20, is_help), width, height, message="x" * 400)
        assert len(frame.lines) == height
        assert max(cell_len("".join(span.text for span in line)) for line in frame.lines) <= width


def test_everything_that_people_ask_for_is_on_80_by_24() -> None:
    lines = text(draw(busy(), View(), 80, 24, message="waiting 12 s for retries"))
    screen = "\n".join(map(squeezed, lines))
    assert lines[0].startswith("oidl  120 done, 120 failed in 40 s")
    assert lines[0].endswith("8,999,760 to go, 17 d 8 h left")
    assert "█" in lines[1]
    assert lines[1].endswith(" 10.90 %  1,000,240 of 9,178,275")
    assert "6.0 img/s 240 settled" in screen
    assert "2.50 MB/s 100 MB read" in screen
    assert "0.12 MB/s 4.8 MB written" in screen
    assert all("▁" in line or "█" in line for line in lines[2:5])
    assert "train 1,000,120 120 0 8,010,979 timeout 0 125,436" in screen
    assert "validation 0 0 0 41,620 gone 120 0" in screen
    assert "test 0 0 125,436 0" in screen
    assert "all 1,000,120 120 125,436 8,052,599" in screen
    assert "downloads in progress: 64 resizes in progress: 2 waiting: 0" in screen
    assert "flickr: paused for 12 s (too many requests, Retry-After 30 s)" in screen
    assert "1 In progress (66)" in screen
    assert "2 Last successes (100)" in screen
    assert "3 Last failures (100)" in screen
    assert "00000000000f4240 c1.staticflick" in screen
    assert " 25 % 1.0 kB of 4.0 kB 1.0 s" in screen
    assert lines[-2] == "waiting 12 s for retries"
    assert lines[-1].startswith("q quit")


def test_what_has_been_at_work_longest_comes_first_and_resizes_before_downloads() -> None:
    lines = text(draw(busy(), View(), 80, 24))
    first = next(number for number, line in enumerate(lines) if line.startswith(" 1 In progress")) + 1
    assert [line.split()[1] for line in lines[first : first + 2]] == ["resizing", "resizing"]
    assert lines[first + 2].startswith(job(10**6).image_id)


def test_the_last_successes_have_what_came_of_them() -> None:
    lines = text(draw(busy(), View(Tab.SUCCESSES), 120, 24))
    row = squeezed(next(line for line in lines if line[2:3] == ":"))
    assert f"{job(3902).image_id} train 1024×768 1.9 MB {FILE.path}" in row
    narrow = text(draw(busy(), View(Tab.SUCCESSES), 80, 24))
    assert any(line.endswith("c3d4e5f6071.jpg") and "…" in line for line in narrow)  # of a path, the end tells most


def test_the_last_failures_say_why_and_whether_they_are_tried_again() -> None:
    lines = [squeezed(line) for line in text(draw(busy(), View(Tab.FAILURES), 120, 24))]
    assert any(f"{job(3952).image_id} train gone failed HTTP 410 · https://c1/1_o.jpg" in line for line in lines)


def test_a_list_is_seen_from_the_row_it_was_scrolled_to() -> None:
    frame = draw(busy(), View(Tab.SUCCESSES, 93), 80, 24)
    assert (frame.rows, frame.page) == (100, 9)
    lines = text(frame)
    assert lines[-1].endswith("92–100 of 100")
    oldest = busy().successes[-1].image_id
    assert oldest in lines[-3]


def test_where_a_list_is_seen_whole_it_is_not_said_which_part() -> None:
    frame = draw(busy(seconds=1), View(Tab.SUCCESSES), 80, 24)
    assert frame.rows == 3
    assert text(frame)[-1].endswith("? help")


def test_a_scrolled_list_is_that_of_the_moment_when_it_was() -> None:
    earlier = busy(seconds=30)
    lines = text(draw(busy(), View(Tab.SUCCESSES, 1), 80, 24, list_source=earlier))
    assert any(earlier.successes[1].image_id in line for line in lines)
    assert lines[0].startswith("oidl  120 done")  # the rest is of now


def test_a_larger_window_shows_more_of_everything() -> None:
    frame = draw(busy(), View(), 160, 50)
    assert frame.page > 20
    lines = text(frame)
    assert any("calm: 38.2 req/s, up to 16 at once, learned 40.1 req/s" in line for line in lines)
    assert any("c1.staticflickr.com" in line for line in lines)


def test_that_there_are_more_providers_is_seen_in_any_width() -> None:
    meter = Meter(lambda: 0.0)
    paces = tuple(PaceState(f"{number}.live.staticflickr.com", 16, 38.2, 0.0, learned_rate=40.1) for number in range(9))
    meter.paced_by(lambda: paces)
    for width in (60, 80, 160):
        lines = [line for line in text(draw(meter.statistics(), View(), width, 24)) if "live.static" in line]
        assert lines[-1].endswith(f"  +{9 - len(lines)} more")
        assert max(map(len, lines)) <= width


def test_more_reasons_than_rows_are_summed_up() -> None:
    meter = Meter(lambda: 0.0)
    meter.set_baseline(
        [StatusCount("train", Status.FAILED, reason, 1 + number) for number, reason in enumerate(Reason)]
    )
    lines = [squeezed(line) for line in text(draw(meter.statistics(), View(), 80, 24))]
    count = len(Reason)
    assert any(line.endswith(f"{count - 3} others {sum(range(1, count - 2))} 0") for line in lines)


def test_what_nothing_is_known_of_yet_is_said_so() -> None:
    lines = text(draw(Meter(lambda: 0.0).statistics(), View(), 80, 24))
    assert lines[1].endswith("no image list yet")
    assert "no requests yet" in "\n".join(lines)
    assert "nothing is in progress" in lines
    assert "none yet" in text(draw(Meter(lambda: 0.0).statistics(), View(Tab.FAILURES), 80, 24))


def test_a_list_on_its_way_is_in_hand_while_no_image_is() -> None:
    meter = Meter(lambda: 0.0)
    with meter.reading("train-images.csv", 850_000_000) as reading:
        reading.count_bytes, reading.count_rows = lambda: 80_000_000, lambda: 3_400_000
        lines = text(draw(meter.statistics(), View(), 80, 24))
        assert list(reading.mark_indexing()) == []
        later = text(draw(meter.statistics(), View(), 80, 24))
        meter.remaining = 1
        with_images = text(draw(meter.statistics(), View(), 80, 24))
    assert "active   loading train-images.csv · 3,400,000 rows · 80.0 MB of 850 MB" in lines
    assert "active   loading train-images.csv · 3,400,000 rows, indexing" in later
    assert any(line.startswith("active   downloads in progress: 0") for line in with_images)


def test_a_length_that_nobody_told_is_no_percentage() -> None:
    meter = Meter(lambda: 0.0)
    meter.started(job(1))
    meter.requested(job(1), "http://elsewhere/x.jpg", Body(1.0))
    [row] = [line for line in text(draw(meter.statistics(), View(), 80, 24)) if line.startswith(job(1).image_id)]
    assert "? %" in row
    assert "0 B of ?" in row


def test_the_help_names_every_key() -> None:
    screen = "\n".join(text(draw(busy(), View(is_help=True), 80, 24)))
    for key in ("1 2 3", "Tab", "PgUp", "Home", "q", "Ctrl-C", "Ctrl-Z", "Ctrl-L", "?"):
        assert key in screen


def hostile(evil: str) -> Statistics:
    """A run in which every word that comes from others is `evil`."""
    meter = Meter(lambda: 0.0)
    file = WrittenFile("thumbs", evil, 1, 1, 1)
    meter.set_baseline([StatusCount(evil, Status.DONE, None, 1)])
    meter.paced_by(lambda: (PaceState(evil, 1, None, 5.0, None, evil),))
    meter.recorded(job(1, subset=evil), Done(Source.ORIGINAL, evil, 1, evil, 1, 1, (file,)), Status.DONE)
    meter.recorded(job(2), Failure(Reason.GONE, evil, url=f"http://x/{evil}"), Status.FAILED)
    meter.started(job(3))
    meter.requested(job(3), f"http://{evil}/", Body(1.0))
    return meter.statistics()


@pytest.mark.parametrize("evil", ["\x1b]0;title\x07", "\x9b2J", "a\nb", "\u202egpj.exe", "\r\x00\x7f", "\t"])
@pytest.mark.parametrize("tab", Tab)
def test_nothing_that_others_wrote_is_a_command(evil: str, tab: Tab) -> None:
    drawn = draw(hostile(evil), View(tab), 120, 30, message=f"a {evil}\nb {evil}")
    text_of_it = "".join(span.text for line in drawn.lines for span in line)
    assert text_of_it.isprintable()
    assert "�" in text_of_it or "a b" in text_of_it


def test_the_address_of_the_web_page_stays_beside_what_was_said_last() -> None:
    url = "http://127.0.0.1:8000/"
    for message, line in (
        ("", f"{'http://127.0.0.1:8000/':>80}"),
        ("loading", f"loading{'http://127.0.0.1:8000/':>73}"),
        ("x" * 90, f"{'x' * 55}…  http://127.0.0.1:8000/"),
    ):
        now = replace(busy(), page_url=url)
        assert text(draw(now, View(), 80, 24, message=message))[-2] == line
