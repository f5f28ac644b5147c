"""Aggregates over all rows: slices of time, classes of sizes, hosts, licences."""

from datetime import UTC, datetime, timedelta

import pytest
from builders import LIST, image, job

from oidl.model import Done, Failure, Reason, RetryDecision, Source, Status
from oidl.state.aggregates import SIDE_CLASSES, SIZE_CLASSES, HostStats, TimeBucket, read_survey
from oidl.state.connection import StateConnection
from oidl.state.ledger import Ledger
from oidl.state.load import load_list

FAST, SLOW = "https://fast.example/1.jpg", "http://slow.example:81/2.jpg"


def done(url: str, size_bytes: int, width: int, height: int, transfer_s: float | None, **more: object) -> Done:
    return Done(Source.ORIGINAL, url, size_bytes, "md5", width, height, (), transfer_s=transfer_s, **more)  # type: ignore[arg-type]


@pytest.fixture
def ledger(db: StateConnection) -> Ledger:
    """Of a database with six images; the last one has another licence."""
    images = [image(number) for number in range(5)] + [image(5, license="https://example.org/mine")]
    load_list(db, LIST, ("train",), images)
    ledger = Ledger(db)
    ledger.open_run({})
    return ledger


@pytest.fixture
def surveyed(ledger: Ledger, db: StateConnection) -> StateConnection:
    ledger.done(job(0), done(FAST, 999, 255, 10, 0.5, format="jpeg"))
    ledger.done(job(1), done(FAST, 1000, 256, 255, 1.5, format="jpeg"))
    ledger.done(job(2), done(SLOW, 30_000_000, 10, 9000, 60.0, format="png"))
    ledger.done(job(5), Done(Source.LOCAL, None, 70_000, "md5", 100, 100, ()))
    gone = Failure(Reason.GONE, "HTTP 410", source=Source.ORIGINAL, url="https://bad.example/3.jpg")
    ledger.failed(job(3), gone, RetryDecision(Status.FAILED))
    slow = Failure(Reason.TIMEOUT, source=Source.ORIGINAL, url=SLOW)
    ledger.failed(job(4), slow, RetryDecision(Status.RETRY, datetime(2030, 1, 2, tzinfo=UTC)))
    for number, at in enumerate(("10:00:00.000", "10:00:00.999", "10:00:03.000", "10:00:03.500")):
        moment = f"2030-01-01T{at}Z"
        db.execute("UPDATE download SET finished_at = ? WHERE image_id = ?", (moment, image(number).image_id))
    db.execute("UPDATE download SET finished_at = NULL WHERE image_id = ?", (image(5).image_id,))
    return db


def test_slices_of_time_go_from_the_first_to_the_last_without_a_gap(surveyed: StateConnection) -> None:
    def at(second: int) -> datetime:
        return datetime(2030, 1, 1, 10, 0, second, tzinfo=UTC)

    survey = read_survey(surveyed)
    assert survey.slice_s == 1
    assert survey.slices == (
        TimeBucket(at(0), 2, 0, 1999),
        TimeBucket(at(1), 0, 0, 0),
        TimeBucket(at(2), 0, 0, 0),
        TimeBucket(at(3), 1, 1, 30_000_000),
    )


def settle(db: StateConnection, number: int, moment: str) -> None:
    db.execute("UPDATE download SET finished_at = ? WHERE image_id = ?", (moment, image(number).image_id))


@pytest.mark.parametrize(
    ("last", "slice_s", "first", "count"),
    [
        ("2030-01-01T10:03:59.999Z", 1, "10:00:00", 240),
        ("2030-01-01T10:04:00.000Z", 10, "10:00:00", 25),
        ("2030-01-01T11:00:00.000Z", 60, "10:00:00", 61),
        ("2030-01-01T20:00:00.000Z", 600, "10:00:00", 61),
        ("2030-01-10T10:00:00.000Z", 3600, "10:00:00", 217),
        ("2030-08-01T10:00:00.000Z", 86_400, "00:00:00", 213),
        ("2032-01-01T10:00:00.000Z", 4 * 86_400, "00:00:00", 183),
    ],
)
def test_slices_are_as_fine_as_the_time_allows_in_which_images_were_settled(
    surveyed: StateConnection, last: str, slice_s: int, first: str, count: int
) -> None:
    settle(surveyed, 3, last)
    survey = read_survey(surveyed)
    assert survey.slice_s == slice_s
    assert len(survey.slices) == count
    assert f"{survey.slices[0].at:%H:%M:%S}" == first
    assert sum(each.done for each in survey.slices) == 3
    assert survey.slices[-1].failed == 1


