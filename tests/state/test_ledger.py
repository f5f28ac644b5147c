"""The outcomes of images: rows, counts and views that agree."""

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from builders import THUMB, image, job

from oidl.errors import UsageError
from oidl.model import (
    AttemptCounts,
    Done,
    Failure,
    Reason,
    Rendition,
    ResizeMode,
    RetryDecision,
    Source,
    Status,
    WrittenFile,
)
from oidl.state.archives import has_archive, record_archive
from oidl.state.connection import StateConnection
from oidl.state.counts import read_counts
from oidl.state.ledger import Ledger
from oidl.state.outcome_rows import outcome_rows

DONE = Done(
    Source.ORIGINAL,
    "https://x/1.jpg",
    500,
    "md5",
    8,
    6,
    (WrittenFile("thumbs", "2017_11/train/thumbs/1.jpg", 50, 64, 64),),
)
GONE = Failure(Reason.GONE, "HTTP 410", http_status=410, source=Source.ORIGINAL, url="https://x/2.jpg")
RETRY = RetryDecision(Status.RETRY, datetime(2030, 1, 1, tzinfo=UTC))


@pytest.fixture
def ledger(loaded_db: StateConnection) -> Ledger:
    ledger = Ledger(loaded_db)
    ledger.register([THUMB])
    ledger.open_run({"root_dir": "/somewhere"})
    return ledger


def test_an_outcome_is_a_row_and_the_views_show_it(ledger: Ledger, loaded_db: sqlite3.Connection) -> None:
    ledger.done(job(1), DONE)
    ledger.failed(job(2), GONE, RetryDecision(Status.FAILED))
    ledger.failed(job(3), Failure(Reason.TIMEOUT), RETRY)
    assert loaded_db.execute("SELECT image_id, source, bytes, width FROM success").fetchall() == [
        (image(1).image_id, "original", 500, 8)
    ]
    assert loaded_db.execute("SELECT image_id, status, reason, http_status FROM failure ORDER BY 1").fetchall() == [
        (image(2).image_id, "failed", "gone", 410),
        (image(3).image_id, "retry", "timeout", None),
    ]
    assert loaded_db.execute("SELECT run_id, reason FROM attempt ORDER BY id").fetchall() == [
        (1, "gone"),
        (1, "timeout"),
    ]
    assert [settled.status for settled in outcome_rows(loaded_db)] == ["done", "failed", "retry"]


