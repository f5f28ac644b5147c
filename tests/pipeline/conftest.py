"""What the stages are tested with: threads that take no time, and a state database with a run in it."""

from collections.abc import Callable
from typing import Any

import pytest
import trio
from conftest import THUMB

from oidl.state.database import StateConnection
from oidl.state.ledger import Ledger


@pytest.fixture
def inline_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work for a thread is done on the spot: a mock clock knows no threads and would run ahead of them."""

    async def run_sync(
        work: Callable[..., Any], *args: object, limiter: object = None, abandon_on_cancel: bool = False
    ) -> Any:
        await trio.lowlevel.checkpoint()
        return work(*args)

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)


@pytest.fixture
def ledger(loaded_db: StateConnection) -> Ledger:
    """The ledger of run 1 on `loaded_db`."""
    ledger = Ledger(loaded_db)
    ledger.register([THUMB])
    ledger.open_run({})
    return ledger
