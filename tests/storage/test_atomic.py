"""Files appear whole or not at all, and leave nothing behind."""

import os
from pathlib import Path

import pytest

from oidl.errors import DiskError
from oidl.storage.atomic import PART_DIRECTORY, AtomicWriter, atomic_text
from oidl.storage.sweep import remove_tree


def names(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def test_a_file_is_whole_and_its_temporary_name_gone(tmp_path: Path) -> None:
    writer = AtomicWriter("token")
    writer.write(tmp_path, tmp_path / "000" / "a.jpg", b"body")
    assert (tmp_path / "000" / "a.jpg").read_bytes() == b"body"
    assert names(tmp_path) == ["000/a.jpg"]
    writer.sweep([tmp_path])
    assert not (tmp_path / PART_DIRECTORY).exists()


def test_a_failed_move_leaves_neither_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DiskError, match=r"a\.jpg could not be written: No space left"):
        AtomicWriter("token").write(tmp_path, tmp_path / "a.jpg", b"body")
    assert names(tmp_path) == []


def test_a_place_that_is_a_file_is_a_disk_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(DiskError):
        AtomicWriter("token").write(tmp_path / "home", tmp_path / "home" / "a.jpg", b"body")


def test_only_our_own_leftovers_are_swept(tmp_path: Path) -> None:
    parts = tmp_path / PART_DIRECTORY
    parts.mkdir()
    for name in ("ours-0", "ours-17", "theirs-0"):
        (parts / name).write_bytes(b"half")
    assert AtomicWriter("ours").sweep([tmp_path, tmp_path / "missing"]) == 2
    assert names(tmp_path) == [f"{PART_DIRECTORY}/theirs-0"]


def test_a_text_that_fails_half_way_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.csv"
    with atomic_text(path) as file:
        file.write("first\n")

    def fail() -> None:
        with atomic_text(path) as file:
            file.write("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "first\n"
    assert names(tmp_path) == ["new/rows.csv"]


def test_removing_a_tree_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    remove_tree(tmp_path / "link")
    remove_tree(tmp_path / "missing")
    assert names(tmp_path) == ["precious/file"]
    remove_tree(tmp_path / "precious")
    assert names(tmp_path) == []
