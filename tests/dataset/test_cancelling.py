"""Reading can be cancelled at any ratio of compression: lists, annotation files, archives, ImageIDs."""

import gzip
import io
import tarfile
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from oidl.dataset.ids import read_image_ids
from oidl.dataset.lists import read_list
from oidl.dataset.local_list import identify
from oidl.dataset.rows import ReadReport, header
from oidl.dataset.sections import read_parts
from oidl.dataset.unpack import unpack

SUBSETS = frozenset({"train"})
BLANKS = b"\n" * 3_000_000
LIST = header("author-title").encode() + BLANKS
LABELS = b"ImageID,Source,LabelName,Confidence\n" + BLANKS
CLASSES = b"/m/01yrx,Cat\n" + BLANKS


def many_members() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for number in range(20_000):
            tar.addfile(tarfile.TarInfo(f"d/{number}.csv"))
    return packed.getvalue()


def tar_of(content: bytes, name: str = "d/a.csv") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def read_image_list(path: Path) -> None:
    with path.open("rb") as file:
        deque(read_list(file, "list", SUBSETS, SUBSETS, ReadReport()), 0)


def read_annotations(path: Path) -> None:
    for _, _, batches in read_parts(path, ReadReport()):
        deque(batches, 0)


def unpack_archive(path: Path) -> None:
    with path.open("rb") as file:
        unpack(file, path.with_name("staging"), path.parent)


@pytest.mark.parametrize(
    ("name", "content", "read"),
    [
        ("list.csv", LIST, read_image_list),
        ("list.csv.gz", gzip.compress(LIST, 1), read_image_list),
        ("list.tar.gz", gzip.compress(tar_of(LIST), 1), read_image_list),
        ("members.tar.gz", gzip.compress(many_members(), 1), read_image_list),
        ("other.tar.gz", gzip.compress(tar_of(BLANKS, "d/a.jpg"), 1), read_image_list),
        ("labels.csv", LABELS, read_annotations),
        ("labels.csv.gz", gzip.compress(LABELS, 1), read_annotations),
        ("class-descriptions.csv.gz", gzip.compress(CLASSES, 1), read_annotations),
        ("files.tar.gz", gzip.compress(tar_of(BLANKS), 1), unpack_archive),
        ("ids.txt", BLANKS, lambda path: deque(read_image_ids(path), 0)),
        ("list.csv", LIST * 10, identify),
    ],
)
def test_what_is_cancelled_stops_after_a_few_pieces(
    name: str, content: bytes, read: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(content)
    asked = 0
    check = trio.from_thread.check_cancelled

    def counted() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            trio.from_thread.run_sync(scope.cancel)
        check()

    monkeypatch.setattr(trio.from_thread, "check_cancelled", counted)

    async def main() -> None:
        nonlocal scope
        with trio.CancelScope() as scope:
            await trio.to_thread.run_sync(read, tmp_path / name)

    scope = trio.CancelScope()
    trio.run(main)
    assert (scope.cancelled_caught, asked) == (True, 3)


def test_reading_is_the_same_in_any_other_thread(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_bytes(BLANKS)
    assert list(read_image_ids(tmp_path / "ids.txt")) == []
