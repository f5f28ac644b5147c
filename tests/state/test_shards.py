"""The rows of shards and of what is in them."""

import json
from pathlib import Path

import pytest
from builders import image
from shards import HOME, TAR, TFRECORD, append, new_shard, put

from oidl.model import Rendition, StoreKind
from oidl.state.connection import StateConnection
from oidl.state.counts import PackCounts, read_counts
from oidl.state.ledger import Ledger
from oidl.state.requeue import requeue
from oidl.state.shards import (
    count_samples,
    drop_shard,
    drop_shards,
    forget_removed,
    open_shard,
    record_moved,
    record_sealed,
    removed_shards,
    samples_of,
    sync_commits,
    unsealed_shard,
    unsealed_shards,
)


@pytest.fixture
def db(loaded_db: StateConnection) -> StateConnection:
    Ledger(loaded_db).register([TAR, TFRECORD])
    return loaded_db


def states(db: StateConnection) -> dict[str, str]:
    return dict(db.execute("SELECT path, state FROM shard ORDER BY path"))


def test_shards_are_numbered_by_subset(db) -> None:
    first, second = new_shard(db), new_shard(db)
    other = open_shard(db, TAR, "test", "2017_11/*/tars", "2017_11/test/tars")
    assert [each.path for each in (first, second, other)] == [
        f"{HOME}/train-000000.tar", f"{HOME}/train-000001.tar", "2017_11/test/tars/test-000000.tar",
    ]  # fmt: skip
    assert {each.split for each in unsealed_shards(db)} == {"train", "test"}


def test_an_image_is_in_one_shard_of_its_set_and_the_one_that_it_leaves_is_stale(db, tmp_path: Path) -> None:
    first, second = new_shard(db), new_shard(db)
    put(db, append(tmp_path, first, 1, 2))
    shard = unsealed_shard(db, first.shard_id)
    assert shard
    record_sealed(db, shard, 2, 2048, "sum")
    assert unsealed_shard(db, first.shard_id) is None
    put(db, append(tmp_path, second, 1))
    assert states(db) == {first.path: "stale", second.path: "open"}
    assert (count_samples(db, first.shard_id), count_samples(db, second.shard_id)) == (1, 1)


@pytest.mark.parametrize("is_sealed", [True, False])
def test_an_image_without_its_row_is_in_no_shard(is_sealed: bool, db, tmp_path: Path) -> None:
    shard = new_shard(db)
    put(db, append(tmp_path, shard, 1, 2))
    row = unsealed_shard(db, shard.shard_id)
    assert row
    if is_sealed:
        record_sealed(db, row, 2, 2048, "sum")
    requeue(db, [(image(1).image_id, TAR.name)], [image(1).image_id])
    assert [each.image_id for each in samples_of(db, row)] == [image(2).image_id]
    assert states(db) == {shard.path: "stale" if is_sealed else "open"}


def test_samples_are_in_the_order_in_which_they_are_in_the_shard(db, tmp_path: Path) -> None:
    shard = new_shard(db)
    placed = append(tmp_path, shard, 3, 1, 2)
    put(db, dict(sorted(placed.items())))
    row = unsealed_shard(db, shard.shard_id)
    assert row
    assert [each.image_id for each in samples_of(db, row)] == [image(number).image_id for number in (3, 1, 2)]
    assert [each.path for each in samples_of(db, row)] == [placed[number][0] for number in (3, 1, 2)]


def test_moved_images_have_their_new_places_and_the_old_shard_is_to_be_removed(db, tmp_path: Path) -> None:
    old, new = new_shard(db), new_shard(db)
    put(db, append(tmp_path, old, 1, 2))
    rows = [unsealed_shard(db, each.shard_id) for each in (old, new)]
    assert rows[0]
    assert rows[1]
    moved = [each._replace(at=each.at + 512, path=f"{new.path}#{each.at}") for each in samples_of(db, rows[0])]
    record_moved(db, rows[0], rows[1], moved)
    assert samples_of(db, rows[1]) == moved
    assert states(db) == {new.path: "open"}
    assert removed_shards(db) == [(rows[0].rendition, old.path)]
    forget_removed(db, [old.path])
    assert removed_shards(db) == []


def test_the_name_of_a_shard_that_is_still_to_be_removed_is_not_used_again(db) -> None:
    shard = new_shard(db)
    row = unsealed_shard(db, shard.shard_id)
    assert row
    drop_shard(db, row)
    assert new_shard(db).path == f"{HOME}/train-000001.tar"
    forget_removed(db, [shard.path])


