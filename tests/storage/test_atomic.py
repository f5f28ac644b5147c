"""Files appear whole or not at all, and leave nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from oidl.errors import DiskError
from oidl.storage.atomic import PART_DIRECTORY, AtomicWriter, atomic_text, nameless_file
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
    for name in ("ours-0", "ours-17", "dead-3", "theirs-0"):
        (parts / name).write_bytes(b"half")
    assert AtomicWriter("ours").sweep([tmp_path, tmp_path / "missing"], {"dead"}) == 3
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


def test_two_processes_that_write_one_text_are_in_nobodys_way(tmp_path: Path) -> None:
    path, program = tmp_path / "rows.csv", "import sys; from pathlib import Path; from oidl.storage.atomic import *\n"
    program += "with atomic_text(Path(sys.argv[1])) as file: file.write('theirs\\n'), print(flush=True), input()"
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "\n"
        with atomic_text(path) as file:
            file.write("ours\n" * 10_000)
            other.communicate("\n", timeout=30)
            assert path.read_text() == "theirs\n"
    assert other.returncode == 0
    assert path.read_text() == "ours\n" * 10_000
    assert names(tmp_path) == ["rows.csv"]


def test_what_killed_processes_left_of_a_text_is_swept_by_the_next_and_nothing_else(tmp_path: Path) -> None:
    mine = ["other.csv.oidl-part-1", ".rows.csv.oidl-part-mine", f".rows.csv.oidl-part-{'9' * 20}"]
    at_work = f".rows.csv.oidl-part-{os.getppid()}"
    for name in (f".rows.csv.oidl-part-{_dead_process()}", f".rows.csv.oidl-part-{os.getpid()}", at_work, *mine):
        (tmp_path / name).write_text("half")
    with atomic_text(tmp_path / "rows.csv") as file:
        file.write("whole")
    assert names(tmp_path) == sorted([at_work, "rows.csv", *mine])


def _dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_removing_a_tree_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    remove_tree(tmp_path / "link")
    remove_tree(tmp_path / "missing")
    assert names(tmp_path) == ["precious/file"]
    remove_tree(tmp_path / "precious")
    assert names(tmp_path) == []


@pytest.mark.parametrize("place", ["file/x", "directory"])
def test_what_is_in_the_way_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()
    with pytest.raises(DiskError, match=rf"{place} could not be written") as caught, atomic_text(tmp_path / place):
        pass
    in_the_way = tmp_path / place.partition("/")[0]
    assert (
        caught.value.hint == f"move away {in_the_way}, which is in the way, or choose another place; then run it again"
    )


def test_a_file_without_a_name_leaves_nothing(tmp_path: Path) -> None:
    with nameless_file(tmp_path / "new") as file:
        file.write(b"rows")
        assert not list((tmp_path / "new").iterdir())
        file.seek(0)
        assert file.read() == b"rows"
