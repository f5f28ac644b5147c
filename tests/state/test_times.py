"""Times as text: those of a calendar, and everything else that users and clocks write."""

from datetime import UTC, datetime

import pytest

from oidl.state.connection import StateConnection
from oidl.state.counts import read_runs
from oidl.state.ledger import Ledger
from oidl.state.times import file_timestamp, parse_timestamp


@pytest.mark.parametrize(
    "text", ["2030-01-02T03:04:05.000Z", "2030-01-02T05:04:05+02:00", "2030-01-02 03:04:05", "20300102T030405Z"]
)
def test_a_time_is_in_utc_whatever_zone_it_was_written_in(text: str) -> None:
    moment = parse_timestamp(text)
    assert moment == datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert moment is not None
    assert moment.tzinfo is UTC


@pytest.mark.parametrize("text", [None, "", "soon", "2030-13-01", "10000-01-01", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time_is_none(text: str | None) -> None:
    assert parse_timestamp(text) is None


def test_the_time_of_a_file_may_be_one_that_no_calendar_has() -> None:
    assert file_timestamp(1_700_000_000.25) == "2023-11-14T22:13:20.250Z"
    for modified_s in (1e12, -1e12, 1e300):
        assert file_timestamp(modified_s) is None


def test_a_run_takes_no_less_than_no_time_and_has_rates_that_json_knows(loaded_db: StateConnection) -> None:
    Ledger(loaded_db).open_run({})
    loaded_db.execute(
        "UPDATE run SET started_at = '2030-01-01', updated_at = '1970-01-01', images_per_s = 9e999, bytes_per_s = -1"
    )
    (run,) = read_runs(loaded_db)
    assert (run.elapsed_s, run.images_per_s, run.bytes_per_s) == (0.0, 1e15, 0.0)
