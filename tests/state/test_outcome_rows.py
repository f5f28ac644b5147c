"""Published rows with their outcomes: all, of some subsets, of a selection; always in list order."""

from typing import Any

import pytest
from builders import LIST, image

from oidl.settings import Selection
from oidl.state.connection import StateConnection
from oidl.state.load import load_list
from oidl.state.outcome_rows import outcome_rows
from oidl.state.selection import select_images


@pytest.fixture
def unsorted_db(db: StateConnection) -> StateConnection:
    """Images that are published in another order than that of their ImageIDs; the sixth was never tried."""
    published = [image(number, "test" if number > 7 else "train") for number in (5, 9, 1, 8, 3, 6, 7)]
    load_list(db, LIST, ("train", "test"), published)
    db.execute("UPDATE download SET status = 'done' WHERE image_id <> ?", (image(6).image_id,))
    return db


def numbers(db: StateConnection, **more: Any) -> list[int]:
    return [int(settled.image.image_id, 16) for settled in outcome_rows(db, **more)]


def test_rows_come_in_published_order_and_only_of_what_was_tried(unsorted_db: StateConnection) -> None:
    assert numbers(unsorted_db) == [5, 9, 1, 8, 3, 7]


def test_subsets_and_a_selection_both_narrow_them(unsorted_db: StateConnection) -> None:
    assert numbers(unsorted_db, subsets=("test",)) == [9, 8]
    selected = select_images(unsorted_db, Selection(where="original_size BETWEEN 1003 AND 1008"))
    assert numbers(unsorted_db, selected=selected) == [5, 8, 3, 7]
    assert numbers(unsorted_db, selected=selected, subsets=("test",)) == [8]


def test_no_rows_are_sorted_and_of_a_selection_none_is_passed_over(unsorted_db: StateConnection) -> None:
    statements: list[str] = []
    selected = select_images(unsorted_db, Selection(where="true"))
    unsorted_db.set_trace_callback(statements.append)
    numbers(unsorted_db)
    numbers(unsorted_db, selected=selected)
    unsorted_db.set_trace_callback(None)
    whole, narrowed = ([row[3] for row in unsorted_db.execute(f"EXPLAIN QUERY PLAN {each}")] for each in statements)
    assert whole == ["SCAN i", "SEARCH d USING PRIMARY KEY (image_id=?)"]
    assert narrowed[0] == "SEARCH i USING INTEGER PRIMARY KEY (rowid=?)"
    assert not any("TEMP B-TREE" in step for step in narrowed), narrowed
