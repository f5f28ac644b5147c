"""Image lists: loaded whole or not at all, once, each ImageID once."""

import sqlite3
from collections.abc import Iterator

import pytest
from conftest import LIST, image

from oidl.errors import MetadataError, StateError
from oidl.model import Image
from oidl.state.counts import read_counts
from oidl.state.database import BUSY_TIMEOUT_MS, StateConnection
from oidl.state.load import ImageList, load_list, loaded_list, missing_subsets
from oidl.state.rows import settled_rows

BOTH = {"train": LIST, "test": LIST}


def _count(db: sqlite3.Connection, table: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_every_image_starts_pending_and_is_counted(loaded_db: StateConnection) -> None:
    assert _count(loaded_db, "image") == _count(loaded_db, "download") == 12
    counts = read_counts(loaded_db)
    assert (counts.total, counts.by_subset["train"]["pending"], counts.by_subset["test"]["pending"]) == (12, 10, 2)
    assert loaded_list(loaded_db) == LIST
    assert list(settled_rows(loaded_db)) == []


def test_a_list_that_breaks_off_leaves_nothing(db: StateConnection) -> None:
    def images() -> Iterator[Image]:
        yield from (image(number) for number in range(20_000))
        raise MetadataError("the archive does not verify")

    with pytest.raises(MetadataError):
        load_list(db, LIST, ("train",), images())
    assert _count(db, "image") == _count(db, "download") == _count(db, "image_list") == _count(db, "tally") == 0
    load_list(db, LIST, ("train",), [image(1)])
    assert _count(db, "image") == 1
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_load_waits_for_who_reads_just_when_it_commits(db: StateConnection) -> None:
    seen = []

    def images() -> Iterator[Image]:
        yield image(1)
        seen.append((*db.execute("PRAGMA journal_mode").fetchone(), *db.execute("PRAGMA busy_timeout").fetchone()))

    load_list(db, LIST, ("train",), images())
    assert seen == [("delete", BUSY_TIMEOUT_MS)]


def test_who_names_no_version_is_told_the_one_that_is_there(loaded_db: StateConnection) -> None:
    newest = ImageList("7", "v7", LIST.source)
    with pytest.raises(StateError) as error:
        missing_subsets(loaded_db, {"train": newest, "test": newest}, ("train",))
    assert error.value.hint.startswith(f"say --dataset-version {LIST.dataset_version} to go on with it, or use another")


def test_a_repeated_image_id_keeps_its_first_row(db: StateConnection) -> None:
    loaded = load_list(db, LIST, ("train",), [image(1), image(2), image(1, title="second"), image(3)])
    assert (loaded.images, loaded.repeated, loaded.examples) == (3, 1, (image(1).image_id,))
    assert db.execute("SELECT title FROM image WHERE image_id = ?", (image(1).image_id,)).fetchone() == (
        image(1).title,
    )
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("INSERT INTO image SELECT * FROM image")


def test_an_unsorted_list_keeps_its_order(db: StateConnection) -> None:
    load_list(db, LIST, ("train",), [image(number) for number in (3, 1, 2)])
    assert [row[0] for row in db.execute("SELECT image_id FROM image ORDER BY rowid")] == [
        image(number).image_id for number in (3, 1, 2)
    ]


def test_subsets_may_come_one_after_the_other(db: StateConnection) -> None:
    load_list(db, LIST, ("test",), [image(5, "test")])
    assert missing_subsets(db, BOTH, ("train", "test")) == ("train",)
    loaded = load_list(db, LIST, ("train",), [image(1), image(5), image(6)])
    assert (loaded.images, loaded.repeated) == (2, 1)
    assert missing_subsets(db, BOTH, ("train", "test")) == ()
    assert read_counts(db).total == _count(db, "download") == 3


@pytest.mark.parametrize(
    "other",
    [
        ImageList("2", "2017_07", LIST.source),
        ImageList(LIST.dataset_version, LIST.directory, "elsewhere.csv"),
    ],
)
def test_another_list_is_refused(loaded_db: StateConnection, other: ImageList) -> None:
    with pytest.raises(StateError, match="this state database holds version 3"):
        missing_subsets(loaded_db, {"train": other, "test": LIST}, ("validation",))


def test_each_subset_may_be_of_a_list_of_its_own(loaded_db: StateConnection) -> None:
    own = ImageList(LIST.dataset_version, LIST.directory, "validation.csv")
    wanted = BOTH | {"validation": own}
    assert missing_subsets(loaded_db, wanted, ("train", "validation")) == ("validation",)
    load_list(loaded_db, own, ("validation",), [image(20, "validation")])
    assert missing_subsets(loaded_db, wanted, ("train", "validation")) == ()
    with pytest.raises(StateError, match=r"holds version 3 from validation\.csv, not version 3 from list\.csv"):
        missing_subsets(loaded_db, BOTH | {"validation": LIST}, ("train",))