def test_the_tallies_always_agree_with_the_rows(ledger: Ledger, loaded_db: StateConnection) -> None:
    ledger.failed(job(1), Failure(Reason.TIMEOUT), RETRY)
    ledger.done(job(1), DONE)
    ledger.done(job(1), DONE)
    ledger.done(job(2), DONE)
    ledger.failed(job(2), GONE, RetryDecision(Status.FAILED))
    ledger.failed(job(3), GONE, RETRY)
    loaded_db.execute(
        "UPDATE download SET status = 'pending', reason = NULL WHERE reason = 'gone' AND status = 'retry'"
    )
    counted = loaded_db.execute(
        "SELECT subset, status, coalesce(reason, ''), count(*), coalesce(sum(bytes), 0) FROM download "
        "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    ).fetchall()
    assert counted == loaded_db.execute("SELECT * FROM status_count WHERE images > 0 ORDER BY 1, 2, 3").fetchall()
    assert (
        loaded_db.execute("SELECT files, bytes FROM rendition").fetchall()
        == loaded_db.execute("SELECT count(*), sum(bytes) FROM file").fetchall()
    )
    counts = read_counts(loaded_db)
    assert counts.by_status == {"pending": 10, "retry": 0, "done": 1, "failed": 1}
    assert counts.by_reason == {"gone": {"pending": 0, "retry": 0, "done": 0, "failed": 1}}


def test_bytes_from_disk_are_not_downloaded_and_do_not_hide_where_they_came_from(
    ledger: Ledger, loaded_db: StateConnection
) -> None:
    local = Done(Source.LOCAL, None, 500, "md5", 8, 6, ())
    ledger.done(job(1), local)
    assert read_counts(loaded_db).bytes_downloaded == 0
    ledger.done(job(2), replace(DONE, transfer_s=1.5))
    ledger.done(job(2), local)
    assert read_counts(loaded_db).bytes_downloaded == 500
    assert loaded_db.execute(
        "SELECT source, url, attempts, transfer_s FROM download WHERE image_id = ?", (image(2).image_id,)
    ).fetchone() == (
        "original",
        "https://x/1.jpg",
        1,
        1.5,
    )


def test_tries_are_counted_by_run_and_by_reason(ledger: Ledger) -> None:
    for reason in (Reason.TIMEOUT, Reason.FORBIDDEN, Reason.RATE_LIMITED):
        ledger.failed(job(1), Failure(reason), RETRY)
    ledger.open_run({})
    ledger.failed(job(1), Failure(Reason.FORBIDDEN), RETRY)
    ledger.failed(job(1), Failure(Reason.RATE_LIMITED), RETRY)
    assert ledger.tries(job(1).image_id, Reason.FORBIDDEN, [Reason.RATE_LIMITED]) == AttemptCounts(
        in_run=1, for_reason=2
    )
    assert ledger.tries(job(9).image_id, Reason.FORBIDDEN, []) == AttemptCounts(0, 0)


def test_a_rate_limit_does_not_count_as_an_attempt(ledger: Ledger, loaded_db: sqlite3.Connection) -> None:
    ledger.failed(
        job(1), Failure(Reason.RATE_LIMITED), RetryDecision(Status.RETRY, RETRY.next_attempt_at, counts=False)
    )
    assert loaded_db.execute("SELECT max(attempts) FROM download").fetchone() == (0,)


def test_a_directory_keeps_its_recipe_once_it_holds_a_file(ledger: Ledger) -> None:
    ledger.register([Rendition("thumbs", "thumbs", ResizeMode.FILL_DISTORT, 32, "png")])
    ledger.register([THUMB])
    ledger.done(job(1), DONE)
    ledger.register([THUMB])
    other = Rendition("thumbs", "thumbs", ResizeMode.SHRINK_TO_FIT, 64, "jpg")
    with pytest.raises(UsageError, match="thumbs contains FillCrop 64 px jpg images, not ShrinkToFit"):
        ledger.register([other])
    with pytest.raises(UsageError, match="thumbs contains FillCrop 64 px jpg images, not ShrinkToFit") as raised:
        ledger.register([replace(other, directory="others")])
    assert raised.value.hint == "choose another name than thumbs"
    with pytest.raises(UsageError, match="thumbs contains the images of rendition thumbs, not those of small"):
        ledger.register([replace(THUMB, name="small")])
    ledger.register([replace(THUMB, directory="moved")])


def test_a_run_that_died_is_closed_by_the_next(ledger: Ledger, loaded_db: sqlite3.Connection) -> None:
    ledger.heartbeat(done=5, failed=1, throttled=2, bytes_read=9, images_per_s=2.5, bytes_per_s=1.0)
    second = ledger.open_run({})
    ledger.close_run("finished")
    assert loaded_db.execute("SELECT id, outcome, done FROM run ORDER BY id").fetchall() == [
        (1, "killed", 5),
        (second, "finished", 0),
    ]
    assert read_counts(loaded_db).run is not None


def test_an_archive_is_remembered(loaded_db: StateConnection) -> None:
    assert not has_archive(loaded_db, "a.tar.gz")
    record_archive(loaded_db, "a.tar.gz", "https://x/a.tar.gz", 10, "00")
    assert has_archive(loaded_db, "a.tar.gz")


def test_a_try_at_several_sources_is_one_try_and_a_row_for_each(loaded_db: StateConnection) -> None:
    ledger = Ledger(loaded_db)
    ledger.open_run({})
    first = Failure(Reason.FORBIDDEN, "HTTP 403", 403, source=Source.ORIGINAL)
    second = Failure(Reason.TIMEOUT, source=Source("cvdf"))
    for _ in range(2):
        ledger.failed(job(1), second, RetryDecision(Status.RETRY), first, (first,))
    rows = loaded_db.execute("SELECT source, reason, source_index FROM attempt ORDER BY id LIMIT 2").fetchall()
    assert rows == [("original", "forbidden", 0), ("cvdf", "timeout", 1)]
    assert loaded_db.execute("SELECT attempts, reason, source FROM download WHERE reason > ''").fetchall() == [
        (2, "forbidden", "original")
    ]
    assert ledger.tries(job(1).image_id, Reason.FORBIDDEN, (), Source.ORIGINAL) == AttemptCounts(2, 2)
    assert ledger.tries(job(1).image_id, Reason.FORBIDDEN, (), Source("cvdf")) == AttemptCounts(2, 0)


def test_an_original_from_disk_does_not_go_by_the_name_of_the_copy_that_was_had_before(
    loaded_db: StateConnection,
) -> None:
    ledger = Ledger(loaded_db)
    ledger.done(job(1), Done(Source("cvdf"), "http://mirror/1.jpg", 5, "copy", 8, 6, ()))
    ledger.done(job(1), Done(Source.LOCAL, None, 9, "original", 80, 60, ()))
    query = "SELECT source, url, md5 FROM download WHERE image_id = ?"
    assert loaded_db.execute(query, (job(1).image_id,)).fetchone() == ("local", None, "original")


def test_a_name_of_files_is_one_images_alone(ledger: Ledger, loaded_db: sqlite3.Connection) -> None:
    assert [ledger.claim_name("7_0a_o", image_id) for image_id in ("1", "2", "1", "2")] == [True, False, True, False]
    assert loaded_db.execute("SELECT * FROM file_name").fetchall() == [("7_0a_o", "1")]


def test_the_files_of_a_run_that_may_be_alive_are_nobody_elses(db: sqlite3.Connection) -> None:
    ledger = Ledger(db)
    ledger.open_run({}, token="here", boot_id="1")
    ledger.open_run({}, token="gone", boot_id="1")
    ledger.open_run({}, token="before", boot_id="0")
    db.execute("UPDATE run SET pid = iif(token = 'gone', 2, 1)")
    assert ledger.ended_tokens("1", lambda process: process == 1) == {"gone", "before"}


def test_a_pause_that_was_written_by_hand_without_a_zone_is_utc(loaded_db):
    loaded_db.execute("INSERT INTO pace VALUES ('flickr', '', 1, NULL, 40.0, datetime('now', '+1 hour'), '')")
    loaded_db.execute("INSERT INTO pace VALUES ('other', '', 1, NULL, 40.0, 'tomorrow', '')")
    paces = Ledger(loaded_db).paces.read()
    assert 3500 < paces["flickr"].pause_s <= 3600
    assert paces["other"].pause_s == 0
