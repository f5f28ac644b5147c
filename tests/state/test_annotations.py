"""Annotation files: loaded whole or not at all, each row once, the indexes unchanged."""

from collections.abc import Iterator
from typing import Any

import pytest
from builders import LIST, image

from oidl.state.annotations import OWN, AnnotationFile, among_rows_of, is_loaded, load_file, own_contents
from oidl.state.connection import StateConnection
from oidl.state.load import load_list

FILE = AnnotationFile("v7/train/boxes.csv", "boxes")
COLUMNS = ("image_id", "source", "label_name", "confidence", "x_min", "x_max", "y_min", "y_max", "row_number")


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
    assert [row[2] for row in _rows(db)] == [*range(1, 48), 50]
    assert _rows(db)[0][:10] == (image(1).image_id, 1, 1, "xclick", "/m/1", 1.0, 0.1, 0.2, 0.3, 0.4)
    assert db.execute("SELECT name, kind, images, rows, skipped FROM annotation_file").fetchall() == [
        (FILE.name, "boxes", "all", 48, 2)
    ]
    assert _schema(db) == schema
    assert is_loaded(db, FILE)


def test_a_second_load_adds_nothing_and_another_selection_its_own(db: StateConnection) -> None:
    few = AnnotationFile(FILE.name, "boxes", "listed: test")
    load(db, boxes(2, 3), file=few)
    assert is_loaded(db, few)
    assert not is_loaded(db, FILE)
    added = load(db, boxes(1, 2, 3, 4))
    assert (added.rows, added.new) == (4, 2)
    assert is_loaded(db, few)
    assert [row[2] for row in _rows(db)] == [1, 2, 3, 4]


def test_two_files_may_have_the_same_row_of_an_image(db: StateConnection) -> None:
    load(db, boxes(1, 2))
    added = load(db, boxes(2, 3), file=AnnotationFile("mine.csv", OWN))
    assert (added.rows, added.new) == (2, 2)
    query = "SELECT name, row_number FROM box JOIN annotation_file USING (file_id) ORDER BY name, row_number"
    assert db.execute(query).fetchall() == [("mine.csv", 2), ("mine.csv", 3), (FILE.name, 1), (FILE.name, 2)]


def test_a_file_that_was_changed_takes_the_place_of_what_it_was(db: StateConnection) -> None:
    def mine(modified_at: str, images: str = "all") -> AnnotationFile:
        return AnnotationFile("mine.csv", OWN, images, modified_at)

    labels = ("label", ("image_id", "source", "label_name", "confidence"), [[("a",), ("me",), ("/m/1",), (1,)]])
    load(db, boxes(1, 2))
    load_file(db, mine("monday"), [("box", COLUMNS, [boxes(1, 2, 3)]), labels], lambda: 0)
    assert is_loaded(db, mine("monday"))
    assert not is_loaded(db, mine("tuesday"))
    added = load(db, boxes(4), file=mine("tuesday", "listed: test"))
    assert (added.rows, added.new, added.gone) == (1, 1, 4)
    assert [row[1:3] for row in _rows(db)] == [(1, 1), (1, 2), (2, 4)]
    assert _rows(db, "label") == []
    assert is_loaded(db, mine("tuesday", "listed: test"))
    assert not is_loaded(db, mine("tuesday")), "those of other images went"
    added = load(db, boxes(4, 5), file=mine("tuesday"))
    assert (added.rows, added.new, added.gone) == (2, 1, 0)


def test_what_two_files_say_is_there_until_neither_does(db: StateConnection) -> None:
    columns = ("image_id", "source", "label_name", "confidence")

    def labels(name: str, modified_at: str, *image_ids: str) -> None:
        batch = [image_ids, *(len(image_ids) * (value,) for value in ("me", "/m/1", 1))]
        load_file(db, AnnotationFile(name, OWN, "all", modified_at), [("label", columns, [batch])], lambda: 0)

    def shown() -> set[str]:
        return {image_id for (image_id,) in db.execute("SELECT image_id FROM label")}

    labels("a.csv", "monday", "x", "y")
    labels("b.csv", "monday", "x")
    labels("a.csv", "tuesday", "z")
    assert shown() == {"x", "z"}
    labels("b.csv", "tuesday", "z")
    assert shown() == {"z"}


def test_what_was_named_and_is_then_fetched_goes_on_from_where_it_was(db: StateConnection) -> None:
    load(db, boxes(1), file=AnnotationFile(FILE.name, FILE.kind, "chosen: one", "monday"))
    added = load(db, boxes(1, 2), file=AnnotationFile(FILE.name, FILE.kind, "chosen: two"))
    assert (added.new, added.gone) == (1, 0)
    assert is_loaded(db, AnnotationFile(FILE.name, FILE.kind, "chosen: two", "monday"))


