"""Failures stream out in ImageID order, over any number of pages."""

import pytest
from builders import image, job

from oidl.model import Failure, Reason, RetryDecision, Status
from oidl.state.connection import StateConnection
from oidl.state.ledger import Ledger
from oidl.state.outcome_rows import failed_rows


@pytest.mark.parametrize("page", [1, 2, 3, 500])
def test_every_failure_once_and_in_order(page: int, loaded_db: StateConnection):
    ledger = Ledger(loaded_db)
    for number in (5, 1, 8):
        ledger.failed(job(number), Failure(Reason.GONE), RetryDecision(Status.FAILED))
    found = list(failed_rows(loaded_db, page_size=page))
    assert [failed.image_id for failed in found] == [image(number).image_id for number in (1, 5, 8)]
    assert found[0].url == image(1).original_url


def test_a_page_is_read_to_its_end_before_the_reader_sees_it(loaded_db: StateConnection):
    ledger = Ledger(loaded_db)
    for number in (1, 2):
        ledger.failed(job(number), Failure(Reason.GONE), RetryDecision(Status.FAILED))
    failures = failed_rows(loaded_db)
    next(failures)
    loaded_db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # raises while a read of this connection is open
    assert len(list(failures)) == 1
