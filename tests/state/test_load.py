"""Image lists: loaded whole or not at all, once, each ImageID once."""

import sqlite3
from collections import Counter
from collections.abc import Iterator

import pytest
from builders import LIST, THUMB, image, job

from oidl.errors import MetadataError, StateError
from oidl.model import (
    Done,
    Failure,
    Image,
    LineBreak,
    ListFile,
    Reason,
    RetryDecision,
    SkippedRow,
    Source,
    Status,
    WrittenFile,
)
from oidl.state.connection import StateConnection
from oidl.state.counts import read_counts
from oidl.state.database import BUSY_TIMEOUT_MS
from oidl.state.ledger import Ledger
from oidl.state.load import (
    ImageList,
    NoReading,
    adopt_moved,
    load_list,
    loaded_list,
    missing_subsets,
    stored_file,
)
from oidl.state.merge import Merged
from oidl.state.outcome_rows import outcome_rows

BOTH = {"train": LIST, "test": LIST}


def _count(db: sqlite3.Connection, table: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_every_image_starts_pending_and_is_counted(loaded_db: StateConnection) -> None:
    assert _count(loaded_db, "image") == _count(loaded_db, "download") == 12
    counts = read_counts(loaded_db)
    assert (counts.total, counts.by_subset["train"]["pending"], counts.by_subset["test"]["pending"]) == (12, 10, 2)
    assert loaded_list(loaded_db) == LIST
    assert list(outcome_rows(loaded_db)) == []


def test_a_list_that_breaks_off_leaves_nothing(db: StateConnection) -> None:
    def images() -> Iterator[Image]:
        yield from (image(number) for number in range(20_000))
        raise MetadataError("the archive does not verify")

    with pytest.raises(MetadataError):
        load_list(db, LIST, ("train",), images())
    assert _count(db, "image") == _count(db, "download") == _count(db, "image_list") == _count(db, "status_count") == 0
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
    assert error.value.hint.startswith(
        f"use --dataset-version {LIST.dataset_version} to continue with it, or use another"
    )


def test_a_repeated_image_id_keeps_its_first_row(db: StateConnection) -> None:
    loaded = load_list(db, LIST, ("train",), [image(1), image(2), image(1, title="second"), image(3)])
    assert (loaded.images, loaded.repeated, loaded.conflicts) == (3, 1, ())
    assert db.execute("SELECT skipped FROM image_list").fetchone() == (1,)
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


def test_an_image_id_with_other_bytes_is_told_of_with_both_lines_and_counted(db: StateConnection) -> None:
    for number, subset in ((0, "train"), (10, "test")):  # loaded first, and merged
        numbers = range(number, number + 3)
        rows = [image(each, subset) for each in numbers]
        rows += [
            image(number, subset, title="the same"),
            image(number, subset, original_md5="x"),
            image(number + 1, subset, original_url="http://x/1.jpg"),
        ]
        reading = NoReading(breaks=[LineBreak(0, "list.csv", 2), LineBreak(2, "list.csv", 14)])
        loaded = load_list(db, LIST, (subset,), rows, reading)
        ids = [image(each, subset).image_id for each in numbers]
        assert loaded.conflicts == (
            f"list.csv line 16: ImageID {ids[0]} is already in line 2, with other bytes",
            f"list.csv line 17: ImageID {ids[1]} is already in line 3, with another OriginalURL",
        )
        assert (loaded.images, loaded.repeated) == (3, 3)
        kept = db.execute("SELECT list, line, complaint FROM skipped_row WHERE subset = ?", (subset,)).fetchall()
        assert sorted(line for _, line, _ in kept) == [15, 16, 17]
        assert db.execute("SELECT skipped FROM image_list WHERE subset = ?", (subset,)).fetchone() == (3,)
    assert read_counts(db).skipped_rows == 6


def test_bad_rows_are_counted_once_and_kept(db: StateConnection) -> None:
    bad = [SkippedRow("test", "l.csv", 7, "bad", "x"), SkippedRow("", "l.csv", 9, "worse", "y")]
    reading = NoReading(bad_rows=bad, by_subset=Counter({"test": 5, "": 2}))
    load_list(db, LIST, ("train", "test"), [image(1)], reading)
    assert db.execute("SELECT subset, skipped FROM image_list ORDER BY 1").fetchall() == [("test", 5), ("train", 2)]
    assert db.execute("SELECT * FROM skipped_row").fetchall() == [bad[0], bad[1]._replace(subset="train")]
    load_list(db, LIST, ("train", "test"), [image(1)])
    assert read_counts(db).skipped_rows == _count(db, "skipped_row") == 0


def test_a_list_that_has_changed_brings_its_images_up_to_date(loaded_db: StateConnection) -> None:
    ledger = Ledger(loaded_db)
    ledger.register([THUMB])
    ledger.open_run({})
    for number in (0, 1, 2, 3):
        files = (WrittenFile("thumbs", f"{number}.jpg", 5, 1, 1),)
        ledger.done(job(number), Done(Source.ORIGINAL, "https://x/1.jpg", 5, "md5", 1, 1, files))
    for number in (4, 5, 6):
        ledger.failed(job(number), Failure(Reason.GONE), RetryDecision(Status.FAILED))
    published = [
        image(0, title="another"),  # done, and stays so
        image(1, original_md5="another"),  # to be done again
        image(2, original_url="https://elsewhere/2.jpg"),  # done, whatever its URL
        # 3 is done and no longer in the list; so is 5, which failed, and 9, which was never tried
        image(4, original_url="https://elsewhere/4.jpg"),  # to be tried again there
        image(6),
        image(30),
        image(7),
        image(8),
        image(12),
        image(10, "test"),
        image(11, "test"),
    ]
    loaded = load_list(loaded_db, LIST, ("train", "test"), published)
    assert loaded.merged == Merged(added=2, changed=4, removed=2, retained=1)
    status = dict(loaded_db.execute("SELECT image_id, status FROM download"))
    pending = [int(image_id, 16) for image_id, each in sorted(status.items()) if each == "pending"]
    assert pending == [1, 4, 7, 8, 10, 11, 12, 30]
    assert [int(image_id, 16) for (image_id,) in loaded_db.execute("SELECT image_id FROM file")] == [0, 2, 3]
    known = [int(image_id, 16) for (image_id,) in loaded_db.execute("SELECT image_id FROM image ORDER BY rowid")]
    assert known == [0, 1, 2, 3, 4, 6, 7, 8, 10, 11, 30, 12]
    rows = dict(loaded_db.execute("SELECT image_id, title || original_md5 || original_url FROM image"))
    expected = {each.image_id: each.title + each.original_md5 + each.original_url for each in [*published, image(3)]}
    assert rows == expected
    counted = loaded_db.execute("SELECT subset, status, count(*) FROM download GROUP BY 1, 2").fetchall()
    assert [
        tuple(row) for row in loaded_db.execute("SELECT subset, status, sum(images) FROM status_count GROUP BY 1, 2")
    ] == counted
    assert loaded_db.execute("SELECT images FROM image_list ORDER BY subset").fetchall() == [(2,), (10,)]
    again = load_list(loaded_db, LIST, ("train", "test"), published)
    assert again.merged == Merged(added=0, retained=1)


def test_a_list_that_breaks_off_when_it_is_read_again_changes_nothing(loaded_db: StateConnection) -> None:
    def images() -> Iterator[Image]:
        yield image(1, title="another")
        raise MetadataError("the archive does not verify")

    before = loaded_db.execute("SELECT * FROM image").fetchall()
    for _ in range(2):
        with pytest.raises(MetadataError):
            load_list(loaded_db, LIST, ("train", "test"), images())
        assert loaded_db.execute("SELECT * FROM image").fetchall() == before
    assert loaded_db.execute("SELECT count(*) FROM sqlite_temp_schema").fetchone() == (0,)


def test_a_list_whose_time_cannot_be_read_is_another_than_any_file(db: StateConnection) -> None:
    load_list(db, LIST, ("train",), [image(1)], file=lambda: ListFile(123, 1e300, "abc"))
    assert db.execute("SELECT modified_at FROM image_list").fetchall() == [(None,)]
    for text in (None, "soon"):
        db.execute("UPDATE image_list SET modified_at = ?", (text,))
        (_, file, _) = stored_file(db, LIST.source)
        assert file is not None
        assert (file.bytes, file.sha256) == (123, "abc")
        assert file.modified_s != file.modified_s


def test_what_a_list_is_known_by_is_kept_and_one_that_was_moved_is_the_same(db: StateConnection) -> None:
    file = ListFile(123, 1_700_000_000.25, "abc")
    load_list(db, LIST, ("train", "test"), [image(1)], file=lambda: file)
    assert stored_file(db, LIST.source) == (("train", "test"), file, None)
    assert stored_file(db, "elsewhere.csv") == ((), None, None)
    moved = ImageList(LIST.dataset_version, LIST.directory, "elsewhere.csv")
    assert not adopt_moved(db, moved, ListFile(123, 1.0, "of another"))
    assert adopt_moved(db, moved, file)
    assert missing_subsets(db, {"train": moved, "test": moved}, ("train",)) == ()
