"""Files with their annotations, a page at a time, and the classes that annotations name."""

import pytest
from conftest import image, work

from oidl.model import Done, Rendition, ResizeMode, Source, WrittenFile
from oidl.state import labelled
from oidl.state.database import StateConnection
from oidl.state.labelled import boxes_of, classes_of, file_pages, known_classes, labels_of
from oidl.state.ledger import Ledger

CAT, DOG, SKY = "/m/01yrx", "/m/0bt9lr", "/m/0sky"


def put_box(db: StateConnection, image_number: int, number: int, label_name: str) -> None:
    db.execute(
        "INSERT INTO box (image_id, number, source, label_name, confidence, x_min, x_max, y_min, y_max, is_occluded) "
        "VALUES (?, ?, 'xclick', ?, 1, 0.1, 0.2, 0.3, 0.4, -1)",
        (image(image_number).image_id, number, label_name),
    )


@pytest.fixture
def with_files(loaded_db: StateConnection) -> StateConnection:
    """Ten images of `train` and two of `test`, each with two files, the fifth with one."""
    ledger = Ledger(loaded_db)
    ledger.open_run({})
    ledger.register([Rendition(name, name, ResizeMode.FILL_CROP, 9, "jpg") for name in ("a", "b")])
    for number in range(12):
        names = ("a", "b") if number != 5 else ("b",)
        files = tuple(WrittenFile(name, f"{name}/{number}.jpg", 9, 9, 8, 6, 12, 10, 2, -1) for name in names)
        done = Done(Source.ORIGINAL, "u", 9, "m", 12, 10, files, "jpeg", 3, 6, False)
        ledger.done(work(number), done)
    return loaded_db


@pytest.mark.parametrize("page", [1, 3, 500])
def test_every_file_comes_once_and_in_order(
    page: int, with_files: StateConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelled, "_PAGE", page)
    pages = list(file_pages(with_files, "a", ("train",)))
    assert [file.image_id for each in pages for file in each] == [image(n).image_id for n in range(10) if n != 5]
    assert max(map(len, pages)) <= page


def test_a_file_tells_how_it_was_made_and_whom_to_thank(with_files: StateConnection) -> None:
    ((first, *_),) = file_pages(with_files, "b", ("test",))
    published = image(10, "test")
    assert (first.image_id, first.subset, first.path) == (published.image_id, "test", "b/10.jpg")
    assert (first.width, first.height, first.orientation) == (9, 8, 6)
    assert (first.scaled_width, first.scaled_height, first.crop_left, first.crop_top) == (12, 10, 2, -1)
    assert (first.stored_orientation, first.bands, first.conversion) == (6, 3, None)
    assert (first.original_url, first.license, first.author, first.title) == (
        published.original_url,
        published.license,
        published.author,
        published.title,
    )
    assert (
        first.number
        == with_files.execute("SELECT rowid FROM image WHERE image_id = ?", (published.image_id,)).fetchone()[0]
    )


def test_annotations_come_by_image_and_of_the_chosen_classes(loaded_db: StateConnection) -> None:
    for image_number, number, label_name in ((1, 7, DOG), (1, 2, CAT), (2, 1, CAT), (3, 1, CAT)):
        put_box(loaded_db, image_number, number, label_name)
        loaded_db.execute(
            "INSERT OR IGNORE INTO label VALUES (?, ?, 'machine', 0.5)", (image(image_number).image_id, label_name)
        )
    one, two = image(1).image_id, image(2).image_id
    boxes = boxes_of(loaded_db, [one, two], None)
    assert {key: [box.label_name for box in found] for key, found in boxes.items()} == {one: [CAT, DOG], two: [CAT]}
    box = boxes[two][0]
    assert (box.x_min, box.x_max, box.y_min, box.y_max) == (0.1, 0.2, 0.3, 0.4)
    assert (box.is_occluded, box.is_inside) == (-1, None)
    assert list(boxes_of(loaded_db, [one, two], [DOG])) == [one]
    labels = labels_of(loaded_db, [one, two], [CAT])
    assert {key: [(each.source, each.confidence) for each in found] for key, found in labels.items()} == {
        one: [("machine", 0.5)],
        two: [("machine", 0.5)],
    }


@pytest.mark.parametrize("label_names", [None, [CAT]])
def test_the_boxes_of_a_page_are_looked_up_by_image(
    label_names: list[str] | None, db: StateConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    boxes_of(db, ["0" * 16], label_names)
    db.set_trace_callback(None)
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {asked[0]}")]
    assert any("SEARCH box USING PRIMARY KEY" in step for step in plan), plan


def test_files_are_read_in_the_order_of_their_key(db: StateConnection) -> None:
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    list(file_pages(db, "a", ["train"]))
    db.set_trace_callback(None)
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {asked[0]}")]
    assert plan[0] == "SEARCH f USING PRIMARY KEY (image_id>?)"
    assert not any("TEMP B-TREE" in step or step.startswith("SCAN f") for step in plan), plan


def test_the_classes_are_those_that_can_have_boxes_and_those_that_are_named(db: StateConnection) -> None:
    db.execute(
        "INSERT INTO class (label_name, display_name, is_boxable) VALUES (?, 'Cat', 1), (?, 'Sky', 0)", (CAT, SKY)
    )
    db.execute("INSERT INTO class_hierarchy VALUES ('/m/0animal', ?, 'subcategory'), (?, ?, 'part')", (CAT, SKY, CAT))
    assert known_classes(db, ["box"]) == [(CAT, "Cat", "/m/0animal")]
    for number in range(3):
        put_box(db, 1, number, DOG)
    db.execute("INSERT INTO label VALUES ('x', ?, 'machine', 0.5)", (SKY,))
    assert known_classes(db, ["box"]) == [(CAT, "Cat", "/m/0animal"), (DOG, None, None)]
    assert known_classes(db, ["label"]) == [(SKY, "Sky", None)]
    assert [each.label_name for each in known_classes(db, ["box", "label"])] == [CAT, DOG, SKY]
    assert classes_of(db, [SKY, DOG, CAT]) == [(SKY, "Sky", None), (DOG, None, None), (CAT, "Cat", "/m/0animal")]