@pytest.mark.parametrize(
    "moment",
    [
        "2029-01-01T00:00:00.000Z",
        "2016-12-01T08:33:19.399Z",
        "1970-01-01T00:00:00.000Z",
        "1969-12-31T23:59:59.999Z",
        "0001-01-01T00:00:00.000Z",
        "9999-12-31T23:59:59.999Z",
    ],
)
def test_a_clock_that_jumped_does_not_make_more_slices(surveyed: StateConnection, moment: str) -> None:
    settle(surveyed, 0, moment)
    survey = read_survey(surveyed)
    assert len(survey.slices) <= 240
    assert sum(each.done for each in survey.slices) == 3
    settled_at = {each.at for each in survey.slices if each.done or each.failed}
    assert len(settled_at) == 2
    jump = datetime.fromisoformat(moment)
    assert any(timedelta() <= jump - at < timedelta(seconds=survey.slice_s) for at in settled_at)


@pytest.mark.parametrize("moment", ["", "soon", "2030-13-45T99:00:00Z", "-4713-11-24T12:00:00", "10000-01-01"])
def test_a_time_that_cannot_be_read_is_in_no_slice_and_not_1970(surveyed: StateConnection, moment: str) -> None:
    settle(surveyed, 0, moment)
    survey = read_survey(surveyed)
    assert survey.slice_s == 1
    assert [(each.at.year, each.done) for each in survey.slices if each.done] == [(2030, 1), (2030, 1)]
    assert sum(survey.sizes) == 4


def test_what_came_from_disk_is_no_download_in_its_slice(surveyed: StateConnection) -> None:
    surveyed.execute(
        "UPDATE download SET finished_at = '2030-01-01T10:00:00.000Z' WHERE image_id = ?", (image(5).image_id,)
    )
    first = read_survey(surveyed).slices[0]
    assert (first.done, first.bytes) == (3, 1999)


def test_sizes_and_sides_are_counted_by_their_classes(surveyed: StateConnection) -> None:
    survey = read_survey(surveyed)
    assert SIZE_CLASSES[:2] == (1000, 2000)
    assert len(survey.sizes) == len(SIZE_CLASSES) + 1
    below, thousand = survey.sizes[:2]
    assert (below, thousand) == (1, 1)
    assert survey.sizes[SIZE_CLASSES.index(50_000) + 1] == 1  # 70,000
    assert survey.sizes[SIZE_CLASSES.index(20_000_000) + 1] == 1
    assert sum(survey.sizes) == 4
    assert len(survey.sides) == SIDE_CLASSES
    assert (survey.sides[0], survey.sides[1], survey.sides[-1]) == (2, 1, 1)
    assert survey.formats == {"jpeg": 2, "png": 1, "unknown": 1}


def test_hosts_have_what_came_from_them_and_what_failed_there(surveyed: StateConnection) -> None:
    fast, slow, bad = read_survey(surveyed).hosts
    assert fast == HostStats("fast.example", 2, 1999, 2.0, 0)
    assert fast.bytes_per_s == 999.5
    assert slow == HostStats("slow.example:81", 1, 30_000_000, 60.0, 1)
    assert bad == HostStats("bad.example", failed_tries=1)
    assert bad.bytes_per_s is None


def test_licences_are_those_of_the_images_that_are_done(surveyed: StateConnection) -> None:
    assert read_survey(surveyed).licenses == {
        "https://creativecommons.org/licenses/by/2.0/": 3,
        "https://example.org/mine": 1,
    }


def test_before_the_first_run_there_is_nothing_to_tell(loaded_db: StateConnection) -> None:
    survey = read_survey(loaded_db)
    assert (survey.slices, survey.hosts, survey.licenses, survey.formats, survey.runs) == ((), (), {}, {}, ())
    assert not any(survey.sizes)
    assert not any(survey.sides)
