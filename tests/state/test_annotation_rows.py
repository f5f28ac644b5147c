"""The masks, relationships and points of a page of images, and whether there are any masks."""

import pytest
from builders import image, job

from oidl.model import Done, LabelType, Rendition, ResizeMode, Source, WrittenFile
from oidl.settings import Selection
from oidl.state.annotation_rows import Point, Relationship, Segmentation, annotations_of, has_segmentations
from oidl.state.connection import StateConnection
from oidl.state.file_annotations import known_classes
from oidl.state.ledger import Ledger
from oidl.state.selection import drop_selection, select_images

CAT, DOG, SKY, WOODEN = "/m/01yrx", "/m/0bt9lr", "/m/0sky", "/m/0wooden"
ONE, TWO = image(1).image_id, image(2).image_id
SIDES = (0.1, 0.5, 0.2, 0.6)


def put(db: StateConnection, table: str, row: dict[str, object]) -> None:
    db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))


def put_mask(db: StateConnection, image_id: str, number: int, label_name: str) -> Segmentation:
    mask = Segmentation(image_id, f"{image_id}_{number}.png", label_name, *SIDES)
    put(db, "segmentation", {**mask._asdict(), "row_number": number, "box_id": "b"})
    return mask


def test_each_kind_comes_by_image_and_in_the_published_order(loaded_db: StateConnection) -> None:
    masks = [put_mask(loaded_db, ONE, number, label_name) for number, label_name in ((7, CAT), (2, DOG), (3, CAT))]
    other = put_mask(loaded_db, TWO, 1, DOG)
    assert annotations_of(loaded_db, Segmentation, [ONE, TWO], None) == {
        ONE: [masks[1], masks[2], masks[0]],
        TWO: [other],
    }
    assert annotations_of(loaded_db, Segmentation, [ONE, TWO], [CAT]) == {ONE: [masks[2], masks[0]]}


def test_a_relationship_is_of_each_of_its_two_classes(loaded_db: StateConnection) -> None:
    first = Relationship(ONE, CAT, SKY, *SIDES, *SIDES, "under")
    second = Relationship(ONE, DOG, WOODEN, *SIDES, *SIDES, "is")
    for number, row in enumerate((first, second)):
        put(loaded_db, "relationship", {**row._asdict(), "row_number": number})
    assert annotations_of(loaded_db, Relationship, [ONE, TWO], None) == {ONE: [first, second]}
    assert annotations_of(loaded_db, Relationship, [ONE], [CAT]) == {ONE: [first]}
    assert annotations_of(loaded_db, Relationship, [ONE], [WOODEN]) == {ONE: [second]}
    assert annotations_of(loaded_db, Relationship, [ONE], [DOG, SKY]) == {ONE: [first, second]}
    assert annotations_of(loaded_db, Relationship, [TWO], [CAT]) == {}
    assert [each.label_name for each in known_classes(loaded_db, [LabelType.RELATIONSHIPS])] == sorted(
        (CAT, DOG, SKY, WOODEN)
    )


@pytest.mark.parametrize(("answer", "is_there"), [("yes", 1), ("no", 0), ("unsure", 0), (None, 1)])
def test_a_point_tells_whether_it_lies_on_its_class(
    answer: str | None, is_there: int, loaded_db: StateConnection
) -> None:
    point = Point(ONE, SKY, 0.25, 0.75, answer, "ih", 3, 0, 1, None, is_there == 1)
    row = point._asdict()
    del row["is_there"]
    put(loaded_db, "point", {**row, "row_number": 1})
    assert annotations_of(loaded_db, Point, [ONE], [SKY]) == {ONE: [point]}
    assert [each.label_name for each in known_classes(loaded_db, [LabelType.POINTS])] == [SKY]


def test_boxes_and_masks_have_the_same_classes(db: StateConnection) -> None:
    put(db, "class", {"label_name": CAT, "display_name": "Cat", "is_boxable": 1})
    put_mask(db, ONE, 1, DOG)
    assert [each.label_name for each in known_classes(db, [LabelType.SEGMENTATIONS])] == [CAT, DOG]


@pytest.mark.parametrize("kind", [Segmentation, Relationship, Point])
def test_the_rows_of_a_page_are_looked_up_by_image(kind: type[Segmentation], db: StateConnection) -> None:
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    annotations_of(db, kind, [ONE], [CAT])
    db.set_trace_callback(None)
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statements[0]}")]
    assert any("SEARCH x USING PRIMARY KEY" in step for step in plan), plan


def test_masks_are_looked_for_by_subset_first_digit_class_and_selection(loaded_db: StateConnection) -> None:
    ledger = Ledger(loaded_db)
    ledger.open_run({})
    ledger.register([Rendition("a", "a", ResizeMode.FILL_CROP, 9, "jpg")])
    files = (WrittenFile("a", "a/1.jpg", 9, 9, 8, 6, 12, 10, 2, -1, None, 8),)
    ledger.done(job(1), Done(Source.ORIGINAL, "u", 9, "m", 12, 10, files, "jpeg", 3, 6, False))
    put_mask(loaded_db, ONE, 1, CAT)
    put_mask(loaded_db, TWO, 1, DOG)  # which has no file

    def has(rendition: str = "a", subset: str = "train", digit: str = ONE[0], *, of: list[str] | None = None) -> bool:
        return has_segmentations(loaded_db, rendition, subset, digit, of, None)

    assert has()
    assert has(of=[DOG, CAT])
    assert not has(of=[DOG])
    assert not has("b")
    assert not has(subset="test")
    assert not has(digit="f")
    for where, expected in (("true", True), ("original_size < 0", False)):
        selected = select_images(loaded_db, Selection(where=where))
        assert has_segmentations(loaded_db, "a", "train", ONE[0], None, selected) is expected
        drop_selection(loaded_db)


def test_masks_are_looked_for_in_a_range_of_image_ids(db: StateConnection) -> None:
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    has_segmentations(db, "a", "train", "3", [CAT], None)
    db.set_trace_callback(None)
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statements[0]}")]
    assert "SEARCH x USING PRIMARY KEY (image_id>? AND image_id<?)" in plan, plan
    assert not any(step.startswith("SCAN") and "json_each" not in step for step in plan), plan
