"""An image takes the steps of `LIFE` and no others, whichever code writes its row."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from builders import LIST, THUMB, image

from oidl.model import (
    LIFE,
    CheckResult,
    CheckSource,
    Done,
    Event,
    Failure,
    Job,
    LicenseFilter,
    Postponed,
    PublishedPhoto,
    Reason,
    RetryDecision,
    Source,
    Status,
    Verdict,
)
from oidl.state.connection import StateConnection
from oidl.state.ledger import Ledger
from oidl.state.license_removal import remove_licensed_rows
from oidl.state.licenses import MadeCheck, record_checks
from oidl.state.load import load_list
from oidl.state.queue import Queue
from oidl.state.requeue import requeue, requeue_failures, requeue_streak
from oidl.state.times import timestamp

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
IMAGE = image(1)


def fed(db: StateConnection, run_id: int) -> list[Job]:
    """The image, if the feed would hand it out as it is now."""
    queue = Queue(db, (THUMB,), run_id=run_id, max_tries=15)
    return queue.pending("", 9) + queue.incomplete("", 9) + queue.due(NOW, 9, already_tried=False)


def tried(write: Callable[[Ledger, Job], None]) -> Callable[[StateConnection, Ledger, int], None]:
    def writer(db: StateConnection, ledger: Ledger, run_id: int) -> None:
        for job in fed(db, run_id):
            write(ledger, job)

    return writer


def publish_another(db: StateConnection, ledger: Ledger, run_id: int) -> None:
    load_list(db, LIST, ("train",), [IMAGE._replace(original_md5="another")])


def remove_for_license(db: StateConnection, ledger: Ledger, run_id: int) -> None:
    photo = PublishedPhoto(IMAGE.image_id, IMAGE.subset, "", "", "", "")
    record_checks(db, [MadeCheck(photo, CheckSource.OEMBED, CheckResult(Verdict.CHANGED))], NOW)
    db.execute(
        "INSERT INTO file (image_id, rendition, path, bytes, width, height, written_at) "
        "VALUES (?, 'thumbs', 'path', 1, 1, 1, '')",
        (IMAGE.image_id,),
    )
    remove_licensed_rows(db, (LicenseFilter.CHANGED,), "", 9)


WRITERS: dict[Event, Callable[[StateConnection, Ledger, int], object]] = {
    Event.OBTAINED: tried(lambda ledger, job: ledger.done(job, Done(Source.ORIGINAL, "https://x", 5, "md5", 1, 1, ()))),
    Event.FAILED_FOR_NOW: tried(
        lambda ledger, job: ledger.failed(job, Failure(Reason.TIMEOUT), RetryDecision(Status.RETRY, NOW))
    ),
    Event.FAILED_FOR_GOOD: tried(
        lambda ledger, job: ledger.failed(job, Failure(Reason.GONE), RetryDecision(Status.FAILED))
    ),
    Event.POSTPONED: tried(lambda ledger, job: ledger.postponed(job, Postponed(Reason.DNS, "no such host", 9.0), NOW)),
    Event.RETRIED: lambda db, ledger, run_id: requeue_failures(db, ()),
    Event.EVIDENCE_WITHDRAWN: lambda db, ledger, run_id: requeue_streak(db, Reason.GONE, (NOW - HOUR, NOW + HOUR), NOW),
    Event.FILES_LOST: lambda db, ledger, run_id: requeue(db, [(IMAGE.image_id, THUMB.name)], [IMAGE.image_id]),
    Event.LICENSE_REMOVED: remove_for_license,
    Event.LIST_CHANGED: publish_another,
}


@pytest.mark.parametrize("event", WRITERS)
def test_each_writer_takes_the_steps_of_its_event_and_no_others(event: Event, db: StateConnection) -> None:
    load_list(db, LIST, ("train",), [IMAGE])
    ledger = Ledger(db)
    earlier_run, run_id = ledger.open_run({}), ledger.open_run({})
    db.execute("CREATE TEMP TABLE step (before TEXT, after TEXT)")
    for status in Status:
        db.execute(
            "UPDATE download SET status = ?, reason = iif(? IN ('failed', 'retry'), 'gone', NULL), next_attempt_at = ?",
            (status, status, timestamp(NOW - HOUR) if status is Status.RETRY else None),
        )
        db.execute("DELETE FROM attempt")
        db.execute(
            "INSERT INTO attempt (image_id, run_id, at, reason, source_index) VALUES (?, ?, ?, 'gone', 0)",
            (IMAGE.image_id, earlier_run, timestamp(NOW)),
        )
        db.execute(
            "CREATE TEMP TRIGGER watch AFTER UPDATE OF status ON main.download "
            "BEGIN INSERT INTO step VALUES (old.status, new.status); END"
        )
        WRITERS[event](db, ledger, run_id)
        db.execute("DROP TRIGGER watch")
        load_list(db, LIST, ("train",), [IMAGE])
    found = {(Status(before), Status(after)) for before, after in db.execute("SELECT before, after FROM step")}
    assert found == {(step.before, step.after) for step in LIFE if step.event is event}


def test_an_image_is_born_pending(db: StateConnection) -> None:
    load_list(db, LIST, ("train",), [IMAGE])
    [born] = [step for step in LIFE if step.event is Event.LISTED]
    assert db.execute("SELECT status FROM download").fetchall() == [(born.after,)]


def test_every_event_is_somebody_s_and_every_writer_is_there() -> None:
    assert {*WRITERS, Event.LISTED} == set(Event) == {step.event for step in LIFE}
    for writer in {step.writer for step in LIFE}:
        module, name = writer.split(".")
        found = __import__(f"oidl.state.{module}", fromlist=[name])
        assert hasattr(found, name) or hasattr(found.Ledger, name)
