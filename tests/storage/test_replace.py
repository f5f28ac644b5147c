"""Entries of a directory that replace earlier ones all together, or not at all."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from oidl.errors import DiskError, UsageError
from oidl.storage.replace import NOTE, replaced_entries

NAMES = ("images", "labels", "data.yaml")


def write(directory: Path, text: str, names: tuple[str, ...] = NAMES) -> None:
    """Replaces the entries in `directory`: directories with a file in them, but for `data.yaml`."""
    with replaced_entries(directory, names) as new:
        for name in names:
            path = new / name if name == "data.yaml" else new / name / "file"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)


def found(directory: Path) -> dict[str, str]:
    files = (path for path in directory.rglob("*") if path.is_file() and path.name != NOTE)
    return {str(path.relative_to(directory)): path.read_text() for path in files}


def test_nothing_is_there_before_everything_is(tmp_path: Path) -> None:
    with replaced_entries(tmp_path / "below/dest", NAMES) as new:
        (new / "data.yaml").touch()
        assert not (tmp_path / "below/dest/data.yaml").exists()
    assert sorted(path.name for path in (tmp_path / "below/dest").iterdir()) == [NOTE, "data.yaml"]


def test_an_exception_leaves_no_empty_directory(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for dest in (tmp_path / "below/deep/dest", tmp_path / "mine"):
        with pytest.raises(ZeroDivisionError), replaced_entries(dest, NAMES) as new:
            (new / "data.yaml").write_text(str(1 // 0))
    assert [path.name for path in tmp_path.rglob("*")] == ["mine"]


def test_all_of_the_earlier_entries_go_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, "old")
    (tmp_path / "own").write_text("mine")
    write(tmp_path, "new", ("labels", "data.yaml"))
    assert found(tmp_path) == {"labels/file": "new", "data.yaml": "new", "own": "mine"}
    assert (tmp_path / NOTE).read_text() == "labels\ndata.yaml\n"


def test_what_breaks_off_leaves_the_earlier_entries(tmp_path: Path) -> None:
    def break_off() -> None:
        with replaced_entries(tmp_path, NAMES) as new:
            (new / "data.yaml").write_text("new")
            raise OSError(28, "No space left on device")

    write(tmp_path, "old")
    with pytest.raises(DiskError, match=f"{tmp_path} could not be written: No space left"):
        break_off()
    assert set(found(tmp_path).values()) == {"old"}
    assert sorted(path.name for path in tmp_path.iterdir()) == [NOTE, "data.yaml", "images", "labels"]


@pytest.mark.parametrize("number", range(6))
def test_if_one_cannot_be_moved_all_stay_where_they_were(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "old")
    rename, calls = os.rename, []

    def refuse(source: Path, goal: Path) -> None:
        calls.append(source)
        if len(calls) == number + 1:
            raise OSError(16, "Device or resource busy")
        rename(source, goal)

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(DiskError, match="Device or resource busy"):
        write(tmp_path, "new")
    monkeypatch.undo()
    assert found(tmp_path) == {"images/file": "old", "labels/file": "old", "data.yaml": "old"}
    write(tmp_path, "new")
    assert set(found(tmp_path).values()) == {"new"}


def test_what_readers_open_first_goes_first_and_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[str] = []
    rename = os.rename

    def note(source: Path, goal: Path) -> None:
        moved.append(source.name)
        rename(source, goal)

    write(tmp_path, "old")
    monkeypatch.setattr(os, "rename", note)
    write(tmp_path, "new")
    assert moved == ["data.yaml", "labels", "images", "images", "labels", "data.yaml"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    for number in (process.pid, os.getpid()):
        (tmp_path / f".export.oidl-part-{number}/new/images").mkdir(parents=True)
    write(tmp_path, "new")
    assert not list(tmp_path.glob(".export*"))


@pytest.mark.parametrize("kind", ["directory", "file", "link"])
def test_what_was_not_written_here_is_refused_before_anything_is_written(kind: str, tmp_path: Path) -> None:
    own = tmp_path / "labels"
    makers: dict[str, Any] = {"directory": own.mkdir, "file": own.touch, "link": lambda: own.symlink_to("nowhere")}
    makers[kind]()
    with pytest.raises(UsageError, match=f"{own} exists and is not from an earlier export"):
        write(tmp_path, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["labels"]


@pytest.mark.parametrize("line", ["../own", "..", ".", "", "/", "below/own"])
def test_a_note_leads_nowhere_else(line: str, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    write(dest, "old")
    for own in (tmp_path / "own", dest / "below/own"):
        own.parent.mkdir(exist_ok=True)
        own.write_text("mine")
    with (dest / NOTE).open("a") as note:
        note.write(f"{line}\n")
    write(dest, "new")
    assert (tmp_path / "own").read_text() == (dest / "below/own").read_text() == "mine"


def test_a_note_that_is_no_text_is_none(tmp_path: Path) -> None:
    write(tmp_path, "old")
    (tmp_path / NOTE).write_bytes(b"\xff")
    with pytest.raises(UsageError, match="not from an earlier export"):
        write(tmp_path, "new")
