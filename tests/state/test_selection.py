"""Images selected by class, attribute, SQL and lot; the feed's order over them; the description of a plan."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from builders import THUMB, image

from oidl.errors import UsageError
from oidl.model import LabelType, Reason
from oidl.settings import Selection
from oidl.state.classes import check_names, requested_classes
from oidl.state.connection import StateConnection
from oidl.state.database import connect_reader
from oidl.state.forecast import (
    Demand,
    Share,
    forecast_all,
    forecast_classes,
    forecast_selected,
    keep_missing,
    missing_to_limit,
)
from oidl.state.queue import Queue
from oidl.state.selection import check_where, describe, drop_selection, keep_per_class, select_images, selected_ids

CAT, TABBY, DOG = "/m/01yrx", "/m/0tabby", "/m/0bt9lr"
BOXES = (LabelType.BOXES,)
LABELS = (LabelType.LABELS,)


@pytest.fixture
def annotated(loaded_db: StateConnection) -> StateConnection:
    """Boxes of cats on 1, 2 (a group) and 3 (small), of a tabby on 4, of dogs on 2, 5 and 10; labels on 6 to 8."""
    loaded_db.executemany(
        "INSERT INTO class (label_name, display_name) VALUES (?, ?)", [(CAT, "Cat"), (TABBY, "Tabby cat"), (DOG, "Dog")]
    )
    loaded_db.execute("INSERT INTO class_hierarchy (parent, child, kind) VALUES (?, ?, 'subcategory')", (CAT, TABBY))
    boxes = [(1, CAT, 0.9, 0), (2, CAT, 0.9, 1), (3, CAT, 0.2, 0), (4, TABBY, 0.9, 0)]
    boxes += [(number, DOG, 0.9, 0) for number in (2, 5, 10)]
    loaded_db.executemany(
        "INSERT INTO box (image_id, row_number, source, label_name, confidence, "
        "x_min, x_max, y_min, y_max, is_group_of) "
        "VALUES (?, ?, 'xclick', ?, 1, 0.1, ?, 0.1, 0.9, ?)",
        [
            (image(number).image_id, place, label_name, right, group)
            for place, (number, label_name, right, group) in enumerate(boxes)
        ],
    )
    loaded_db.executemany(
        "INSERT INTO label (image_id, label_name, source, confidence) VALUES (?, ?, ?, ?)",
        [
            (image(6).image_id, CAT, "verification", 1),
            (image(7).image_id, CAT, "machine", 0.8),
            (image(8).image_id, CAT, "crowdsource-verification", 0),
            ("f" * 16, CAT, "verification", 1),  # in no list
        ],
    )
    return loaded_db


def numbers(db: StateConnection, image_ids: list[str] | None = None, **selection: Any) -> list[int]:
    """The numbers of the images that are selected, in the order in which they are fed."""
    reader = connect_reader(db.path)
    try:
        selected = select_images(reader, Selection(**selection), image_ids)
        assert selected is not None
        found, after = [], ""
        queue = Queue(reader, (THUMB,), run_id=1, max_tries=3, selected=selected)
        while page := queue.pending(after, 2):
            found += [int(job.image_id, 16) for job in page]
            after = page[-1].image_id
        assert selected.images == len(found) == len(list(selected_ids(reader)))
        return found
    finally:
        reader.close()


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"classes": ("Cat",), "label_types": BOXES}, [1, 2, 3]),
        ({"classes": ("cAT", DOG.upper()), "label_types": BOXES}, [1, 2, 3, 5, 10]),
        ({"classes": ("Cat",), "label_types": BOXES, "include_subclasses": True}, [1, 2, 3, 4]),
        ({"classes": ("Cat",), "label_types": BOXES, "attributes": (("is_group_of", 0),)}, [1, 3]),
        ({"classes": ("Cat",), "label_types": BOXES, "min_box_area": 0.5}, [1, 2]),
        ({"classes": ("Cat",), "label_types": LABELS}, [6, 7]),
        ({"classes": ("Cat",), "label_types": LABELS, "verified_only": True}, [6]),
        ({"classes": ("Cat",), "label_types": (*BOXES, *LABELS)}, [1, 2, 3, 6, 7]),
        ({"label_types": BOXES}, [1, 2, 3, 4, 5, 10]),
        ({"classes": ("Dog",), "label_types": BOXES, "subsets": ("test",)}, [10]),
        ({"classes": ("Dog",), "label_types": BOXES, "where": "original_size < 1005"}, [2]),
        ({"where": "original_size > 1008 AND subset = 'train'"}, [9]),
        ({"where": "image_id IN (SELECT image_id FROM download WHERE subset = 'test') -- mine"}, [10, 11]),
        ({"where": "subset = 'test' OR true", "subsets": ("test",)}, [10, 11]),
        ({"classes": ("Cat", "Dog"), "label_types": BOXES, "limit_per_class": 1}, [1, 2, 3, 5, 10]),
    ],
)
def test_what_is_selected(selection: dict[str, Any], expected: list[int], annotated: StateConnection) -> None:
    assert numbers(annotated, **selection) == expected


def test_named_images_narrow_a_selection(annotated: StateConnection) -> None:
    named = [image(number).image_id for number in (2, 3, 9)]
    assert numbers(annotated, named, classes=("Cat",), label_types=BOXES) == [2, 3]
    assert numbers(annotated, named, where="original_size >= 1003") == [3, 9]
    assert numbers(annotated, named, subsets=("test",)) == []


def test_a_shuffle_is_the_same_for_the_same_seed_and_has_every_image(annotated: StateConnection) -> None:
    first = numbers(annotated, shuffle=True)
    assert first == numbers(annotated, shuffle=True) != list(range(12))
    assert sorted(first) == list(range(12))
    assert numbers(annotated, shuffle=True, seed=1) != first
    drawn = numbers(annotated, shuffle=True, classes=("Dog",), label_types=BOXES)
    assert drawn == [number for number in first if number in (2, 5, 10)]


def test_a_class_that_there_is_not_is_told_with_what_is_like_it(annotated: StateConnection) -> None:
    with pytest.raises(UsageError, match="there is no class 'dgo'") as error:
        numbers(annotated, classes=("dgo",), label_types=BOXES)
    assert "Dog" in error.value.hint


def test_a_class_that_only_annotations_know_goes_by_its_mid(annotated: StateConnection) -> None:
    with annotated:
        annotated.execute("DELETE FROM class")
    assert dict(requested_classes(annotated, [DOG])) == {DOG: DOG}
    with pytest.raises(UsageError, match="there is no class 'Dog'"):
        list(requested_classes(annotated, ["Dog"]))


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["Ducks", "geese and swans"], ["/m/ducks"]),
        (["ducks", "Geese and swans", "Cat"], ["/m/ducks", CAT]),
        (["Dog", "Ducks, geese and swans"], [DOG, "/m/ducks"]),
        (["Salt", "pepper", "Cat"], ["/m/both", CAT]),
        (["Salt", "Cat", "pepper"], ["/m/salt", CAT, "/m/pepper"]),
        (["Salt"], ["/m/salt"]),
        (["Cat", "Salt", "pepper", "Salt"], [CAT, "/m/both", "/m/salt"]),
    ],
)
def test_a_name_with_commas_is_found_in_its_parts_the_longest_first(
    names: list[str], found: list[str], annotated: StateConnection
) -> None:
    others = {"ducks": "Ducks, geese and swans", "salt": "Salt", "pepper": "Pepper", "both": "Salt, pepper"}
    annotated.executemany(
        "INSERT INTO class (label_name, display_name) VALUES (?, ?)",
        [(f"/m/{key}", name) for key, name in others.items()],
    )
    assert [label_name for label_name, _ in requested_classes(annotated, names)] == found
    with pytest.raises(UsageError, match="there is no class 'Ducks'") as error:
        list(requested_classes(annotated, ["Cat", "Ducks", "geese"]))
    assert error.value.hint == "did you mean Ducks, geese and swans?"


def test_a_name_is_checked_early_only_where_it_can_be(annotated: StateConnection) -> None:
    check_names(annotated, ["Cat", "/m/0only_in_annotations"])
    with pytest.raises(UsageError, match="there is no class 'Nothing'"):
        check_names(annotated, ["Cat", "Nothing"])
    annotated.execute("DELETE FROM class_hierarchy")
    with pytest.raises(UsageError, match="there is no hierarchy"):
        check_names(annotated, ["Cat"], include_subclasses=True)
    annotated.execute("DELETE FROM class")
    check_names(annotated, ["Nothing"])


def test_where_nothing_is_found_the_classes_below_are_proposed(annotated: StateConnection) -> None:
    annotated.execute("INSERT INTO class (label_name, display_name) VALUES ('/m/0jbk', 'Animal')")
    annotated.execute("INSERT INTO class_hierarchy (parent, child, kind) VALUES ('/m/0jbk', ?, 'subcategory')", (CAT,))
    with closing(connect_reader(annotated.path)) as reader:
        selected = select_images(reader, Selection(classes=("Animal",), label_types=BOXES))
        assert selected
        assert selected.remark == ("no image was selected; add --include-subclasses to include the subclasses: Cat")
        drop_selection(reader)
        selected = select_images(reader, Selection(classes=("Animal",), label_types=BOXES, include_subclasses=True))
        assert selected
        assert (selected.images, selected.remark) == (4, "")


def test_sql_is_tried_along_the_list_and_not_in_the_order_of_the_images(reader: StateConnection) -> None:
    statements: list[str] = []
    reader.set_trace_callback(statements.append)
    select_images(reader, Selection(where="original_size < 1005"))
    reader.set_trace_callback(None)
    (fill,) = (statement for statement in statements if statement.startswith("INSERT INTO selected"))
    assert [row[3] for row in reader.execute(f"EXPLAIN QUERY PLAN {fill}")] == [
        "SCAN i",  # `width` is not asked for, so `download` is not looked at
        "USE TEMP B-TREE FOR ORDER BY",
    ]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"where": "width > 1024 OR height > 1024"}, [2, 4]),
        ({"where": "license LIKE '%/by/2.0/' AND width > 1024"}, [4]),
        ({"where": "width <= 1024"}, [2]),
        ({"where": "width IS NULL", "subsets": ("test",)}, [10, 11]),
        ({"where": "rowid = 5 AND image.width > 1024"}, [4]),
        ({"classes": ("Cat", "Dog"), "label_types": BOXES, "where": "height > 1024"}, [2]),
    ],
)
def test_images_are_selected_by_the_size_of_the_downloaded_picture(
    selection: dict[str, Any], expected: list[int], annotated: StateConnection
) -> None:
    sizes = [(600, 1600, image(2).image_id), (2000, 1000, image(4).image_id)]
    annotated.executemany("UPDATE download SET width = ?, height = ? WHERE image_id = ?", sizes)
    assert numbers(annotated, **selection) == expected


@pytest.mark.parametrize(
    "where",
    [
        "",
        "nope = 1",
        "1) UNION SELECT name FROM rendition WHERE (1",
        "1) OR (1",
        "1 THEN 1 END) OR (CASE WHEN 1",
        "image_id IN (SELECT image_id FROM box)",
        "1; DELETE FROM image",
        "load_extension('x')",
        "original_size > ?",
        "original_size > :wanted",
        "(SELECT count(*) FROM sqlite_schema) > 0",
    ],
)
def test_sql_that_is_no_expression_over_images_is_refused(where: str, reader: StateConnection) -> None:
    with pytest.raises(UsageError, match="--where"):
        check_where(reader, where)
    assert reader.execute("SELECT count(*) FROM image").fetchone() == (12,)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("json_extract(title, '$.a') = 1", "malformed JSON"),
        ("length(zeroblob(3000000000 + original_size)) > 0", "too big"),
    ],
)
def test_sql_that_fails_on_a_row_is_told(where: str, message: str, annotated: StateConnection) -> None:
    with pytest.raises(UsageError, match=message):
        numbers(annotated, where=where)


def test_a_box_that_is_inside_out_has_no_area(annotated: StateConnection) -> None:
    annotated.execute("UPDATE box SET x_min = 0.9, x_max = 0.1, y_min = 5, y_max = -7 WHERE label_name = ?", (TABBY,))
    assert numbers(annotated, classes=("Tabby cat",), label_types=BOXES, min_box_area=0.1) == []


@pytest.mark.parametrize(("area", "is_selected"), [(0.05, True), (0.050001, False)])
def test_a_box_of_just_the_least_area_is_large_enough(
    area: float, is_selected: bool, annotated: StateConnection
) -> None:
    annotated.execute("UPDATE box SET x_max = 0.3, y_max = 0.35 WHERE label_name = ?", (TABBY,))
    assert bool(numbers(annotated, classes=("Tabby cat",), label_types=BOXES, min_box_area=area)) is is_selected


def test_subsets_alone_are_no_selection(reader: StateConnection) -> None:
    assert select_images(reader, Selection(subsets=("train",), limit=5)) is None


def test_a_selection_that_breaks_off_can_be_made_again(annotated: StateConnection) -> None:
    def spoilt() -> Iterator[str]:
        yield image(3).image_id
        raise UsageError("line 2 is not an ImageID")

    with pytest.raises(UsageError, match="not an ImageID"):
        select_images(annotated, Selection(), spoilt())
    assert not annotated.in_transaction
    drop_selection(annotated)
    selected = select_images(annotated, Selection(), [image(2).image_id])
    assert selected is not None
    assert list(selected_ids(annotated)) == [image(2).image_id]


def test_a_selection_can_be_forgotten(annotated: StateConnection) -> None:
    for expected in (3, 1):
        selected = select_images(
            annotated, Selection(classes=("Cat",) if expected == 3 else ("Tabby cat",), label_types=BOXES)
        )
        assert selected is not None
        assert selected.images == expected
        drop_selection(annotated)


def test_a_description_tells_selections_apart_and_the_images_selected(annotated: StateConnection) -> None:
    def selected(selection: Selection) -> str:
        select_images(annotated, selection)
        try:
            return describe(annotated, selection)
        finally:
            drop_selection(annotated)

    cats = Selection(classes=("Cat",), label_types=BOXES)
    before = selected(cats)
    assert before == selected(replace(cats, limit=3))
    assert before != selected(replace(cats, shuffle=True))
    annotated.execute("DELETE FROM box WHERE image_id = ?", (image(3).image_id,))
    assert before != selected(cats)


def test_every_query_over_a_selection_walks_an_index(annotated: StateConnection) -> None:
    reader = connect_reader(annotated.path)
    seen: list[str] = []
    reader.set_trace_callback(seen.append)
    selected = select_images(reader, Selection(classes=("Cat",), label_types=BOXES, where="original_size > 0"))
    queue = Queue(reader, (THUMB,), run_id=1, max_tries=3, selected=selected)
    queue.pending(image(1).image_id, 5)
    queue.incomplete("", 5)
    reader.set_trace_callback(None)
    fills = [statement for statement in seen if statement.startswith("INSERT OR IGNORE INTO candidate")]
    walks = [statement for statement in seen if "CROSS JOIN image AS i" in statement]
    assert (len(fills), len(walks)) == (1, 2)
    plans = [row[3] for statement in fills + walks for row in reader.execute(f"EXPLAIN QUERY PLAN {statement}")]
    reader.close()
    assert any(plan.startswith("SEARCH x USING") and "box_by_class (label_name=?)" in plan for plan in plans), plans
    assert plans.count("SEARCH c USING INTEGER PRIMARY KEY (rowid>?)") == 2, plans
    scans = {plan for plan in plans if plan.startswith("SCAN")}
    assert scans <= {"SCAN w", "SCAN json_each VIRTUAL TABLE INDEX 1:"}, scans  # `w` are the few wanted classes
    assert not [plan for plan in plans if "TEMP B-TREE" in plan], plans


def test_what_a_machine_saw_is_not_there_if_people_say_so(annotated: StateConnection) -> None:
    labels = [(6, "machine", 0.9), (7, "verification", 0.0), (8, "verification", 0.0), (8, "machine", 0.9)]
    labels += [(3, "machine", 0.7), (3, "crowdsource-verification", 1.0), (3, "verification", 0.0)]
    annotated.execute("DELETE FROM label")
    annotated.executemany(
        "INSERT INTO label (image_id, label_name, source, confidence) VALUES (?, ?, ?, ?)",
        [(image(number).image_id, CAT, source, confidence) for number, source, confidence in labels],
    )
    select_images(annotated, Selection(classes=("Cat",), label_types=(LabelType.LABELS,)))
    assert list(selected_ids(annotated)) == [image(number).image_id for number in (3, 6)]


def test_a_plan_counts_what_is_left(annotated: StateConnection) -> None:
    annotated.execute("UPDATE download SET status = 'failed', reason = 'gone' WHERE image_id = ?", (image(2).image_id,))
    whole = forecast_all(annotated, (), Demand((THUMB,)))
    assert {subset: share.images for subset, share in whole.items()} == {"train": 9, "test": 2}
    assert forecast_all(annotated, ("test",), Demand((THUMB,))).keys() == {"test"}
    select_images(annotated, Selection(classes=("Cat", "Dog"), label_types=BOXES))
    selected = forecast_selected(annotated, (), Demand((THUMB,)))
    assert {subset: (share.images, share.bytes) for subset, share in selected.items()} == {
        "train": (3, 1001 + 1003 + 1005),
        "test": (1, 1010),
    }
    classes = forecast_classes(annotated, Demand((THUMB,)))
    assert {name: (share.images, share.bytes) for name, share in classes.items()} == {
        "Cat": (2, 1001 + 1003),
        "Dog": (2, 1005 + 1010),
    }
    drop_selection(annotated)
    select_images(annotated, Selection(where="original_size IN (1002, 1003, 1009, 1010)"))
    by_sql = forecast_selected(annotated, (), Demand((THUMB,)))
    assert by_sql == {"train": Share(2, 1003 + 1009), "test": Share(1, 1010)}


@pytest.fixture
def worked(annotated: StateConnection) -> StateConnection:
    """All but image 9 done, with a thumbnail but for 8 and 11; 1 is gone since, 2 forbidden."""
    annotated.execute("INSERT INTO rendition (name, directory, format) VALUES ('thumbs', 'thumbs', 'jpg')")
    annotated.executemany("UPDATE download SET status = 'done' WHERE image_id = ?", [_row(each) for each in _DONE])
    annotated.executemany(
        "INSERT INTO file (image_id, rendition, path, bytes, width, height, written_at) "
        "VALUES (?, 'thumbs', ?, 1, 1, 1, '')",
        [_row(each) * 2 for each in _DONE - {8, 11}],
    )
    for number, reason in ((1, "gone"), (2, "forbidden")):
        annotated.execute(
            "UPDATE download SET status = 'failed', reason = ? WHERE image_id = ?", (reason, *_row(number))
        )
    return annotated


_DONE = set(range(12)) - {1, 2, 9}


def _row(number: int) -> tuple[str]:
    return (image(number).image_id,)


@pytest.mark.parametrize("is_selected", [False, True])
@pytest.mark.parametrize(
    ("demand", "train", "test"),
    [
        (Demand((THUMB,)), {8, 9}, {11}),
        (Demand(()), {9}, set()),
        (Demand((THUMB,), is_anew=True), {0, 3, 4, 5, 6, 7, 8, 9}, {10, 11}),
        (Demand((THUMB,), failed=()), {1, 2, 8, 9}, {11}),
        (Demand((THUMB,), failed=(Reason.GONE, Reason.TLS)), {1, 8, 9}, {11}),
    ],
)
def test_a_plan_is_of_what_a_run_would_do(
    demand: Demand, train: set[int], test: set[int], is_selected: bool, worked: StateConnection
) -> None:
    if is_selected:
        select_images(worked, Selection(where="true"))
    plan = forecast_selected if is_selected else forecast_all
    images = {subset: share.images for subset, share in plan(worked, (), demand).items() if share.images}
    assert images == {subset: len(those) for subset, those in (("train", train), ("test", test)) if those}


def test_images_that_each_lack_another_rendition_are_counted_each(worked: StateConnection) -> None:
    other = replace(THUMB, name="other", directory="other")
    worked.execute("INSERT INTO rendition (name, directory, format) VALUES ('other', 'other', 'jpg')")
    worked.execute("UPDATE file SET rendition = 'other' WHERE image_id IN (?, ?)", (*_row(3), *_row(4)))
    worked.execute("UPDATE rendition SET files = 99")  # of images that failed since, for example
    images = {subset: share.images for subset, share in forecast_all(worked, (), Demand((THUMB, other))).items()}
    assert images == {"train": 8, "test": 2}


def test_what_one_subset_lacks_is_not_hidden_by_another(worked: StateConnection) -> None:
    assert forecast_all(worked, ("test",), Demand((THUMB,)))["test"].images == 1


def test_of_very_many_it_is_only_about_how_many_lack_something(worked: StateConnection) -> None:
    shares = forecast_all(worked, (), Demand((THUMB,)), counted_images=1)
    images = {subset: share.images for subset, share in shares.items()}
    assert images == {"train": 3, "test": 1}


def test_a_reader_can_still_not_write_after_a_selection(annotated: StateConnection) -> None:
    reader = connect_reader(annotated.path)
    select_images(reader, Selection(where="true"))
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM image")
    reader.close()


@pytest.mark.parametrize(
    ("selection", "demand", "left"),
    [
        (Selection(where="true", limit=7), Demand((THUMB,)), []),
        (Selection(where="true", limit=9), Demand((THUMB,)), [8, 11]),  # what only lacks a file comes first
        (Selection(where="true", limit=10), Demand((THUMB,)), [8, 9, 11]),
        (Selection(where="true", limit=2), Demand((THUMB,), is_anew=True), [0, 3]),
        (Selection(classes=("Cat", "Dog"), label_types=BOXES, limit_per_class=2), Demand((THUMB,), failed=()), [1]),
        (Selection(classes=("Cat", "Dog"), label_types=BOXES, limit_per_class=3), Demand((THUMB,), failed=()), [1, 2]),
    ],
)
def test_under_a_limit_a_plan_has_what_is_missing_to_it(
    selection: Selection, demand: Demand, left: list[int], worked: StateConnection
) -> None:
    select_images(worked, selection)
    keep_missing(worked, selection, demand)
    assert [int(image_id, 16) for image_id in selected_ids(worked)] == left
    if not selection.label_types:
        assert missing_to_limit(worked, selection, demand, are_selected=False) == len(left)


def test_of_each_class_an_export_has_the_images_of_a_run_with_that_limit(worked: StateConnection) -> None:
    selected = select_images(worked, Selection(classes=("Cat", "Dog"), label_types=BOXES, limit_per_class=1))
    assert selected is not None
    assert keep_per_class(worked, selected, 1).images == 4
    # Cats 1 and 2 failed before 3 was done; of the dogs 2 failed before 5.
    assert [int(image_id, 16) for image_id in selected_ids(worked)] == [1, 2, 3, 5]
