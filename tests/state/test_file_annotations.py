"""Files with their annotations, a page at a time, and the classes in the annotations."""

from typing import Any

import pytest
from builders import image, job

from oidl.model import Done, LabelType, Rendition, ResizeMode, Source, WrittenFile
from oidl.settings import Selection
from oidl.state.connection import StateConnection
from oidl.state.file_annotations import boxes_of, classes_of, file_pages, known_classes, labels_of
from oidl.state.ledger import Ledger
from oidl.state.selection import select_images

CAT, DOG, SKY = "/m/01yrx", "/m/0bt9lr", "/m/0sky"


def put_box(db: StateConnection, image_number: int, number: int, label_name: str) -> None:
    db.execute(
        "INSERT INTO box (image_id, row_number, source, label_name, confidence, "
        "x_min, x_max, y_min, y_max, is_occluded) "
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
        files = tuple(WrittenFile(name, f"{name}/{number}.jpg", 9, 9, 8, 6, 12, 10, 2, -1, None, 8) for name in names)
        done = Done(Source.ORIGINAL, "u", 9, "m", 12, 10, files, "jpeg", 3, 6, False)
        ledger.done(job(number), done)
    return loaded_db


@pytest.mark.parametrize("page", [1, 3, 500])
def test_every_file_comes_once_and_in_order(page: int, with_files: StateConnection) -> None:
    pages = list(file_pages(with_files, "a", ("train",), page_size=page))
    assert [file.image_id for each in pages for file in each] == [image(n).image_id for n in range(10) if n != 5]
    assert max(map(len, pages)) <= page


@pytest.mark.parametrize("page", [1, 2, 500])
def test_the_files_of_a_selection_come_in_its_order(page: int, with_files: StateConnection) -> None:
    selected = select_images(with_files, Selection(where="original_size BETWEEN 1003 AND 1010", shuffle=True))
    drawn = [image_id for (image_id,) in with_files.execute("SELECT image_id FROM selected ORDER BY place")]
    pages = list(file_pages(with_files, "a", ("train",), selected, page_size=page))
    expected = [image_id for image_id in drawn if int(image_id, 16) not in (5, 10)]
    assert [file.image_id for each in pages for file in each] == expected != sorted(expected)
    assert len(expected) == 6
    assert max(map(len, pages)) <= page


def test_a_file_tells_how_it_was_made_and_whom_to_thank(with_files: StateConnection) -> None:
    ((first, *_),) = file_pages(with_files, "b", ("test",))
    published = image(10, "test")
    assert (first.image_id, first.subset, first.path) == (published.image_id, "test", "b/10.jpg")
    assert (first.width, first.height, first.orientation) == (9, 8, 6)
    assert (first.scaled_width, first.scaled_height, first.crop_left, first.crop_top) == (12, 10, 2, -1)
    assert (first.exif_orientation, first.bands, first.conversion) == (8, 3, None)
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
            "INSERT OR IGNORE INTO label (image_id, label_name, source, confidence) VALUES (?, ?, 'machine', 0.5)",
            (image(image_number).image_id, label_name),
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


def test_only_what_fits_the_selection_is_given_out(loaded_db: StateConnection) -> None:
    for number, (right, is_group) in enumerate(((0.9, 0), (0.9, 1), (0.3, 0))):
        loaded_db.execute(
            "INSERT INTO box (image_id, row_number, source, label_name, confidence, x_min, x_max, y_min, y_max, "
            "is_group_of) VALUES (?, ?, 'xclick', ?, 1, 0.1, ?, 0.0, 1.0, ?)",
            (image(1).image_id, number, CAT, right, is_group),
        )
    for source, confidence in (("verification", 1), ("crowdsource-verification", 0), ("machine", 1)):
        loaded_db.execute(
            "INSERT INTO label (image_id, label_name, source, confidence) VALUES (?, ?, ?, ?)",
            (image(1).image_id, CAT, source, confidence),
        )
    ids = [image(1).image_id]

    def boxes(**selection: Any) -> list[tuple[float, int | None]]:
        found = boxes_of(loaded_db, ids, None, Selection(**selection))
        return [(box.x_max, box.is_group_of) for each in found.values() for box in each]

    assert boxes(attributes=(("is_group_of", 0),)) == [(0.9, 0), (0.3, 0)]
    assert boxes(min_box_area=0.5) == [(0.9, 0), (0.9, 1)]
    assert boxes(min_box_area=0.5, attributes=(("is_group_of", 1),)) == [(0.9, 1)]
    assert len(boxes(verified_only=True)) == 3, "which is about labels"
    (labels,) = labels_of(loaded_db, ids, [CAT], Selection(verified_only=True)).values()
    assert [label.source for label in labels] == ["verification"]


@pytest.mark.parametrize("label_names", [None, [CAT]])
def test_the_boxes_of_a_page_are_looked_up_by_image(label_names: list[str] | None, db: StateConnection) -> None:
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    boxes_of(db, ["0" * 16], label_names, Selection(attributes=(("is_group_of", 0),)))
    db.set_trace_callback(None)
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statements[0]}")]
    assert any("SEARCH x USING PRIMARY KEY" in step for step in plan), plan


