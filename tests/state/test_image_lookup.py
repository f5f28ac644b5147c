"""Single images from the database: summaries, details, the last successes and failures."""

import pytest
from builders import THUMB, image, job

from oidl.model import Done, Failure, Reason, RetryDecision, Source, Status, WrittenFile
from oidl.state.connection import StateConnection
from oidl.state.image_lookup import (
    details,
    find_by_prefix,
    image_summaries,
    last_successes,
    output_file,
    recent_failures,
)
from oidl.state.ledger import Ledger


@pytest.fixture
def tried_db(loaded_db: StateConnection) -> StateConnection:
    """Images 2, 5 and 7 are done, each with two files; image 3 failed twice."""
    ledger = Ledger(loaded_db)
    ledger.register([THUMB])
    ledger.open_run({})
    for number in (2, 5, 7):
        files = (
            WrittenFile("large", f"{number}.webp", 900, 90, 60),
            WrittenFile("thumbs", f"{number}.jpg", 50, 64, 64),
        )
        ledger.done(job(number), Done(Source.ORIGINAL, "u", 1000, "md5", 90, 60, files))
    for reason, status in ((Reason.TIMEOUT, Status.RETRY), (Reason.GONE, Status.FAILED)):
        ledger.failed(job(3), Failure(reason, "why", url="http://x/3"), RetryDecision(status))
    return loaded_db


def id_of(number: int) -> str:
    return image(number).image_id


def test_cards_come_as_asked_for_with_the_smallest_file_first(tried_db: StateConnection) -> None:
    seven, two = image_summaries(tried_db, [id_of(7), "ffffffffffffffff", id_of(2)])
    assert (seven.image_id, two.image_id) == (id_of(7), id_of(2))
    assert [(file.rendition, file.path, file.bytes) for file in two.files] == [
        ("thumbs", "2.jpg", 50),
        ("large", "2.webp", 900),
    ]
    assert (two.status, two.reason, two.width, two.height) == (Status.DONE, None, 90, 60)
    assert (two.title, two.author, two.license) == (image(2).title, image(2).author, image(2).license)
    assert two.original_landing_url == image(2).original_landing_url


def test_a_beginning_finds_all_that_begin_so_up_to_a_limit(tried_db: StateConnection) -> None:
    zeros = "0" * 15
    assert [card.image_id for card in find_by_prefix(tried_db, zeros, 3)] == [id_of(0), id_of(1), id_of(2)]
    assert [card.image_id for card in find_by_prefix(tried_db, zeros + "b", 3)] == [id_of(11)]
    assert len(find_by_prefix(tried_db, zeros, 100)) == 12
    assert find_by_prefix(tried_db, "1", 3) == []


def test_details_have_the_row_and_the_tries_the_latest_first(tried_db: StateConnection) -> None:
    found = details(tried_db, id_of(3))
    assert found is not None
    assert found.original_size == image(3).original_size
    assert found.original_url == image(3).original_url
    assert (found.download["attempts"], found.download["detail"]) == (2, "why")
    assert [(each.reason, each.status, each.url) for each in found.tries] == [
        ("gone", Status.FAILED, "http://x/3"),
        ("timeout", Status.FAILED, "http://x/3"),
    ]
    assert details(tried_db, "ffffffffffffffff") is None


def test_the_last_tries_are_those_of_all_images(tried_db: StateConnection) -> None:
    assert [each.reason for each in recent_failures(tried_db, 10)] == ["gone", "timeout"]
    assert [each.reason for each in recent_failures(tried_db, 1)] == ["gone"]


def test_a_try_that_names_no_url_was_for_the_original(tried_db: StateConnection) -> None:
    Ledger(tried_db).failed(job(4), Failure(Reason.DNS), RetryDecision(Status.RETRY))
    assert recent_failures(tried_db, 1)[0].url == image(4).original_url


def test_the_last_successes_come_latest_first_and_without_those_that_are_gone_since(tried_db: StateConnection) -> None:
    assert [each.image_id for each in last_successes(tried_db, 2)] == [id_of(7), id_of(5)]
    Ledger(tried_db).failed(job(5), Failure(Reason.GONE), RetryDecision(Status.FAILED))
    found = last_successes(tried_db, 10)
    assert [each.image_id for each in found] == [id_of(7), id_of(2)]
    assert (found[0].bytes, found[0].width, found[0].height) == (1000, 90, 60)


def test_no_more_than_a_hundred_successes_are_remembered(tried_db: StateConnection) -> None:
    for _ in range(40):
        for number in (2, 5, 7):
            Ledger(tried_db).done(job(number), Done(Source.ORIGINAL, "u", 1000, "md5", 90, 60, ()))
    assert tried_db.execute("SELECT count(*) FROM recent_success").fetchone() == (100,)


def test_details_have_boxes_and_labels_with_their_names(tried_db: StateConnection) -> None:
    tried_db.execute("INSERT INTO class (label_name, display_name) VALUES ('/m/cat', 'Cat')")
    tried_db.execute(
        "INSERT INTO box (image_id, row_number, source, label_name, confidence, x_min, x_max, y_min, y_max) "
        "VALUES (?, 1, 'xclick', '/m/cat', 1, 0.1, 0.5, 0.2, 0.4)",
        (id_of(2),),
    )
    tried_db.execute(
        "INSERT INTO label (image_id, label_name, source, confidence) VALUES (?, '/m/sky', 'verification', 1)",
        (id_of(2),),
    )
    found = details(tried_db, id_of(2))
    assert found is not None
    assert [(box.label_name, box.x_min, box.y_max) for box in found.boxes] == [("/m/cat", 0.1, 0.4)]
    assert [(label.label_name, label.is_there) for label in found.labels] == [("/m/sky", True)]
    assert found.class_names == {"/m/cat": "Cat"}


def test_a_file_is_found_by_image_and_rendition_only(tried_db: StateConnection) -> None:
    found = output_file(tried_db, id_of(5), "large")
    assert found is not None
    assert found.path == "5.webp"
    assert output_file(tried_db, id_of(5), "5.webp") is None
    assert output_file(tried_db, id_of(3), "large") is None


@pytest.mark.parametrize(
    "question",
    [
        lambda db: image_summaries(db, [id_of(1)]),
        lambda db: find_by_prefix(db, "0", 5),
        lambda db: last_successes(db, 5),
        lambda db: details(db, id_of(3)),
        lambda db: recent_failures(db, 5),
        lambda db: output_file(db, id_of(5), "large"),
    ],
    ids=["cards", "beginning", "successes", "details", "tries", "file"],
)
def test_every_question_goes_along_an_index(tried_db: StateConnection, question) -> None:
    statements: list[str] = []
    tried_db.set_trace_callback(statements.append)
    question(tried_db)
    tried_db.set_trace_callback(None)
    assert statements
    for sql in statements:
        plan = [row[3] for row in tried_db.execute(f"EXPLAIN QUERY PLAN {sql}")]
        scans = [step for step in plan if step.startswith("SCAN") and "VIRTUAL TABLE" not in step]  # lists of ImageIDs
        if scans:  # from the end of a table, or over the few of a subquery
            assert "LIMIT" in sql, (sql, plan)
            assert not [step for step in plan if "TEMP B-TREE" in step], (sql, plan)
