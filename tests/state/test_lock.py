"""The writer lock: one at a time, named, gone with its process."""

import multiprocessing
import os
from pathlib import Path

import pytest

from oidl.errors import DiskError, StateError
from oidl.state.lock import is_held, writer_lock


def test_the_second_writer_is_told_who_holds_it(state_db: Path) -> None:
    with (
        writer_lock(state_db),
        pytest.raises(StateError, match=f"process {os.getpid()} on "),
        writer_lock(state_db),
    ):
        pass


def test_it_can_be_seen_and_is_free_again_afterwards(state_db: Path) -> None:
    assert not is_held(state_db)
    with writer_lock(state_db):
        assert is_held(state_db)
    assert not is_held(state_db)
    with writer_lock(state_db):
        pass


def _hold_and_die(path: Path) -> None:
    lock = writer_lock(path)
    lock.__enter__()
    os._exit(9)


def test_it_dies_with_its_process(state_db: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_hold_and_die, args=(state_db,))
    process.start()
    process.join()
    with writer_lock(state_db):
        pass


def test_a_place_that_cannot_be_written_is_a_disk_error(tmp_path: Path) -> None:
    with pytest.raises(DiskError), writer_lock(tmp_path / "missing" / "x.sqlite3"):
        pass
