"""The state database as the page reads it: in threads, on two read-only connections, one question on each.

A connection stays with its file. If that is deleted, or another one takes its place, the next question is about what is
there now.
"""

import os
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

_Identity = tuple[int, int]

_CONNECTIONS = 2


class Database:
    """Asks the state database at `path`, which need not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: list[tuple[StateConnection, _Identity | None]] = []
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
            self._idle.pop()[0].close()

    def _ask(
        self, question: Callable[Concatenate[StateConnection, P], T], *args: P.args, **named: P.kwargs
    ) -> T | None:
        try:
            db, identity = self._connection()
            try:
                with translating_sqlite_errors(self._path):
                    return question(db, *args, **named)
            finally:
                self._idle.append((db, identity))
        except OidlError:  # it is being loaded, or its disk has trouble: the run itself reports that
            return None

    def _connection(self) -> tuple[StateConnection, _Identity | None]:
        identity = _identity_of(self._path)
        while True:
            try:
                db, before = self._idle.pop()
            except IndexError:
                return connect_reader(self._path), identity
            if before == identity:
                return db, identity
            db.close()


def _identity_of(path: Path) -> _Identity | None:
    """What the file at `path` is, whatever it is called; None if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
