"""The files of shards: found, cut, copied from, sealed and removed."""

import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from oidl.errors import DiskError
from oidl.storage.shards.files import (
    Range,
    copy_ranges,
    cut_shard,
    is_locked,
    open_path,
    remove_shard,
    reopen_shard,
    seal_shard,
    shard_size,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "train-000000.tar"


def files(path: Path) -> set[str]:
    return {each.name for each in path.parent.iterdir()}


def test_the_size_is_that_of_the_file_under_either_name_and_0_without_one(path: Path) -> None:
    assert shard_size(path) == 0
    assert shard_size(path / "below" / "no" / "directory") == 0
    path.write_bytes(b"12345")
    assert shard_size(path) == 5
    open_path(path).write_bytes(b"123")
    assert shard_size(path) == 3


def test_a_final_name_without_a_row_becomes_an_open_one_and_an_open_one_stays(path: Path) -> None:
    reopen_shard(path)
    path.write_bytes(b"new")
    reopen_shard(path)
    assert files(path) == {"train-000000.tar.part"}
    path.write_bytes(b"other")
    reopen_shard(path)
    assert (open_path(path).read_bytes(), path.read_bytes()) == (b"new", b"other")


@pytest.mark.parametrize(("size", "left"), [(0, b""), (2, b"12"), (4, b"1234"), (9, b"1234")])
def test_an_open_shard_is_cut_and_never_made_longer(size: int, left: bytes, path: Path) -> None:
    cut_shard(path, size)
    assert files(path) == set()
    open_path(path).write_bytes(b"1234")
    cut_shard(path, size)
    assert open_path(path).read_bytes() == left


@pytest.mark.parametrize("is_sealed", [True, False])
def test_ranges_are_copied_one_after_the_other(is_sealed: bool, path: Path) -> None:
    (path if is_sealed else open_path(path)).write_bytes(b"0123456789")
    target = path.with_name("train-000001.tar")
    open_path(target).write_bytes(b"what an interrupted copy left, which is longer")
    copy_ranges(path, [Range(1, 3), Range(8, 2)], target)
    assert open_path(target).read_bytes() == b"12389"


def test_a_large_range_is_copied_to_its_last_byte(path: Path) -> None:
    path.write_bytes(body := os.urandom(3_000_001))
    copy_ranges(path, [Range(0, 1), Range(1, 3_000_000)], target := path.with_name("2"))
    assert open_path(target).read_bytes() == body


@pytest.mark.parametrize("content", [b"0123", None])
def test_a_shard_that_is_too_short_or_not_there_is_not_copied(content: bytes | None, path: Path) -> None:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DiskError):
        copy_ranges(path, [Range(1, 4)], path.with_name("2"))


@pytest.mark.parametrize("end", [b"", bytes(1024)])
def test_a_sealed_shard_has_its_end_its_name_and_the_sum_that_is_returned(end: bytes, path: Path) -> None:
    open_path(path).write_bytes(b"samples, and what has no row")
    size, digest = seal_shard(path, 7, end)
    assert path.read_bytes() == b"samples" + end
    assert (size, digest) == (7 + len(end), hashlib.sha256(b"samples" + end).hexdigest())
    assert files(path) == {path.name}


def test_an_interrupted_seal_can_begin_again(path: Path) -> None:
    open_path(path).write_bytes(b"samples" + bytes(512))
    assert seal_shard(path, 7, bytes(1024)) == seal_shard_of(b"samples", path.with_name("other"))


def seal_shard_of(samples: bytes, path: Path) -> tuple[int, str]:
    open_path(path).write_bytes(samples)
    return seal_shard(path, len(samples), bytes(1024))


def test_a_shard_is_removed_under_both_names_or_is_gone_already(path: Path) -> None:
    path.write_bytes(b"1")
    open_path(path).write_bytes(b"2")
    remove_shard(path)
    remove_shard(path)
    assert files(path) == set()


def test_a_shard_is_locked_while_another_process_writes_to_it(path: Path) -> None:
    assert not is_locked(path)
    open_path(path).write_bytes(b"1")
    assert not is_locked(path)
    with open(open_path(path), "r+b") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert is_locked(path)
    assert not is_locked(path)


@pytest.mark.parametrize("work", [lambda path: seal_shard(path, 1, b""), remove_shard, lambda path: cut_shard(path, 0)])
def test_what_the_system_refuses_is_an_error_of_the_disk_with_a_hint(
    work: Callable[[Path], object], path: Path
) -> None:
    open_path(path).mkdir()
    with pytest.raises(DiskError) as caught:
        work(path)
    assert caught.value.hint
