"""The meter counts recorded outcomes, and forgets the past."""

from builders import job

from oidl.model import Done, Failure, Postponed, Reason, Source, Status, StatusCount, WrittenFile
from oidl.net.body import Body
from oidl.progress.format import duration, progress_line
from oidl.progress.meter import Meter
from oidl.progress.statistics import Failed, Processing, Second, Success, Transferring

DONE = Done(Source.ORIGINAL, "u", 500, "m", 1, 1, (WrittenFile("thumbs", "p", 40, 1, 1),))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_outcomes_are_counted_by_what_became_of_the_image() -> None:
    meter = Meter(Clock(), remaining=10)
    for number in range(4):
        meter.started(job(number))
    meter.read(500)
    meter.recorded(job(0), DONE, Status.DONE)
    meter.recorded(job(1), Failure(Reason.GONE), Status.FAILED)
    meter.recorded(job(2), Failure(Reason.TIMEOUT), Status.RETRY)
    meter.dropped(job(3))
    now = meter.statistics()
    assert (now.done, now.failed, now.retried, now.remaining, now.in_flight) == (1, 1, 1, 8, 0)
    assert (now.bytes_read, now.bytes_written, now.by_reason) == (500, 40, {Reason.GONE: 1})


def test_the_rate_is_of_the_last_seconds() -> None:
    clock = Clock()
    meter = Meter(clock, remaining=1000)
    for second in range(60):
        clock.now = 1000.0 + second
        for _ in range(10 if second < 30 else 2):
            meter.recorded(job(1), DONE, Status.DONE)
            meter.read(100)
    now = meter.statistics()
    assert 1.8 < now.images_per_s < 2.3
    assert now.eta_s is not None
    clock.now += 100
    assert meter.statistics().images_per_s == 0
    assert meter.statistics().eta_s is None


def test_images_that_all_wait_for_a_retry_take_no_known_time() -> None:
    clock = Clock()
    meter = Meter(clock, remaining=3)
    clock.now += 1
    meter.recorded(job(1), DONE, Status.DONE)
    meter.set_baseline([StatusCount("train", Status.RETRY, Reason.TIMEOUT, 1)])
    assert meter.statistics().eta_s == 2.0
    meter.recorded(job(2), DONE, Status.DONE)
    assert (meter.statistics().remaining, meter.statistics().eta_s) == (1, None)
    meter.goal = 3  # so there may be retries that this run does not need
    meter.started(job(3))
    assert meter.statistics().eta_s is not None
    meter.dropped(job(3))
    assert meter.statistics().eta_s is None


def test_the_first_seconds_count_for_what_they_were() -> None:
    clock = Clock()
    clock.now = 1000.5
    meter = Meter(clock)
    for _ in range(12):
        meter.recorded(job(1), DONE, Status.DONE)
    meter.read(600)
    clock.now = 1004.5
    now = meter.statistics()
    assert (now.images_per_s, now.read_bytes_per_s, now.written_bytes_per_s) == (3.0, 150.0, 120.0)


def test_the_past_is_kept_by_the_second_for_five_minutes() -> None:
    clock = Clock()
    meter = Meter(clock)
    meter.read(7)
    clock.now = 1001.9
    meter.recorded(job(1), DONE, Status.DONE)
    clock.now = 1003.2
    meter.read(9)  # in a second that is not over yet
    assert meter.statistics().history == (Second(0, 7, 0), Second(1, 0, 40), Second())
    clock.now = 1302.0
    assert meter.statistics().history == (Second(), Second(0, 9, 0), *[Second()] * 298)


def test_memory_does_not_grow_with_time() -> None:
    clock = Clock()
    meter = Meter(clock)
    for second in range(1000):
        clock.now = 1000.0 + second
        for number in range(3):
            item = job(10 * second + number)
            meter.started(item)
            meter.requested(item, item.original_url, Body(1.0))
            meter.fetched(item)
            meter.read(1)
        meter.recorded(job(10 * second), DONE, Status.DONE)
        meter.recorded(job(10 * second + 1), Failure(Reason.TIMEOUT), Status.RETRY)
        meter.dropped(job(10 * second + 2))
    now = meter.statistics()
    assert (now.in_flight, len(now.successes), len(now.failed_tries), len(now.history)) == (0, 100, 100, 300)
    assert len(meter._history._buckets) < 310


# ---- all that are selected


def test_the_selection_is_counted_from_where_it_stood() -> None:
    meter = Meter(Clock())
    assert (meter.statistics().total, meter.statistics().settled_share) == (0, 0.0)
    meter.set_baseline(
        [
            StatusCount("train", Status.PENDING, None, 4),
            StatusCount("train", Status.RETRY, Reason.TIMEOUT, 1),
            StatusCount("train", Status.FAILED, Reason.GONE, 2),
            StatusCount("test", Status.DONE, None, 3),
        ]
    )
    meter.recorded(job(0), DONE, Status.DONE)
    meter.recorded(job(1), Failure(Reason.GONE), Status.FAILED)
    meter.recorded(job(2, status=Status.RETRY, reason=Reason.TIMEOUT), Failure(Reason.TIMEOUT), Status.FAILED)
    meter.recorded(job(3, subset="test", status=Status.DONE), DONE, Status.DONE)
    meter.postponed(job(4), Postponed(Reason.RATE_LIMITED, "", 9.0))
    now = meter.statistics()
    assert now.by_subset == {
        "train": {Status.PENDING: 1, Status.RETRY: 1, Status.DONE: 1, Status.FAILED: 4},
        "test": {Status.PENDING: 0, Status.RETRY: 0, Status.DONE: 3, Status.FAILED: 0},
    }
    assert now.failures == {
        Reason.GONE: {Status.FAILED: 3, Status.RETRY: 0},
        Reason.TIMEOUT: {Status.FAILED: 1, Status.RETRY: 0},
        Reason.RATE_LIMITED: {Status.FAILED: 0, Status.RETRY: 1},
    }
    assert (now.total, now.settled, now.settled_share) == (10, 8, 0.8)
    assert now.by_reason == {Reason.GONE: 1, Reason.TIMEOUT: 1}  # of this run


