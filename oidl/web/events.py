"""The latest snapshot, for any number of browsers (server-sent events).

There is one snapshot at a time. It is made once for all clients, and only while
there are any. A client gets the latest one whenever it can take one: nothing
queues for a slow client, and the server disconnects one that takes nothing.
"""

import trio
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

MAX_CLIENTS = 64


class Events:
    """Sends what `publish` was given last to at most `max_clients` clients at a time."""

    def __init__(self, max_clients: int = MAX_CLIENTS) -> None:
        self._max_clients = max_clients
        self._latest: bytes | None = None
        self._is_final = False
        self._published = trio.Event()
        self._clients_changed = trio.Event()
        self.clients = 0

    async def wait_any_client(self) -> None:
        """Returns as soon as there is a client."""
        while not self.clients:
            await self._clients_changed.wait()

    async def wait_no_client(self) -> None:
        """Returns as soon as there are no clients."""
        while self.clients:
            await self._clients_changed.wait()

    def publish(self, snapshot: str, *, is_final: bool = False) -> None:
        """Sends `snapshot` (one line of JSON) to all clients; the final one ends their streams."""
        self._latest = f"data: {snapshot}\n\n".encode()
        self._is_final = self._is_final or is_final
        self._published.set()
        self._published = trio.Event()

    async def next_after(self, sent: bytes | None) -> bytes | None:
        """The latest event as soon as it is not `sent`; None after the final one."""
        while self._latest is None or self._latest is sent:
            if self._is_final:
                return None
            await self._published.wait()
        return self._latest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one client until it disconnects or the final snapshot is sent."""
        if self.clients >= self._max_clients:
            busy = PlainTextResponse("Too many clients are watching.\n", 503, {"Retry-After": "10"})
            await busy(scope, receive, send)
            return
        self._count(1)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_on_disconnect, receive, nursery.cancel_scope)
                await self._send(scope, send)
                nursery.cancel_scope.cancel()
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        self.clients += change
        if not self.clients and not self._is_final:
            self._latest = None  # it would be out of date for the next client
        self._clients_changed.set()
        self._clients_changed = trio.Event()

    async def _send(self, scope: Scope, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] != "HEAD":
            event = None
            while event := await self.next_after(event):
                await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _cancel_on_disconnect(receive: Receive, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
