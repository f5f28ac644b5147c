"""The recorded files: by pages along an index; and the requirements of runs."""

import sqlite3

import pytest
from builders import THUMB, image, job

from oidl.model import Done, Source, WrittenFile
from oidl.state.connection import StateConnection
from oidl.state.database import connect_reader
from oidl.state.ledger import Ledger
from oidl.state.verify import (
    MissingRendition,
    PublishedImage,
    RunRequirements,
    file_page,
    has_flickr_names,
    listed_images,
    missing_page,
    paths_by_name,
    run_requirements,
)

REQUIREMENTS = {"renditions": [{"name": "thumbs"}], "originals": {"save": True, "rendition": {"name": "original"}}}


def done(number: int, *renditions: str, stem: str | None = None) -> Done:
    files = tuple(
        WrittenFile(name, f"2017_11/train/{name}/{stem or image(number).image_id}.jpg", 50, 8, 6) for name in renditions
    )
    return Done(Source.ORIGINAL, "https://x/1.jpg", 500, "md5", 8, 6, files)


@pytest.fixture
def filed_db(loaded_db: StateConnection) -> StateConnection:
    """Images 1 to 4 are done; 1 and 3 have both files, 2 a thumbnail only, 4 nothing."""
    ledger = Ledger(loaded_db)
    ledger.register([THUMB])
    ledger.open_run(REQUIREMENTS)
    for number, renditions in {1: ("thumbs", "original"), 2: ("thumbs",), 3: ("original", "thumbs"), 4: ()}.items():
        ledger.done(job(number), done(number, *renditions))
    return loaded_db


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_files_come_once_and_in_order_with_what_was_published(limit: int, filed_db: StateConnection):
    after, rows = ("", ""), []
    while page := file_page(filed_db, after, limit):
        assert len(page) <= limit
        after = page[-1][:2]
        rows += page
    assert [(int(row.image_id, 16), row.rendition) for row in rows] == [
        (1, "original"),
        (1, "thumbs"),
        (2, "thumbs"),
        (3, "original"),
        (3, "thumbs"),
    ]
    assert rows[0][2:] == (
        f"2017_11/train/original/{image(1).image_id}.jpg",
        50,
        8,
        6,
        image(1).original_md5,
        "jpeg",
        None,
    )


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_what_was_asked_for_and_has_no_row_is_lacking(limit: int, filed_db: StateConnection):
    requirements, after, lacks = run_requirements(filed_db), "", []
    while after is not None:
        found, after = missing_page(filed_db, requirements, after, limit)
        lacks += found
    assert lacks == [
        MissingRendition(image(2).image_id, "original"),
        MissingRendition(image(4).image_id, "original"),
        MissingRendition(image(4).image_id, "thumbs"),
    ]


def test_an_image_owes_what_the_run_it_was_done_in_was_asked_for():
    requirements = RunRequirements(
        ("2026-01-01", "2026-01-03"), (frozenset({"a"}), frozenset({"b"})), ((), ("original", "cvdf"))
    )
    assert requirements.missing_renditions("2025-12-31", []) == []
    assert (
        requirements.missing_renditions("2026-01-01", ["b"])
        == requirements.missing_renditions("2026-01-02T23:59", [])
        == ["a"]
    )
    assert (
        requirements.missing_renditions("2026-01-03", [])
        == requirements.missing_renditions("2027", ["a"])
        == ["b", "original"]
    )


def test_any_of_the_copies_that_may_be_kept_will_do():
    requirements = RunRequirements(("2026",), (frozenset(),), (("original", "cvdf"),))
    assert (
        requirements.missing_renditions("2026", ["cvdf"]) == requirements.missing_renditions("2026", ["original"]) == []
    )
    assert requirements.missing_renditions("2026", ["300k"]) == ["original"]


def test_originals_are_promised_only_where_they_were_to_be_kept(loaded_db: StateConnection):
    ledger = Ledger(loaded_db)
    ledger.open_run(REQUIREMENTS | {"originals": {"save": False, "rendition": {"name": "original"}}})
    ledger.open_run({})
    assert run_requirements(loaded_db).renditions == (frozenset({"thumbs"}), frozenset())


def test_files_are_found_by_their_ImageID_and_by_any_other_name_that_their_image_has(  # noqa: N802
    filed_db: StateConnection,
):
    Ledger(filed_db).done(job(5), done(5, "thumbs", stem="77_0a_o"))
    with_names = connect_reader(filed_db.path)
    names = [image(1).image_id, image(9).image_id, "77_0a_o"]
    assert not has_flickr_names(with_names)
    assert paths_by_name(with_names, names).keys() == {image(1).image_id}
    Ledger(filed_db).claim_name("77_0a_o", image(5).image_id)
    assert has_flickr_names(with_names)
    found = paths_by_name(with_names, names)
    assert sorted(found[image(1).image_id]) == [
        f"2017_11/train/{name}/{image(1).image_id}.jpg" for name in ("original", "thumbs")
    ]
    assert found["77_0a_o"] == ["2017_11/train/thumbs/77_0a_o.jpg"]
    with_names.close()


def test_what_was_published_is_known_of_those_in_the_list(filed_db: StateConnection):
    ten = image(10, "test")
    assert listed_images(filed_db, [ten.image_id, "f" * 16]) == {
        ten.image_id: PublishedImage("test", ten.original_size, ten.original_md5)
    }


class _Plans(sqlite3.Connection):
    """Notes how SQLite goes about each query."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        self.steps: list[str] = []

    def execute(self, sql: str, values: object = ()) -> sqlite3.Cursor:
        if sql.startswith("SELECT"):
            self.steps += [row[3] for row in super().execute(f"EXPLAIN QUERY PLAN {sql}", values)]
        return super().execute(sql, values)


def test_every_query_goes_along_an_index(filed_db: StateConnection):
    db = sqlite3.connect(filed_db.path, factory=_Plans, isolation_level=None)
    requirements = run_requirements(db)
    db.steps.clear()
    file_page(db, ("0", "thumbs"), 10)
    missing_page(db, requirements, "0", 10)
    paths_by_name(db, ["0"])
    listed_images(db, ["0"])
    few = ("SCAN t",)  # `shard_set`, which has a row for each rendition in shards
    steps = [step for step in db.steps if "json_each" not in step and step not in few]
    assert len(steps) > 5
    assert [step for step in steps if step.startswith("SCAN") or "TEMP B-TREE" in step] == []
    assert any("(image_id,rendition)>" in step for step in steps)
    db.close()
