"""Failed images become pending again: only the right rows, and the counts agree."""

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from builders import THUMB, image, job

from oidl.model import Done, Failure, Reason, RetryDecision, Source, Status, WrittenFile
from oidl.state.connection import StateConnection
from oidl.state.counts import read_counts
from oidl.state.forecast import Demand, forecast_all
from oidl.state.ledger import Ledger
from oidl.state.requeue import end_waits, requeue, requeue_failures, requeue_streak
from oidl.state.times import timestamp

FOR_GOOD = RetryDecision(Status.FAILED)
LATER = RetryDecision(Status.RETRY, datetime(2030, 1, 1, tzinfo=UTC))


@pytest.fixture
def failed_db(loaded_db: StateConnection) -> StateConnection:
    """Images 1 and 10 (`test`) are gone, 2 was not found, 3 waits because it was gone."""
    ledger = Ledger(loaded_db)
    ledger.open_run({})
    ledger.failed(job(1), Failure(Reason.GONE, "HTTP 410", http_status=410, url="https://x/1.jpg"), FOR_GOOD)
    ledger.failed(job(10, subset="test"), Failure(Reason.GONE, "HTTP 410"), FOR_GOOD)
    ledger.failed(job(2), Failure(Reason.NOT_FOUND), FOR_GOOD)
    ledger.failed(job(3), Failure(Reason.GONE), LATER)
    return loaded_db


@pytest.fixture
def left(failed_db: StateConnection):
    """The numbers of the images that are still failed."""

    def numbers() -> list[int]:
        rows = failed_db.execute("SELECT image_id FROM download WHERE status = 'failed' ORDER BY 1")
        return [int(image_id, 16) for (image_id,) in rows]

    return numbers


def test_all_of_them_are_as_if_never_tried_but_their_tries_are_not_forgotten(failed_db: sqlite3.Connection, left):
    assert requeue_failures(failed_db, ()) == 3
    assert left() == []
    row = failed_db.execute(
        "SELECT status, next_attempt_at, reason, detail, http_status, finished_at, attempts FROM download "
        "WHERE image_id = ?",
        (image(1).image_id,),
    ).fetchone()
    assert row == ("pending", None, None, None, None, None, 1)
    assert failed_db.execute("SELECT count(*) FROM attempt").fetchone() == (4,)
    counts = read_counts(failed_db)
    assert counts.by_status == {"pending": 11, "retry": 1, "done": 0, "failed": 0}
    assert counts.by_reason == {"gone": {"pending": 0, "retry": 1, "done": 0, "failed": 0}}


@pytest.mark.parametrize(
    ("selection", "still_failed"),
    [
        ({"reasons": [Reason.GONE]}, [2]),
        ({"reasons": [Reason.GONE, Reason.NOT_FOUND]}, []),
        ({"reasons": [Reason.TLS]}, [1, 2, 10]),
        ({"reasons": (), "subsets": ("test",)}, [1, 2]),
        ({"reasons": (), "image_ids": [image(1).image_id, image(3).image_id, image(9).image_id]}, [2, 10]),
        ({"reasons": [Reason.NOT_FOUND], "subsets": ("train",), "image_ids": [image(1).image_id]}, [1, 2, 10]),
        ({"reasons": (), "image_ids": []}, [1, 2, 10]),
    ],
)
def test_only_those_that_were_named(selection, still_failed, failed_db: sqlite3.Connection, left):
    count = requeue_failures(failed_db, **selection)
    assert left() == still_failed
    assert count == 3 - len(still_failed)


def test_images_that_were_removed_for_their_licence_come_back_only_by_name(failed_db: StateConnection, left):
    Ledger(failed_db).failed(job(4), Failure(Reason.LICENSE), FOR_GOOD)
    left_for = {reasons: _left_to_do(failed_db, reasons) for reasons in ((), (Reason.LICENSE,))}
    assert left_for[()] == left_for[(Reason.LICENSE,)] + 2
    assert requeue_failures(failed_db, ()) == 3
    assert left() == [4]
    assert requeue_failures(failed_db, (Reason.LICENSE,)) == 1
    assert left() == []


def _left_to_do(db: StateConnection, reasons: tuple[Reason, ...]) -> int:
    return sum(share.images for share in forecast_all(db, (), Demand((), failed=reasons)).values())


def test_it_is_all_of_them_or_none(failed_db: sqlite3.Connection, left):
    def ids():
        yield image(1).image_id
        raise ValueError("line 2 is not an ImageID")

    with pytest.raises(ValueError, match="line 2"):
        requeue_failures(failed_db, (), image_ids=ids())
    assert left() == [1, 2, 10]


