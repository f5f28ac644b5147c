"""The state database as the page reads it: one question at a time, in a thread, on one read-only connection."""

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


class Database:
    """Asks the state database at `path`, which need not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: StateConnection | None = None
        self._one_at_a_time = trio.CapacityLimiter(1)

    async def __call__(
        self, question: Callable[Concatenate[StateConnection, P], T], *args: P.args, **named: P.kwargs
    ) -> T | None:
        """What `question(db, …)` returns; None if the database cannot be read now."""
        return await trio.to_thread.run_sync(partial(self._ask, question, *args, **named), limiter=self._one_at_a_time)

    def close(self) -> None:
        """Closes the connection. Nothing may be asked afterwards."""
        if self._db is not None:
            self._db.close()

    def _ask(
        self, question: Callable[Concatenate[StateConnection, P], T], *args: P.args, **named: P.kwargs
    ) -> T | None:
        try:
            if self._db is None:
                self._db = connect_reader(self._path)
            with translating_sqlite_errors(self._path):
                return question(self._db, *args, **named)
        except OidlError:  # it is being loaded, or its disk has trouble: the run itself reports that
            return None
