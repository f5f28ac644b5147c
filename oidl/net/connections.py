"""A pool of connections, kept alive from image to image and moved to another host when all are open.

Each connection has its own client: with one shared client, httpcore spends 4–8 ms of CPU on a request at 64
connections, otherwise below 1 ms. An idle connection counts like a busy one. When `limit` connections are open, the one
that has been idle the longest is moved to the new host.

`permits` decides which request may use a connection, and when; a connection belongs to one worker (`request`).
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio

from oidl.net.request import Connection


class Connections:
    """At most `limit` connections; `async with` closes them.

    Each is made by `new_connection`, at the worker with the number that it is called with, None for any.
    """

    def __init__(self, limit: int, new_connection: Callable[[int | None], Connection]) -> None:
        self._limit = limit
        self._new_connection = new_connection
        self._open: set[Connection] = set()
        self._idle: dict[Connection, str] = {}  # with the host of each; the longest idle first

    def __repr__(self) -> str:
        return f"<Connections: {len(self._open)} of {self._limit} open, {len(self._idle)} idle>"

    async def __aenter__(self) -> "Connections":
        return self

    async def __aexit__(self, *_: object) -> None:
        with trio.CancelScope(shield=True):  # closing is quick, and an open connection would cause a warning
            async with trio.open_nursery() as nursery:
                for connection in self._open:
                    nursery.start_soon(connection.aclose)  # at once: a worker that hangs delays each of its own

    @asynccontextmanager
    async def to(self, host: str, worker: int | None = None) -> AsyncIterator[Connection]:
        """A connection for one request to `host`, preferably one that is already open to it.

        It is one of `worker`; if that is None, of the worker with the least to do. At most `limit` may be in use at
        once; the permits ensure that.
        """
        connection = self._take(host, worker)
        if connection is None:
            connection = await self._open_one(worker)
        try:
            yield connection
        finally:
            self._idle[connection] = host

    def _take(self, host: str, worker: int | None) -> Connection | None:
        """An idle connection to `host`: of those with the least load, the one that was used last."""
        found = None
        for connection, at in reversed(self._idle.items()):
            if at != host or not _serves(connection, worker):
                continue
            if found is None or connection.load < found.load:
                found = connection
            if not found.load:
                break
        if found:
            del self._idle[found]
        return found

    async def _open_one(self, worker: int | None) -> Connection:
        """A new connection, or the one that has been idle the longest."""
        if len(self._open) >= self._limit:
            connection = next(iter(self._idle))
            del self._idle[connection]
            if _serves(connection, worker):
                return connection
            await connection.aclose()
            self._open.discard(connection)
        connection = self._new_connection(worker)
        self._open.add(connection)
        return connection


def _serves(connection: Connection, worker: int | None) -> bool:
    """Whether a request for `worker` (None: any) may use `connection`."""
    return not connection.is_reserved if worker is None else connection.worker == worker