def test_files_and_what_they_belong_to_are_put_back_together(loaded_db: StateConnection):
    ledger = Ledger(loaded_db)
    ledger.register([THUMB])
    ledger.open_run({})
    file = WrittenFile("thumbs", "thumbs/x.jpg", 50, 8, 6)
    for number in (1, 2):
        ledger.done(job(number), Done(Source.ORIGINAL, "https://x", 500, "md5", 8, 6, (file,)))
    ledger.failed(job(3), Failure(Reason.GONE), FOR_GOOD)
    ledger.failed(job(4), Failure(Reason.GONE), LATER)
    ids = [image(number).image_id for number in (1, 3, 4, 5)]
    assert requeue(loaded_db, [(ids[0], "thumbs")], ids) == 2
    assert loaded_db.execute("SELECT image_id FROM file").fetchall() == [(image(2).image_id,)]
    assert loaded_db.execute("SELECT files, bytes FROM rendition").fetchone() == (1, 50)
    counts = read_counts(loaded_db)
    assert counts.by_status == {"pending": 10, "retry": 1, "done": 1, "failed": 0}
    assert counts.bytes_downloaded == 1000
    assert requeue(loaded_db, [(ids[0], "thumbs")], ids) == 0


def test_what_is_known_of_a_download_outlives_a_repair_from_disk(loaded_db: StateConnection):
    ledger = Ledger(loaded_db)
    ledger.done(job(1), Done(Source.ORIGINAL, "https://x", 500, "md5", 8, 6, ()))
    requeue(loaded_db, [], [image(1).image_id])
    ledger.done(job(1), Done(Source.LOCAL, None, 500, "md5", 8, 6, ()))
    assert loaded_db.execute("SELECT source, url FROM success").fetchone() == ("original", "https://x")


def test_what_failed_alike_goes_back_to_retry_and_its_tries_do_not_count(failed_db: sqlite3.Connection, left):
    ledger = Ledger(failed_db)
    span, due = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)), datetime(2030, 2, 2, tzinfo=UTC)
    assert ledger.tries(image(1).image_id, Reason.GONE, ()).for_reason == 1
    assert requeue_streak(failed_db, Reason.GONE, span, due) == 2
    assert left() == [2]
    rows = failed_db.execute("SELECT next_attempt_at, finished_at FROM download WHERE status = 'retry' ORDER BY 1")
    assert rows.fetchall() == [(timestamp(LATER.next_attempt_at), None), *[(timestamp(due), None)] * 2]
    assert [ledger.tries(image(number).image_id, Reason.GONE, ()).for_reason for number in (1, 3, 10)] == [0, 0, 0]
    assert ledger.tries(image(2).image_id, Reason.NOT_FOUND, ()).for_reason == 1
    assert read_counts(failed_db).by_status["retry"] == 3


def test_what_failed_before_everything_failed_alike_stays_failed(failed_db: sqlite3.Connection, left):
    failed_db.execute("UPDATE attempt SET at = '2001-01-01T00:00:00.000Z' WHERE image_id = ?", (image(1).image_id,))
    span = (datetime(2002, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
    assert requeue_streak(failed_db, Reason.GONE, span, LATER.next_attempt_at) == 1
    assert left() == [1, 2]
    assert Ledger(failed_db).tries(image(1).image_id, Reason.GONE, ()).for_reason == 1


def test_waits_longer_than_any_run_can_make_are_over_and_others_only_if_asked(failed_db: sqlite3.Connection):
    soon = datetime.now(UTC) + timedelta(seconds=100)
    failed_db.execute("UPDATE download SET next_attempt_at = ? WHERE status = 'retry'", (timestamp(soon),))
    failed_db.execute("INSERT INTO pace VALUES ('far', '', 1, NULL, NULL, '2036-01-01T00:00:00.000Z', '')")
    failed_db.execute("INSERT INTO pace VALUES ('soon', '', 1, NULL, NULL, ?, '')", (timestamp(soon),))

    def waits() -> tuple[int, list[str]]:
        due = "SELECT count(*) FROM download WHERE status = 'retry' AND next_attempt_at > ?"
        (images,) = failed_db.execute(due, (timestamp(),)).fetchone()
        return images, [name for (name,) in failed_db.execute("SELECT provider FROM pace WHERE paused_until > ''")]

    end_waits(failed_db, 3900, all_of_them=False)
    assert waits() == (1, ["soon"])
    end_waits(failed_db, 3900, all_of_them=True)
    assert waits() == (0, [])


def test_a_retry_without_a_time_is_due(failed_db: sqlite3.Connection):
    failed_db.execute("UPDATE download SET next_attempt_at = NULL WHERE status = 'retry'")
    end_waits(failed_db, 3900, all_of_them=False)
    (at,) = failed_db.execute("SELECT next_attempt_at FROM download WHERE status = 'retry'").fetchone()
    assert at <= timestamp()
