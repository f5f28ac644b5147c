"""The state database as the page reads it: in threads, on two read-only connections, one question on each."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import trio

from oidl.errors import OidlError
from oidl.state.connection import StateConnection
from oidl.state.database import connect_reader
from oidl.state.translate import translating_sqlite_errors

P = ParamSpec("P")
T = TypeVar("T")

_CONNECTIONS = 2


class Database:
    """Asks the state database at `path`, which need not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: list[StateConnection] = []
        self._threads = trio.CapacityLimiter(_CONNECTIONS)
        self.waiting = 0
        """How many questions are not answered yet."""

    async def __call__(
        self, question: Callable[Concatenate[StateConnection, P], T], *args: P.args, **named: P.kwargs
    ) -> T | None:
        """What `question(db, …)` returns; None if the database cannot be read now."""
        self.waiting += 1
        try:
            return await trio.to_thread.run_sync(partial(self._ask, question, *args, **named), limiter=self._threads)
        finally:
            self.waiting -= 1

    def close(self) -> None:
        """Closes the connections. Nothing may be asked afterwards."""
        while self._idle:
            self._idle.pop().close()

    def _ask(
        self, question: Callable[Concatenate[StateConnection, P], T], *args: P.args, **named: P.kwargs
    ) -> T | None:
        try:
            db = self._idle.pop() if self._idle else connect_reader(self._path)
            try:
                with translating_sqlite_errors(self._path):
                    return question(db, *args, **named)
            finally:
                self._idle.append(db)
        except OidlError:  # it is being loaded, or its disk has trouble: the run itself reports that
            return None
