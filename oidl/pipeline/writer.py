"""The one writing connection to the state database, and the thread that it is used in."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import trio

from oidl.state.database import StateConnection, explained
from oidl.state.ledger import Ledger

T = TypeVar("T")


class StateWriter:
    """Runs one thing at a time on the writing connection, off the event loop."""

    def __init__(self, db: StateConnection) -> None:
        self.db = db
        self.ledger = Ledger(db)
        self._one_at_a_time = trio.CapacityLimiter(1)

    async def run(self, work: Callable[..., T], *args: object) -> T:
        """What `work(*args)` returns; it is in a thread and alone on the connection meanwhile.

        Raises `StateError` or `DiskError` for what SQLite finds wrong.
        """
        return await trio.to_thread.run_sync(partial(self._explained, work, *args), limiter=self._one_at_a_time)

    def _explained(self, work: Callable[..., T], *args: object) -> T:
        with explained(self.db.path):
            return work(*args)