def test_a_reason_that_no_image_has_any_more_is_not_listed() -> None:
    meter = Meter(Clock())
    meter.set_baseline([StatusCount("train", Status.RETRY, Reason.TIMEOUT, 1)])
    meter.recorded(job(1, status=Status.RETRY, reason=Reason.TIMEOUT), DONE, Status.DONE)
    assert meter.statistics().failures == {}


# ---- images in flight, and the past


def test_a_download_is_seen_while_it_grows() -> None:
    clock = Clock()
    meter = Meter(clock)
    item = job(500)  # 1500 bytes, as published
    body = Body(1.0)
    meter.started(item)
    assert meter.statistics().transfers == ()  # it waits for a connection
    meter.requested(item, item.original_url, body)
    body.add(b"x" * 375)
    clock.now += 2
    seen = Transferring(item.image_id, "train", "c1.staticflickr.com", item.original_url, 375, 1500, 2.0)
    assert meter.statistics().transfers == (seen,)
    assert seen.share == 0.25
    meter.fetched(item)
    assert meter.statistics().transfers == ()
    assert meter.statistics().in_flight == 1


def test_a_download_is_as_long_as_the_server_says_or_of_unknown_length() -> None:
    meter = Meter(Clock())
    item = job(1)
    body = Body(1.0)
    meter.started(item)
    meter.requested(item, "https://elsewhere:8080/x.jpg", body)
    [seen] = meter.statistics().transfers
    assert (seen.host, seen.expected_bytes, seen.share) == ("elsewhere:8080", None, None)
    body.total = 50
    body.add(b"x" * 60)
    assert meter.statistics().transfers[0].share == 1.0


def test_a_second_request_for_an_image_is_the_same_download() -> None:
    clock = Clock()
    meter = Meter(clock)
    item = job(1)
    meter.started(item)
    meter.requested(item, item.original_url, Body(1.0))
    clock.now += 3
    meter.requested(item, "https://elsewhere/x.jpg", Body(1.0))
    clock.now += 1
    [seen] = meter.statistics().transfers
    assert (seen.host, seen.elapsed_s) == ("elsewhere", 4.0)


def test_an_image_is_processed_until_its_thread_has_finished() -> None:
    clock = Clock()
    meter = Meter(clock)
    meter.started(job(1))
    meter.processing(job(1))
    clock.now += 0.5
    assert meter.statistics().processing == (Processing(job(1).image_id, "train", 0.5),)
    meter.processed(job(1))
    assert meter.statistics().processing == ()


def test_a_success_says_what_came_of_it_and_how_long_it_took() -> None:
    clock = Clock()
    meter = Meter(clock, time_of_day=lambda: 1e9)
    meter.started(job(1))
    clock.now += 10  # for a connection
    meter.requested(job(1), "u", Body(1.0))
    clock.now += 2
    meter.fetched(job(1))
    clock.now += 10  # for a thread
    meter.processing(job(1))
    clock.now += 0.5
    meter.processed(job(1))
    meter.recorded(job(1), DONE, Status.DONE)
    assert meter.statistics().successes == (
        Success(job(1).image_id, "train", DONE.files, "u", 1, 1, 500, 1e9, transfer_s=2.0, process_s=0.5),
    )


def test_an_image_from_disk_was_not_transferred() -> None:
    meter = Meter(Clock())
    meter.started(job(1))
    meter.fetched(job(1))
    meter.recorded(job(1), DONE, Status.DONE)
    assert meter.statistics().successes[0].transfer_s is None


def test_a_failed_try_says_why_and_whether_it_is_made_again() -> None:
    meter = Meter(Clock(), time_of_day=lambda: 1e9)
    gone = Failure(Reason.GONE, "HTTP 410", http_status=410, url="https://x/1.jpg")
    meter.recorded(job(1), gone, Status.FAILED)
    meter.recorded(job(2), Failure(Reason.TIMEOUT, "no byte in time"), Status.RETRY)
    assert meter.statistics().failed_tries == (
        Failed(job(2).image_id, "train", Status.RETRY, Reason.TIMEOUT, "no byte in time", None, None, 1e9),
        Failed(job(1).image_id, "train", Status.FAILED, Reason.GONE, "HTTP 410", 410, "https://x/1.jpg", 1e9),
    )


def test_what_was_given_stays_as_it_was() -> None:
    meter = Meter(Clock())
    meter.set_baseline([StatusCount("train", Status.PENDING, None, 2)])
    before = meter.statistics()
    meter.recorded(job(1), Failure(Reason.GONE), Status.FAILED)
    assert before.by_subset["train"][Status.PENDING] == 2
    assert (before.failures, before.by_reason, before.failed_tries) == ({}, {}, ())


def test_a_line_fits_a_narrow_terminal() -> None:
    meter = Meter(Clock(), remaining=9_178_275)
    line = progress_line(meter.statistics())
    assert "9,178,275 left" in line
    assert len(line) < 80


def test_durations_have_the_two_units_that_matter() -> None:
    assert [duration(seconds) for seconds in (8, 65, 3700, 100_000)] == ["8 s", "1 min 5 s", "1 h 1 min", "1 d 3 h"]


def test_how_the_run_ended_is_known_once_it_has() -> None:
    meter = Meter(Clock())
    assert meter.statistics().outcome is None
    meter.ended("limit")
    assert (meter.outcome, meter.statistics().outcome) == ("limit", "limit")
