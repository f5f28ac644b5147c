"""Annotation files: loaded whole or not at all, each row once, the indexes as they were."""

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import image

from oidl.state import annotations
from oidl.state.annotations import AnnotationFile, is_loaded, listed, load_file
from oidl.state.database import StateConnection

FILE = AnnotationFile("v7/train/boxes.csv", "boxes")
COLUMNS = ("image_id", "source", "label_name", "confidence", "x_min", "x_max", "y_min", "y_max", "number")


def boxes(*numbers: int) -> list[Any]:
    """A batch of boxes, one an image."""
    return list(zip(*((image(n).image_id, "xclick", "/m/1", 1.0, 0.1, 0.2, 0.3, 0.4, n) for n in numbers), strict=True))


def load(db: StateConnection, *batches: Any, file: AnnotationFile = FILE, bad: int = 0) -> Any:
    return load_file(db, file, [("box", COLUMNS, batches)], lambda: bad)


def _rows(db: StateConnection, table: str = "box") -> list[tuple[Any, ...]]:
    return db.execute(f"SELECT * FROM {table}").fetchall()


def _schema(db: StateConnection) -> list[tuple[Any, ...]]:
    return db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index' ORDER BY name").fetchall()


def test_rows_are_loaded_and_the_file_is_noted(db: StateConnection) -> None:
    schema = _schema(db)
    added = load(db, boxes(*range(1, 48)), boxes(50), bad=2)
    assert (added.rows, added.new) == (48, 48)
    assert [row[1] for row in _rows(db)] == [*range(1, 48), 50]
    assert _rows(db)[0][:9] == (image(1).image_id, 1, "xclick", "/m/1", 1.0, 0.1, 0.2, 0.3, 0.4)
    assert db.execute("SELECT name, kind, images, rows, skipped FROM annotation_file").fetchall() == [
        (FILE.name, "boxes", "all", 48, 2)
    ]
    assert _schema(db) == schema
    assert is_loaded(db, FILE)


def test_a_second_load_adds_nothing_and_another_choice_its_own(db: StateConnection) -> None:
    few = AnnotationFile(FILE.name, "boxes", "listed: test")
    load(db, boxes(2, 3), file=few)
    assert is_loaded(db, few)
    assert not is_loaded(db, FILE)
    added = load(db, boxes(1, 2, 3, 4))
    assert (added.rows, added.new) == (4, 2)
    assert is_loaded(db, few)
    assert [row[1] for row in _rows(db)] == [1, 2, 3, 4]


@pytest.mark.parametrize("long", [0, 10_000])
def test_a_load_that_breaks_off_leaves_nothing(long: int, db: StateConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotations, "_LONG", long)
    load(db, boxes(7), file=AnnotationFile("other.csv", "boxes"))
    schema, before = _schema(db), _rows(db)

    def broken() -> Iterator[Any]:
        yield boxes(*range(10, 30))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_file(db, FILE, [("box", COLUMNS, broken())], lambda: 0)
    assert (_schema(db), _rows(db)) == (schema, before)
    assert not is_loaded(db, FILE)
    load(db, boxes(*range(10, 30)))
    assert len(_rows(db)) == 21


def test_a_long_file_is_indexed_after_it_is_in(db: StateConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotations, "_LONG", 5)
    load(db, boxes(100), file=AnnotationFile("other.csv", "boxes"))
    seen = []

    def watched() -> Iterator[Any]:
        for start in (10, 20, 30):
            yield boxes(*range(start, start + 5))
            seen.append(len([name for name, _ in _schema(db) if name == "box_by_class"]))

    load_file(db, FILE, [("box", COLUMNS, watched())], lambda: 0)
    assert seen == [1, 0, 0]
    assert "box_by_class" in dict(_schema(db))


def test_classes_are_put_together_from_their_files(db: StateConnection) -> None:
    names = ("class", ("label_name", "display_name"), [[("/m/1", "/m/2"), ("Cat", "Dog")]])
    boxable = ("class", ("label_name", "display_name", "is_boxable"), [[("/m/2", "/m/3"), (None, None), (1, 1)]])
    for parts in ([names, boxable], [boxable, names]):
        db.execute("DELETE FROM class")
        load_file(db, AnnotationFile("classes.tar.gz", "classes"), parts, lambda: 0)
        found = db.execute("SELECT label_name, display_name, is_boxable FROM class").fetchall()
        assert found == [("/m/1", "Cat", 0), ("/m/2", "Dog", 1), ("/m/3", None, 1)]


def test_labels_that_are_there_are_not_added_again(db: StateConnection) -> None:
    part = (
        "label",
        ("image_id", "source", "label_name", "confidence"),
        [[("a", "a"), ("s", "s"), ("/m/1", "/m/1"), (1, 0)]],
    )
    added = load_file(db, AnnotationFile("labels.csv", "labels"), [part], lambda: 0)
    assert (added.rows, added.new) == (2, 1)
    assert _rows(db, "label") == [("a", "/m/1", "s", 1.0)]


def test_the_images_of_the_list_are_told_from_others(loaded_db: StateConnection) -> None:
    among = listed(loaded_db, "download")
    assert among([image(1).image_id, image(11).image_id, "f" * 16]) == {image(1).image_id, image(11).image_id}
