"""The last words of a run: what is done, why the rest is not, and the next step."""

from datetime import UTC, datetime

import pytest
from builders import job

from oidl.errors import ExitCode
from oidl.model import Done, Failure, Reason, RetryDecision, Source, Status, StatusCount
from oidl.report.summary import run_summary
from oidl.state.connection import StateConnection
from oidl.state.ledger import Ledger
from oidl.state.queue import ScheduledRetries

DUE = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
DONE = Done(Source.ORIGINAL, "u", 1_500_000, "m", 8, 6, ())


@pytest.fixture
def tried_db(loaded_db: StateConnection) -> StateConnection:
    """Of twelve images four are done, three failed, two are to be tried again; the last run downloaded 1 MB."""
    ledger = Ledger(loaded_db)
    ledger.open_run({})
    for number in range(4):
        ledger.done(job(number), DONE)
    for number, reason in ((4, Reason.GONE), (5, Reason.UNAVAILABLE), (6, Reason.UNAVAILABLE)):
        ledger.failed(job(number), Failure(reason), RetryDecision(Status.FAILED))
    for number in (7, 8):
        ledger.failed(job(number), Failure(Reason.UNAVAILABLE), RetryDecision(Status.RETRY, DUE))
    # Of what is downloaded, only what this run was.
    loaded_db.execute("UPDATE run SET bytes = 5000000")
    ledger.open_run({})
    loaded_db.execute("UPDATE run SET bytes = 1000000 WHERE bytes = 0")
    return loaded_db


def test_it_counts_everything_and_says_why_the_most_frequent_first(tried_db: StateConnection) -> None:
    assert run_summary(tried_db, ExitCode.UNFINISHED).splitlines()[:-1] == [
        "4 done, 3 failed, 5 left of 12 images; 1.0 MB downloaded in this run",
        "3 images failed:",
        "         2  unavailable    the photo was taken down (a placeholder is served instead)",
        "         1  gone           the photo was removed (410)",
        "2 images will be retried:",
        "         2  unavailable    the photo was taken down (a placeholder is served instead)",
    ]


def test_what_waits_is_told_with_the_time_of_the_first(tried_db: StateConnection) -> None:
    lines = run_summary(tried_db, ExitCode.UNFINISHED, ScheduledRetries(2000, DUE)).splitlines()
    assert lines[-3:] == [
        "2,000 images will be retried, the first at 2030-01-02 03:04:05 UTC:",
        "         2  unavailable    the photo was taken down (a placeholder is served instead)",
        "not finished: run it again to resume",
    ]


def test_a_time_that_has_come_is_now(tried_db: StateConnection) -> None:
    waiting = ScheduledRetries(2000, datetime(2020, 1, 1, tzinfo=UTC), DUE)
    lines = run_summary(tried_db, ExitCode.UNFINISHED, waiting).splitlines()
    assert "2,000 images will be retried, the first now, the last at 2030-01-02 03:04:05 UTC:" in lines


def test_what_waits_for_another_run_has_no_time(tried_db: StateConnection) -> None:
    assert "2 images will be retried:" in run_summary(tried_db, ExitCode.UNFINISHED, ScheduledRetries(2)).splitlines()


def test_one_image_is_one_image(tried_db: StateConnection) -> None:
    assert "1 image will be retried:" in run_summary(tried_db, ExitCode.UNFINISHED, ScheduledRetries(1)).splitlines()


@pytest.mark.parametrize("code", ExitCode)
def test_whoever_can_go_on_is_told_to(tried_db: StateConnection, code: ExitCode) -> None:
    is_told = "not finished: run it again to resume" in run_summary(tried_db, code).splitlines()
    assert is_told == (code in (ExitCode.UNFINISHED, ExitCode.INTERRUPTED))


def test_where_nothing_failed_nothing_is_said_of_failures(loaded_db: StateConnection) -> None:
    assert (
        run_summary(loaded_db, ExitCode.SETTLED) == "0 done, 0 failed, 12 left of 12 images; 0 B downloaded in this run"
    )


def test_of_a_plan_it_is_said_how_its_images_stand_and_why_they_failed(tried_db: StateConnection) -> None:
    ledger = Ledger(tried_db)
    ledger.plan({"classes": ["Cat"]})
    ledger.plan_counts([StatusCount("", Status.DONE, None, 1), StatusCount("", Status.RETRY, Reason.TIMEOUT, 1)], {})
    assert run_summary(tried_db, ExitCode.UNFINISHED).splitlines()[:-1] == [
        "1 of 2 chosen images are done, 1 left; 1.0 MB downloaded in this run",
        "1 image will be retried:",
        "         1  timeout        no connection, or no data, within the timeout",
    ]


def test_nothing_is_to_be_retried_when_everything_is_settled(tried_db: StateConnection) -> None:
    """What waits then is not needed, or not in the plan."""
    assert "retried" in run_summary(tried_db, ExitCode.INTERRUPTED)
    assert "retried" not in run_summary(tried_db, ExitCode.SETTLED)
