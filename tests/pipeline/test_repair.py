"""Rows first, then files: whenever it is killed, nothing is `done` without its file."""

import os
from pathlib import Path

import pytest
from builders import THUMB, image, job

from oidl.errors import DiskError
from oidl.model import Done, Finding, Problem, Source, WrittenFile
from oidl.pipeline.repair import Repair
from oidl.settings import Layout
from oidl.state.connection import StateConnection
from oidl.state.ledger import Ledger

ID = image(1).image_id


@pytest.fixture
def bad(loaded_db: StateConnection, tmp_path: Path) -> Path:
    """The file of an image that is done; it is damaged."""
    ledger = Ledger(loaded_db)
    ledger.register([THUMB])
    ledger.open_run({})
    file = WrittenFile("thumbs", "thumbs/x.jpg", 50, 8, 6)
    ledger.done(job(1), Done(Source.ORIGINAL, "https://x", 500, "md5", 8, 6, (file,)))
    (tmp_path / "thumbs").mkdir()
    (tmp_path / "thumbs/x.jpg").write_bytes(b"damaged")
    return tmp_path / "thumbs/x.jpg"


@pytest.fixture
def repair(loaded_db: StateConnection, tmp_path: Path) -> Repair:
    return Repair(loaded_db, Layout(tmp_path, "2017_11"))


@pytest.fixture
def set_baseline(loaded_db: StateConnection):
    def look() -> tuple:
        files = loaded_db.execute("SELECT count(*) FROM file").fetchone()[0]
        return loaded_db.execute("SELECT status FROM download WHERE image_id = ?", (ID,)).fetchone()[0], files

    return look


def found(fault: Problem) -> Finding:
    return Finding(fault, "thumbs/x.jpg", ID, "thumbs")


@pytest.mark.parametrize("fault", [Problem.WRONG_SIZE, Problem.WRONG_MD5, Problem.DAMAGED])
def test_a_bad_file_is_gone_and_its_image_pending(fault: Problem, bad: Path, repair: Repair, set_baseline):
    assert repair.repair([found(fault)]) == (1, 1)
    assert not bad.exists()
    assert set_baseline() == ("pending", 0)


def test_a_missing_file_is_only_a_row(bad: Path, repair: Repair, set_baseline):
    """Should somebody have brought it back meanwhile, it is not ours to remove on the word of an old look."""
    assert repair.repair([found(Problem.MISSING)]) == (1, 0)
    assert bad.exists()
    assert set_baseline() == ("pending", 0)


@pytest.mark.parametrize("fault", [Problem.UNREADABLE, Problem.FOREIGN, Problem.UNRECORDED])
def test_what_is_not_to_be_touched_is_not(fault: Problem, bad: Path, repair: Repair, set_baseline):
    assert repair.repair([found(fault)]) == (0, 0)
    assert bad.exists()
    assert set_baseline() == ("done", 1)


def test_the_row_goes_before_the_file(bad: Path, repair: Repair, set_baseline, monkeypatch: pytest.MonkeyPatch):
    at_removal = []
    monkeypatch.setattr(os, "unlink", lambda path: at_removal.append((set_baseline(), bad.exists())))
    repair.repair([found(Problem.DAMAGED)])
    assert at_removal == [(("pending", 0), True)]


def test_a_file_that_cannot_be_removed_is_named(
    bad: Path, repair: Repair, set_baseline, monkeypatch: pytest.MonkeyPatch
):
    def refused(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "unlink", refused)
    with pytest.raises(DiskError, match=r"x\.jpg could not be removed: Permission denied"):
        repair.repair([found(Problem.DAMAGED)])
    assert set_baseline() == ("pending", 0)


def test_the_last_leftover_takes_its_directory_along(tmp_path: Path, repair: Repair):
    parts = tmp_path / "thumbs/.oidl-part"
    parts.mkdir(parents=True)
    for name in ("t-1", "t-2"):
        (parts / name).touch()
    for name, is_last in (("t-1", False), ("t-2", True)):
        assert repair.repair([Finding(Problem.LEFTOVER, f"thumbs/.oidl-part/{name}")]) == (0, 1)
        assert parts.exists() != is_last
