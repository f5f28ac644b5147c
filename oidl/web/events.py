"""The newest moment of a run, for any number of browsers (server-sent events).

There is one moment at a time, made once for all and only while somebody
follows. A client is given the newest one whenever it can take one: nothing
queues for whoever is slow, and the server cuts off whoever takes none at all.
"""

import trio
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

MOST_CLIENTS = 64


class Events:
    """What `publish` was told last, for up to `most` clients at a time to follow."""

    def __init__(self, most: int = MOST_CLIENTS) -> None:
        self._most = most
        self._newest: bytes | None = None
        self._is_last = False
        self._news = trio.Event()
        self._change = trio.Event()
        self.clients = 0

    async def wait_somebody(self) -> None:
        """Returns when somebody follows."""
        while not self.clients:
            await self._change.wait()

    async def wait_nobody(self) -> None:
        """Returns when nobody follows."""
        while self.clients:
            await self._change.wait()

    def publish(self, moment: str, *, is_last: bool = False) -> None:
        """Gives `moment` (one line of JSON) to everybody; after the last one there is no more to follow."""
        self._newest = f"data: {moment}\n\n".encode()
        self._is_last = self._is_last or is_last
        self._news.set()
        self._news = trio.Event()

    async def newer(self, than: bytes | None) -> bytes | None:
        """The newest moment as soon as it is another one; None when there will be none."""
        while self._newest is None or self._newest is than:
            if self._is_last:
                return None
            await self._news.wait()
        return self._newest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one client, until it goes or the last moment is told."""
        if self.clients >= self._most:
            busy = PlainTextResponse("Too many are watching.\n", 503, {"Retry-After": "10"})
            await busy(scope, receive, send)
            return
        self._count(1)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_wait_gone, receive, nursery.cancel_scope)
                await self._send(scope, send)
                nursery.cancel_scope.cancel()
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        self.clients += change
        if not self.clients and not self._is_last:
            self._newest = None  # it would be an old one for whoever comes next
        self._change.set()
        self._change = trio.Event()

    async def _send(self, scope: Scope, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] != "HEAD":
            moment = None
            while moment := await self.newer(moment):
                await send({"type": "http.response.body", "body": moment, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _wait_gone(receive: Receive, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
