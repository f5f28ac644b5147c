"""Fixtures of many tests: an open state database, and work without threads."""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from builders import LIST, image

from oidl.cores import usable_cores
from oidl.hints import note_root
from oidl.state.connection import StateConnection
from oidl.state.database import connect_reader, connect_writer
from oidl.state.load import load_list

# Tests start some hundred processes. Where nothing may keep what it compiled, as in many containers, each compiles all
# that it imports again, which takes longer than the rest of most of them.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are processors, because tests also wait: for a program, a browser, a pause."""
    return usable_cores() + 1


def pytest_collection_finish() -> None:
    """Leaves the tests themselves out of garbage collections, of which each looks at 400,000 objects otherwise."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_root_at_hand() -> None:
    """Messages name no root, whatever an earlier test opened from Python."""
    note_root(None)


@pytest.fixture
def inline_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs the work of threads in place, because a mock clock ignores threads and would run ahead of them."""

    async def run_sync(
        job: Callable[..., Any], *args: object, limiter: object = None, abandon_on_cancel: bool = False
    ) -> Any:
        await trio.lowlevel.checkpoint()
        return job(*args)

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)


@pytest.fixture
def state_db(tmp_path: Path) -> Path:
    return tmp_path / "oidl.sqlite3"


@pytest.fixture
def db(state_db: Path) -> Iterator[StateConnection]:
    """A new state database, open for writing."""
    connection = connect_writer(state_db)
    yield connection
    connection.close()


@pytest.fixture
def loaded_db(db: StateConnection) -> StateConnection:
    """A state database with ten images of `train` and two of `test`."""
    images = [image(number) for number in range(10)] + [image(number, "test") for number in (10, 11)]
    load_list(db, LIST, ("train", "test"), images)
    return db


@pytest.fixture
def reader(loaded_db: StateConnection) -> Iterator[StateConnection]:
    """A reader of `loaded_db`."""
    connection = connect_reader(loaded_db.path)
    yield connection
    connection.close()