def test_a_file_without_a_row_is_not_written_over(db) -> None:
    taken = {f"{HOME}/train-00000{number}.tar" for number in (0, 1, 3)}
    paths = [open_shard(db, TAR, "train", "2017_11/*/tars", HOME, is_taken=taken.__contains__).path for _ in range(2)]
    assert paths == [f"{HOME}/train-000002.tar", f"{HOME}/train-000004.tar"]


def test_a_directory_without_shards_may_get_those_of_another_format(db) -> None:
    shard = new_shard(db)
    row = unsealed_shard(db, shard.shard_id)
    assert row
    drop_shard(db, row)
    records = Rendition("tars", "tars", TAR.mode, 64, "ppm", store=StoreKind.TFRECORD)
    opened = unsealed_shard(db, new_shard(db, records).shard_id)
    assert opened
    assert (opened.format, opened.path) == ("tfrecord", f"{HOME}/train-000001.tfrecord")


@pytest.mark.parametrize(("remote", "next_number"), [("s3://bucket/x", 1), (None, 0)])
def test_numbers_of_shards_in_an_object_store_outlive_their_rendition(db, remote: str | None, next_number: int) -> None:
    settings = json.dumps({"shards": {"remote": remote}})
    db.execute("INSERT INTO run (started_at, updated_at, settings) VALUES ('2030', '2030', ?)", (settings,))
    shard = new_shard(db)
    drop_shards(db, TAR.name)
    forget_removed(db, [shard.path])
    assert new_shard(db).path == f"{HOME}/train-{next_number:06d}.tar"


def test_the_number_of_a_shard_that_is_gone_is_never_used_again(db) -> None:
    for number in range(3):
        shard = new_shard(db)
        assert shard.path == f"{HOME}/train-{number:06d}.tar"
        row = unsealed_shard(db, shard.shard_id)
        assert row
        drop_shard(db, row)
        forget_removed(db, [shard.path])
    assert db.execute("SELECT count(*) FROM shard_set").fetchone() == (1,)


def test_commits_are_synced_and_nothing_is_changed(db, state_db: Path) -> None:
    statements: list[str] = []
    before = list(db.iterdump())
    db.set_trace_callback(statements.append)
    sync_commits(db)
    db.set_trace_callback(None)
    level = [each for each in statements if "synchronous =" in each]
    assert level[0] == "PRAGMA synchronous = FULL"
    assert statements.index("COMMIT") < statements.index(level[1])
    assert db.execute("PRAGMA synchronous").fetchone() == (1,)
    assert list(db.iterdump()) == before


def test_commits_are_synced_again_if_the_transaction_fails(db) -> None:
    db.execute("CREATE TEMP TRIGGER refuse BEFORE INSERT ON removed_file BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(Exception, match="no"):
        sync_commits(db)
    assert db.execute("PRAGMA synchronous").fetchone() == (1,)


def test_uploads_and_packs_are_counted(db) -> None:
    for number in range(4):
        shard = new_shard(db)
        db.execute(
            "UPDATE shard SET state = 'sealed', bytes = 10, uploaded_at = ?, is_local = ? WHERE shard_id = ?",
            ("now" if number < 2 else None, number > 0, shard.shard_id),
        )
    (counts,) = read_counts(db).shards.values()
    assert (counts.sealed, counts.uploaded, counts.remote, counts.waiting) == (4, 2, 1, 0)
    settings = json.dumps({"shards": {"remote": "s3://bucket/x"}})
    db.execute("INSERT INTO run (started_at, updated_at, settings) VALUES ('2030', '2030', ?)", (settings,))
    (counts,) = read_counts(db).shards.values()
    assert counts.waiting == 2
    db.execute("UPDATE shard SET is_local = 0 WHERE uploaded_at IS NULL")  # staged
    (counts,) = read_counts(db).shards.values()
    assert (counts.remote, counts.waiting) == (1, 2)
    db.execute("INSERT INTO shard_set VALUES (9, 'pack', 'p', 'parquet', 'r', '{}', '2030', NULL)")
    for number, state in enumerate(("sealed", "planned", "planned")):
        db.execute(
            "INSERT INTO shard (set_id, split, number, path, state, bytes) VALUES (9, 'train', ?, ?, ?, ?)",
            (number, f"p/{number}", state, 7 if state == "sealed" else 0),
        )
    assert read_counts(db).packs == (PackCounts("p", "parquet", "r", 1, 3, 7, None),)


def test_the_id_of_a_shard_that_is_gone_is_not_that_of_another_one(db) -> None:
    shard = new_shard(db)
    row = unsealed_shard(db, shard.shard_id)
    assert row
    drop_shard(db, row)
    again = open_shard(db, TAR, "train", "2017_11/*/tars", HOME, above=shard.shard_id)
    assert again.shard_id > shard.shard_id