def test_files_are_read_in_the_order_of_their_key(db: StateConnection) -> None:
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    list(file_pages(db, "a", ["train"]))
    db.set_trace_callback(None)
    selected = select_images(db, Selection(where="true"))
    db.set_trace_callback(statements.append)
    list(file_pages(db, "a", ["train"], selected))
    db.set_trace_callback(None)
    starts = ["SEARCH f USING PRIMARY KEY (image_id>?)", "SEARCH c USING INTEGER PRIMARY KEY (rowid>?)"]
    for query, start in zip(statements, starts, strict=True):
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}")]
        assert plan[0] == start
        assert not any("TEMP B-TREE" in step or step.startswith("SCAN f") for step in plan), plan


def test_the_classes_are_those_that_can_have_boxes_and_those_that_are_named(db: StateConnection) -> None:
    db.execute(
        "INSERT INTO class (label_name, display_name, is_boxable) VALUES (?, 'Cat', 1), (?, 'Sky', 0)", (CAT, SKY)
    )
    db.execute(
        "INSERT INTO class_hierarchy (parent, child, kind) VALUES ('/m/0animal', ?, 'subcategory'), (?, ?, 'part')",
        (CAT, SKY, CAT),
    )
    assert known_classes(db, [LabelType.BOXES]) == [(CAT, "Cat", "/m/0animal")]
    for number in range(3):
        put_box(db, 1, number, DOG)
    db.execute("INSERT INTO label (image_id, label_name, source, confidence) VALUES ('x', ?, 'machine', 0.5)", (SKY,))
    assert known_classes(db, [LabelType.BOXES]) == [(CAT, "Cat", "/m/0animal"), (DOG, None, None)]
    assert known_classes(db, [LabelType.LABELS]) == [(SKY, "Sky", None)]
    assert [each.label_name for each in known_classes(db, list(LabelType)[:2])] == [CAT, DOG, SKY]
    assert classes_of(db, [SKY, DOG, CAT]) == [(SKY, "Sky", None), (DOG, None, None), (CAT, "Cat", "/m/0animal")]


@pytest.mark.parametrize(
    ("rows", "there"),
    [
        ([("machine", 0.5)], [True]),
        ([("verification", 0.0)], [False]),
        ([("machine", 0.5), ("verification", 0.0)], [False, False]),
        ([("crowdsource-verification", 1.0), ("verification", 0.0)], [True, False]),
    ],
)
def test_a_label_tells_whether_it_shows_its_class(
    rows: list[tuple[str, float]], there: list[bool], loaded_db: StateConnection
) -> None:
    (one, two) = (image(number).image_id for number in (1, 2))
    loaded_db.executemany(
        "INSERT INTO label (image_id, label_name, source, confidence) VALUES (?, ?, ?, ?)",
        [(one, CAT, *row) for row in rows] + [(one, "/m/other", "verification", 0), (two, CAT, "verification", 0)],
    )
    labels = labels_of(loaded_db, [one], [CAT])[one]
    assert [bool(label.is_there) for label in labels] == there
