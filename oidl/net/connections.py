"""A pool of connections, kept alive from image to image and moved to another host when all are open.

Each connection has its own client: with one shared client, httpcore spends 4–8 ms of CPU on a request at 64
connections, otherwise below 1 ms. An idle connection counts like a busy one. When `limit` connections are open, the one
that has been idle the longest is moved to the new host.

`permits` decides which request may use a connection, and when.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import trio

from oidl.net.client import Client


class Connections:
    """At most `limit` connections, each made by `new_client`; `async with` closes them."""

    def __init__(self, limit: int, new_client: Callable[[], Client]) -> None:
        self._limit = limit
        self._new_client = new_client
        self._idle: dict[Client, str] = {}  # with the host of each; the longest idle first
        self._clients = AsyncExitStack()
        self._opened = 0

    def __repr__(self) -> str:
        return f"<Connections: {self._opened} of {self._limit} open, {len(self._idle)} idle>"

    async def __aenter__(self) -> "Connections":
        return self

    async def __aexit__(self, *_: object) -> None:
        with trio.CancelScope(shield=True):  # closing is quick, and an open connection would cause a warning
            await self._clients.aclose()

    @asynccontextmanager
    async def to(self, host: str) -> AsyncIterator[Client]:
        """A connection for one request to `host`, preferably one that is already open to it.

        At most `limit` may be in use at once; the permits ensure that.
        """
        client = await self._acquire(host)
        try:
            yield client
        finally:
            self._idle[client] = host

    async def _acquire(self, host: str) -> Client:
        client = next((client for client, at in reversed(self._idle.items()) if at == host), None)
        if client is None and self._opened < self._limit:
            self._opened += 1
            return await self._clients.enter_async_context(self._new_client())
        if client is None:
            client = next(iter(self._idle))
        del self._idle[client]
        return client