def test_ones_own_file_is_read_again_once_there_is_a_list_to_tell_its_subsets_by(
    db: StateConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = AnnotationFile("mine.csv", OWN, "all", "monday")
    load(db, boxes(1, 10), file=mine)
    assert is_loaded(db, mine)
    assert own_contents(db) == {"box": {"mine.csv"}}
    for number, (subset, found) in enumerate({"train": "box/train", "test": "box/test, box/train"}.items()):
        monkeypatch.setattr("oidl.state.load.timestamp", lambda number=number: f"9999-0{2 * number + 1}")
        load_list(db, LIST, (subset,), [image(10 if subset == "test" else 1, subset)])
        assert not is_loaded(db, mine)
        monkeypatch.setattr("oidl.state.annotations.timestamp", lambda number=number: f"9999-0{2 * number + 2}")
        assert load(db, boxes(1, 10), file=mine).new == 0
        assert is_loaded(db, mine)
        assert db.execute("SELECT contents FROM annotation_file").fetchall() == [(found,)]


def test_what_a_file_had_for_one_selection_is_known_after_another(loaded_db: StateConnection) -> None:
    def mine(images: str, modified_at: str = "monday") -> AnnotationFile:
        return AnnotationFile("mine.tar.gz", OWN, images, modified_at)

    labels = ("label", ("image_id", "source", "label_name", "confidence"), [[("a",), ("me",), ("/m/1",), (1,)]])
    load_file(loaded_db, mine("chosen: one"), [("box", COLUMNS, [boxes(1)]), labels], lambda: 0)
    load(loaded_db, boxes(10), file=mine("chosen: two"))
    told = "SELECT contents FROM annotation_file"
    assert loaded_db.execute(told).fetchall() == [("box/test, box/train, label",)]
    assert load(loaded_db, boxes(2), file=mine("chosen: two", "tuesday")).gone == 3
    assert _rows(loaded_db, "label") == []
    assert loaded_db.execute(told).fetchall() == [("box/train",)]


def test_an_index_of_ones_own_is_there_after_a_load_whatever_its_name(db: StateConnection) -> None:
    db.execute('CREATE INDEX "mine ""by"" source" ON box (source)')
    schema = _schema(db)
    load(db, boxes(1, 2))
    assert _schema(db) == schema


def test_a_load_leaves_the_connection_as_it_was(db: StateConnection) -> None:
    def settings() -> list[tuple[Any, ...]]:
        return [db.execute(f"PRAGMA {name}").fetchone() for name in ("cache_size", "threads")]

    before = settings()
    load(db, boxes(1, 2))
    assert settings() == before


def test_every_subset_that_ones_own_file_is_of_is_noted_however_late_it_comes(loaded_db: StateConnection) -> None:
    load(loaded_db, boxes(1), boxes(2), boxes(10), boxes(3), file=AnnotationFile("mine.csv", OWN))
    load(loaded_db, boxes(4), boxes(99), file=AnnotationFile("train.csv", OWN))
    assert loaded_db.execute("SELECT contents FROM annotation_file").fetchall() == [
        ("box/test, box/train",),
        ("box/train",),
    ]


def test_a_published_file_counts_wherever_it_came_from(db: StateConnection) -> None:
    had = AnnotationFile(FILE.name, FILE.kind, modified_at="monday")
    load(db, boxes(1, 2), file=had)
    assert is_loaded(db, FILE)
    assert is_loaded(db, had)
    assert not is_loaded(db, AnnotationFile(FILE.name, FILE.kind, modified_at="tuesday"))


@pytest.mark.parametrize("is_first", [True, False], ids=["indexes dropped", "indexes kept"])
def test_a_load_that_breaks_off_leaves_nothing(is_first: bool, db: StateConnection) -> None:
    if not is_first:
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
    assert len(_rows(db)) == len(before) + 20


def test_a_long_file_is_indexed_after_it_is_in(db: StateConnection) -> None:
    load(db, boxes(100), file=AnnotationFile("other.csv", "boxes"))
    seen = []

    def watched() -> Iterator[Any]:
        for start in (200, 50_200, 100_200):
            yield boxes(*range(start, start + 50_000))
            seen.append(len([name for name, _ in _schema(db) if name == "box_by_class"]))

    load_file(db, FILE, [("box", COLUMNS, watched())], lambda: 0)
    assert seen == [1, 1, 0]
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
    assert _rows(db, "label") == [("a", "/m/1", "s", 1.0, 1)]


def test_the_images_of_the_list_are_told_from_others(loaded_db: StateConnection) -> None:
    among = among_rows_of(loaded_db, "download")
    assert among([image(1).image_id, image(11).image_id, "f" * 16]) == {image(1).image_id, image(11).image_id}
