"""The table of the nodes of a cluster: those of the last run, as they were last."""

from dataclasses import replace

import pytest

from oidl.model import NodeProgress
from oidl.state.connection import StateConnection
from oidl.state.counts import read_counts
from oidl.state.ledger import Ledger
from oidl.state.times import parse_timestamp

FIRST = NodeProgress("a", "10.0.0.1:4000", "10.0.0.1", 8, 70, 2.5, 9, age_s=60.0)
SECOND = NodeProgress("b", "10.0.0.2:4000", "10.0.0.2", 4)


@pytest.fixture
def ledger(loaded_db: StateConnection) -> Ledger:
    ledger = Ledger(loaded_db)
    ledger.open_run({})
    return ledger


def test_a_node_is_a_row_that_changes_with_it(ledger: Ledger, loaded_db: StateConnection) -> None:
    ledger.nodes([FIRST, SECOND])
    ledger.nodes([replace(FIRST, images=80, images_per_s=0.0, in_progress=0, lost="has ended"), SECOND])
    second, first = read_counts(loaded_db).nodes  # those that live come first
    assert (first.name, first.host, first.threads, first.images) == ("10.0.0.1:4000", "10.0.0.1", 8, 80)
    assert (first.images_per_s, first.in_progress, first.lost) == (0.0, 0, "has ended")
    assert (second.name, second.lost) == ("10.0.0.2:4000", None)
    began, written = parse_timestamp(first.started_at), parse_timestamp(first.updated_at)
    assert began
    assert written
    assert (written - began).total_seconds() == pytest.approx(60, abs=1)


def test_what_is_not_recorded_is_no_change(ledger: Ledger, loaded_db: StateConnection) -> None:
    ledger.nodes([FIRST])
    before = loaded_db.total_changes
    ledger.nodes([replace(FIRST, age_s=61.0, downloads=3, resizes=1, rate=12.0, pause_s=4.0)])
    assert loaded_db.total_changes == before


def test_the_nodes_of_earlier_runs_go_when_there_are_new_ones(ledger: Ledger, loaded_db: StateConnection) -> None:
    ledger.nodes([FIRST])
    later = Ledger(loaded_db)
    later.open_run({})
    assert read_counts(loaded_db).nodes == ()
    later.nodes([SECOND])
    assert loaded_db.execute("SELECT life FROM node").fetchall() == [("b",)]
