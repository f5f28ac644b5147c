"""The filter of the page: which images match, at what cost, and the values to filter by."""

from collections.abc import Callable

import pytest
from builders import THUMB, image, job

from oidl.errors import UsageError
from oidl.model import Done, Failure, Reason, RetryDecision, Source, Status, WrittenFile
from oidl.state import browse
from oidl.state.browse import (
    Filter,
    class_filter,
    classes_called,
    find_done,
    frequent_licenses,
)
from oidl.state.connection import StateConnection
from oidl.state.ledger import Ledger

CAT, DOG, OWL = "/m/01yrx", "/m/0bt9lr", "/m/09d5_"
CC0 = "https://creativecommons.org/publicdomain/zero/1.0/"
BY = image(1).license


def id_of(number: int) -> str:
    return image(number).image_id


@pytest.fixture
def browsed(loaded_db: StateConnection) -> StateConnection:
    """All are done but 3, which failed. Boxes: cats in 1, 3 and 7, a dog in 7. Labels: a cat in 10, and none in 5."""
    ledger = Ledger(loaded_db)
    ledger.register([THUMB])
    ledger.open_run({})
    for number in range(12):
        file = WrittenFile("thumbs", f"{number}.jpg", 50, 64, 64)
        ledger.done(job(number), Done(Source.ORIGINAL, "u", 1000, "md5", 90, 60, (file,)))
    ledger.failed(job(3), Failure(Reason.GONE), RetryDecision(Status.FAILED))
    loaded_db.execute("UPDATE image SET license = ? WHERE image_id IN (?, ?)", (CC0, id_of(7), id_of(8)))
    loaded_db.executemany(
        "INSERT INTO box (image_id, row_number, source, label_name, confidence, x_min, x_max, y_min, y_max) "
        "VALUES (?, ?, 'xclick', ?, 1, 0.1, 0.5, 0.2, 0.4)",
        [(id_of(1), 1, CAT), (id_of(1), 2, CAT), (id_of(3), 3, CAT), (id_of(7), 4, CAT), (id_of(7), 5, DOG)],
    )
    loaded_db.executemany(
        "INSERT INTO label (image_id, label_name, source, confidence) VALUES (?, ?, 'verification', ?)",
        [(id_of(10), CAT, 1.0), (id_of(5), CAT, 0.0)],
    )
    loaded_db.executemany(
        "INSERT INTO class (label_name, display_name) VALUES (?, ?)",
        [(CAT, "Cat"), (DOG, "Hot dog"), (OWL, "Cat owl")],
    )
    return loaded_db


def numbers(db: StateConnection, wanted: Filter, start: str = "", most: int = 50) -> list[int]:
    return [int(card.image_id, 16) for card in find_done(db, wanted, start, most).image_summaries]


def test_everything_that_is_done_fits_an_empty_filter(browsed: StateConnection) -> None:
    assert numbers(browsed, Filter()) == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11]


def test_a_class_is_found_by_its_boxes_and_by_labels_that_say_it_is_there(browsed: StateConnection) -> None:
    assert numbers(browsed, Filter((CAT,))) == [1, 7, 10]
    assert numbers(browsed, Filter((DOG,))) == [7]
    assert numbers(browsed, Filter((DOG, CAT))) == [1, 7, 10]
    assert numbers(browsed, Filter((OWL,))) == []


def test_subset_and_licence_narrow_it_down(browsed: StateConnection) -> None:
    assert numbers(browsed, Filter(subset="test")) == [10, 11]
    assert numbers(browsed, Filter(license=CC0)) == [7, 8]
    assert numbers(browsed, Filter((CAT,), "train", BY)) == [1]
    assert numbers(browsed, Filter((CAT,), "validation")) == []


def test_it_goes_on_where_it_stopped(browsed: StateConnection) -> None:
    first = find_done(browsed, Filter((CAT,)), "", 2)
    assert [card.image_id for card in first.image_summaries] == [id_of(1), id_of(7)]
    assert first.next is not None
    rest = find_done(browsed, Filter((CAT,)), first.next, 2)
    assert ([card.image_id for card in rest.image_summaries], rest.next) == ([id_of(10)], None)


def test_a_search_looks_at_so_many_images_and_says_where_to_go_on(
    browsed: StateConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browse, "STEPS", 5)
    first = find_done(browsed, Filter(subset="test"), "", 50)
    second = find_done(browsed, Filter(subset="test"), first.next or "", 50)
    third = find_done(browsed, Filter(subset="test"), second.next or "", 50)
    assert [len(part.image_summaries) for part in (first, second, third)] == [0, 0, 2]
    assert third.next is None


def test_a_slow_disk_ends_a_search_too(browsed: StateConnection) -> None:
    hours = iter(range(100))
    part = find_done(browsed, Filter(), "", 50, clock=lambda: 3600.0 * next(hours))
    assert len(part.image_summaries) == 1
    assert part.next is not None


def statements(db: StateConnection, question: Callable[[StateConnection], object]) -> list[str]:
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    question(db)
    db.set_trace_callback(None)
    return statements


def test_a_rare_class_costs_no_walk_over_all_files(browsed: StateConnection) -> None:
    seeks = [
        sql for sql in statements(browsed, lambda db: find_done(db, Filter((DOG,)), "", 5)) if "FROM file WHERE" in sql
    ]
    assert len([sql for sql in seeks if "ORDER BY image_id" in sql]) <= 3  # of twelve files


@pytest.mark.parametrize(
    "question",
    [
        lambda db: find_done(db, Filter((CAT,), "train", BY), "", 5),
        lambda db: find_done(db, Filter(), id_of(4), 5),
        lambda db: classes_called(db, "", 5),
        lambda db: classes_called(db, "cat", 5),
        lambda db: frequent_licenses(db),
    ],
    ids=["filter", "all", "classes", "typed", "licences"],
)
def test_every_question_goes_along_an_index(browsed: StateConnection, question) -> None:
    for sql in statements(browsed, question):
        plan = [row[3] for row in browsed.execute(f"EXPLAIN QUERY PLAN {sql}")]
        scans = [step for step in plan if step.startswith("SCAN") and step != "SCAN class"]  # twenty thousand at most
        assert not scans or "max(rowid)" in sql, (sql, plan)
        is_of_one_image = "FROM file AS f CROSS JOIN download AS d USING (image_id) WHERE f.image_id = " in sql
        assert is_of_one_image or not [step for step in plan if "TEMP B-TREE" in step], (sql, plan)


def test_only_classes_that_annotations_have_are_proposed(browsed: StateConnection) -> None:
    assert classes_called(browsed, "", 10) == ["Cat", "Hot dog"]
    assert classes_called(browsed, " CAT", 10) == ["Cat"]  # there is no cat owl in any image
    assert classes_called(browsed, "dog", 10) == ["Hot dog"]
    assert classes_called(browsed, "zebra", 10) == []
    assert classes_called(browsed, "", 1) == ["Cat"]


def test_a_class_has_its_name_in_any_case_or_its_mid(browsed: StateConnection) -> None:
    assert class_filter(browsed, "cat") == (CAT,)
    assert class_filter(browsed, DOG) == (DOG,)
    with pytest.raises(UsageError, match="there is no class 'Catt'") as refused:
        class_filter(browsed, "Catt")
    assert refused.value.hint == "did you mean Cat?"


def test_licences_are_known_from_a_sample_the_most_frequent_first(browsed: StateConnection) -> None:
    assert frequent_licenses(browsed) == [BY, CC0]
