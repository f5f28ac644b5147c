"""A shard that is being written: whole records one after the other, whatever happens."""

import fcntl
import resource
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from shards import record

from oidl.errors import DiskError
from oidl.model import Member, OpenShard
from oidl.storage.shards.log import ShardLog
from oidl.storage.shards.place import place_of
from oidl.storage.shards.record import Record

PATH = "v7/train/images/train-000000.tar"


def open_log(root: Path, length: int = 0, place: int = 0, samples: int = 1000, max_bytes: int = 1 << 30) -> ShardLog:
    return ShardLog(root, OpenShard(3, PATH, length, place, samples), max_bytes)


def part(root: Path) -> Path:
    return root / f"{PATH}.part"


def append(log: ShardLog, data: Record) -> tuple[str, Member]:
    log.reserve()
    return log.append(data)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The system writes what fits of a longer piece, and then no more."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_record_begins_where_the_last_one_ends_and_the_image_is_where_it_says(tmp_path: Path) -> None:
    log, at = open_log(tmp_path), 0
    for number in range(3):
        made = record(number, 700 * number)
        recorded, member = append(log, made)
        assert member == Member(3, number, at, len(made.data), zlib.crc32(made.data))
        place = place_of(recorded)
        assert place
        assert (place.shard, place.at) == (PATH, at + made.body_at)
        assert part(tmp_path).read_bytes()[place.at :].startswith(bytes([number]) * 700 * number)
        at += len(made.data)
    log.close()
    assert part(tmp_path).stat().st_size == at


def test_threads_that_append_at_once_do_not_mix_their_records(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    found: dict[int, Member] = {}

    def work(first: int) -> None:
        for number in range(first, first + 50):
            found[number] = append(log, record(number, 3000))[1]

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 50, 100, 150)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    body = part(tmp_path).read_bytes()
    assert all(body[each.at : each.at + each.bytes] == record(number, 3000).data for number, each in found.items())
    assert sorted(each.place for each in found.values()) == list(range(200))
    assert sum(each.bytes for each in found.values()) == len(body)
    assert (log.reserved, log.appended) == (0, 200)


def test_a_disk_that_fills_in_the_middle_of_a_record_leaves_the_shard_as_it_was(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    first = record(1).data
    append(log, record(1))
    with files_of_at_most(len(first) + 100), pytest.raises(DiskError, match=r"train-000000\.tar\.part"):
        append(log, record(2))
    assert part(tmp_path).read_bytes() == first
    log.give_back()
    assert append(log, record(3))[1] == Member(3, 1, len(first), len(record(3).data), zlib.crc32(record(3).data))
    assert part(tmp_path).read_bytes() == first + record(3).data


def test_a_directory_that_cannot_be_made_is_an_error_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "v7").write_text("in the way")
    with pytest.raises(DiskError, match="could not be written"):
        append(open_log(tmp_path), record(1))


def test_a_resumed_shard_loses_what_counts_for_nothing_and_continues(tmp_path: Path) -> None:
    append(log := open_log(tmp_path), record(1))
    append(log, record(2))
    log.close()
    first = record(1).data
    resumed = open_log(tmp_path, len(first), place=7)
    assert append(resumed, record(3))[1] == Member(3, 7, len(first), len(record(3).data), zlib.crc32(record(3).data))
    assert part(tmp_path).read_bytes() == first + record(3).data


def test_a_shard_that_another_process_still_writes_to_is_not_touched(tmp_path: Path) -> None:
    append(log := open_log(tmp_path), record(1))
    log.close()
    before = part(tmp_path).read_bytes()
    with open(part(tmp_path), "r+b") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(DiskError, match="another process is writing to it"):
            append(open_log(tmp_path), record(2))
    assert part(tmp_path).read_bytes() == before


def test_what_is_being_written_is_locked_until_it_is_closed(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    append(log, record(1))
    with open(part(tmp_path), "rb") as other:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        log.close()
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_it_is_full_when_all_places_are_reserved_and_not_after_one_is_given_back(tmp_path: Path) -> None:
    log = open_log(tmp_path, samples=2)
    log.reserve()
    assert not log.is_full
    log.reserve()
    assert log.is_full
    log.give_back()
    assert not log.is_full
    assert log.reserved == 1


def test_it_is_full_at_its_number_of_bytes(tmp_path: Path) -> None:
    size = len(record(1).data)
    log = open_log(tmp_path, max_bytes=size + 1)
    append(log, record(1))
    assert not log.is_full
    append(log, record(2))
    assert log.is_full


def test_a_shard_that_was_taken_away_is_not_made_again(tmp_path: Path) -> None:
    log = ShardLog(tmp_path, OpenShard(3, PATH, 0, 0, 10), 1 << 30, must_exist=True)
    part(tmp_path).parent.mkdir(parents=True)
    with pytest.raises(DiskError):
        append(log, record(1))
    assert not part(tmp_path).exists()
    part(tmp_path).touch()
    append(log, record(1))
    log.close()
    assert part(tmp_path).read_bytes() == record(1).data


def test_a_disk_that_takes_its_time_to_sync_holds_up_no_sample_but_the_end_of_the_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_syncing, may_end = threading.Event(), threading.Event()

    def fsync(_: int) -> None:
        is_syncing.set()
        assert may_end.wait(10)

    monkeypatch.setattr("oidl.storage.shards.log.os.fsync", fsync)
    log = open_log(tmp_path)
    append(log, record(1))
    syncing = threading.Thread(target=log.sync)
    syncing.start()
    assert is_syncing.wait(10)
    append(log, record(2))
    assert part(tmp_path).read_bytes() == record(1).data + record(2).data
    closing = threading.Thread(target=log.close)
    closing.start()
    closing.join(0.05)
    assert closing.is_alive(), "its lock would be released, and kept by nobody"
    may_end.set()
    syncing.join(10)
    closing.join(10)
    assert not closing.is_alive()
