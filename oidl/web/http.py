"""HTTP/1.1 between one client and the page's application.

h11 parses and writes the messages. A connection has one request at a time; what
a client sends ahead stays unread until then. HTTP/2 is not offered, because it
lets one connection make any number of requests. Everything that a client sends
or takes is bounded: the length of a request's head, the time to send it, and the
time to take the answer.
"""

from email.utils import formatdate
from urllib.parse import unquote

import h11
import trio
from starlette.types import ASGIApp, Message, Scope

from oidl.web.limiter import RateLimiter

_HEAD_BYTES = 16 * 1024
_HEAD_S = 15.0  # counted from the last answer, so it bounds idle connections too
_SEND_S = 20.0
_READ_BYTES = 4096


class Connection:
    """One client at `address`; `app` answers its requests as fast as `limiter` allows."""

    def __init__(self, stream: trio.abc.Stream, address: str, app: ASGIApp, limiter: RateLimiter) -> None:
        self._stream = stream
        self.address = address
        self._app = app
        self._limiter = limiter
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_BYTES)
        self._scope = trio.CancelScope()
        self._is_head = False
        self.idle_since: float | None = None
        """Since when this waits for a request; None while one is answered."""

    async def serve(self) -> None:
        """Answers requests until the client leaves, `cut` is called, or something that is not a request arrives.

        Raises what the application raises, and `trio.BrokenResourceError` if the client leaves or takes nothing.
        """
        with self._scope:
            try:
                while (request := await self._next_request()) is not None:
                    await self._limiter.acquire()
                    await self._app(_scope(request), self._receive, self._send_message)
                    if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                        return
                    self._http.start_next_cycle()
            except h11.RemoteProtocolError as error:
                await self._refuse(error.error_status_hint)

    def cut(self) -> None:
        """Ends the connection now."""
        self.idle_since = None
        self._scope.cancel()

    async def _next_request(self) -> h11.Request | None:
        self.idle_since = trio.current_time()
        with trio.move_on_after(_HEAD_S):
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(bytes(await self._stream.receive_some(_READ_BYTES)))
            self.idle_since = None
            if isinstance(event, h11.Request):
                if event.http_version > b"1.1":
                    await self._refuse(505)
                    return None
                self._is_head = event.method == b"HEAD"
                self._http.next_event()  # the end of the request; if it has a body instead, no other request follows
                return event
        return None

    async def _refuse(self, status: int) -> None:
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = [("Content-Length", "0"), ("Connection", "close")]
            await self._send(h11.Response(status_code=status, headers=headers))

    async def _receive(self) -> Message:
        """Waits until the client has left. Up to one piece of what it sends ahead is kept, and no more is read."""
        try:
            if ahead := await self._stream.receive_some(_READ_BYTES):
                self._http.receive_data(bytes(ahead))
                await trio.sleep_forever()
        except trio.BrokenResourceError:
            pass
        return {"type": "http.disconnect"}

    async def _send_message(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message["headers"], (b"date", formatdate(usegmt=True).encode())]
            if self._http.their_state is h11.SEND_BODY:  # it sends a body, which is not read
                headers.append((b"connection", b"close"))
            await self._send(h11.Response(status_code=message["status"], headers=headers))
            return
        if message["body"] and not self._is_head:
            await self._limiter.acquire()
            await self._send(h11.Data(data=message["body"]))
        if not message.get("more_body"):
            await self._send(h11.EndOfMessage())

    async def _send(self, event: h11.Event) -> None:
        with trio.move_on_after(_SEND_S) as limit:
            for piece in self._http.send_with_data_passthrough(event) or ():
                await self._stream.send_all(piece)
        if limit.cancelled_caught:
            raise trio.BrokenResourceError("the client takes nothing")


def _scope(request: h11.Request) -> Scope:
    path, _, query = request.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": request.http_version.decode(),
        "method": request.method.decode(),
        "scheme": "http",
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": list(request.headers),
    }
