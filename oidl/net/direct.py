"""A connection to one host at a time: HTTP/1.1 by h11, over a stream of httpcore.

httpcore's own connections take twice the CPU time for a request: they have locks, log records and states for a pool
that shares them between tasks, and here one task has the connection to itself.
"""

import ssl
from contextlib import suppress
from typing import NamedTuple

import h11
import httpcore
import httpx
import trio

from oidl.net.opening import Opening
from oidl.net.proxies import PORTS

_READ_BYTES = 256 * 1024
_MOST_HEAD_BYTES = 100 * 1024  # that h11 keeps of a head that is not whole; `wire` lets less through

_Origin = tuple[bytes, bytes, int | None]  # scheme, host, port


class HttpRequest(NamedTuple):
    """A request without a body.

    `timeouts` are in seconds, None for no limit, by step (`connect`, `read`, `write`), as in httpcore's extension.
    """

    method: str
    url: httpx.URL
    headers: list[tuple[bytes, bytes]]
    timeouts: dict[str, float | None]


class HttpConnection:
    """Sends requests to one host at a time, one request after the other, over a connection that is kept alive.

    Another host, a closed connection, or one that was idle for `keepalive_s`, means a new connection.
    """

    def __init__(self, tls: ssl.SSLContext, network: httpcore.AsyncNetworkBackend, keepalive_s: float) -> None:
        self._tls = tls
        self._network = network
        self._keepalive_s = keepalive_s
        self._origin: _Origin | None = None
        self._stream: httpcore.AsyncNetworkStream | None = None
        self._http = h11.Connection(h11.CLIENT)
        self._idle_until = 0.0

    async def answer(self, request: HttpRequest, opening: Opening) -> httpcore.Response:
        """The answer to `request`, with its body still unread.

        Raises errors of httpcore and h11; then the caller must close the connection.
        """
        url, timeouts = request.url, request.timeouts
        origin = url.raw_scheme, url.raw_host, url.port
        if not self._can_take(origin):
            await self.aclose()
            await self._connect(origin, timeouts["connect"], opening)
        opening.sent()
        head = await self._head(request)
        return httpcore.Response(
            head.status_code,
            headers=head.headers.raw_items(),
            content=_Body(self, timeouts["read"]),
            extensions={"network_stream": self._stream, "reason_phrase": head.reason},
        )

    async def piece(self, timeout_s: float | None) -> bytes | None:
        """The next bytes of the answer's body, for which each read may wait `timeout_s`; None at its end."""
        event = await self._event(timeout_s)
        return event.data if isinstance(event, h11.Data) else None

    async def end_answer(self) -> None:
        """Keeps the connection for the next request if the answer was read to its end, and no further; else closes it.

        h11 would take what came after it for the next answer, of another image.
        """
        is_over = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        if self._stream and is_over and self._http.trailing_data == (b"", False):
            self._http.start_next_cycle()
            self._idle_until = trio.current_time() + self._keepalive_s
        else:
            await self.aclose()

    async def aclose(self) -> None:
        """Closes the connection."""
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.aclose()

    def _can_take(self, origin: _Origin) -> bool:
        if self._stream is None or origin != self._origin or trio.current_time() > self._idle_until:
            return False
        return not self._stream.get_extra_info("is_readable")  # it has been closed, or more came than was asked for

    async def _connect(self, origin: _Origin, timeout_s: float | None, opening: Opening) -> None:
        scheme, host, port = origin[0].decode("ascii"), origin[1].decode("ascii"), origin[2]
        if scheme not in PORTS:
            raise httpcore.UnsupportedProtocol(f"Request URL has an unsupported protocol '{scheme}://'.")
        stream = await self._network.connect_tcp(host, port or PORTS[scheme], timeout_s)
        opening.connected(stream)
        if scheme == "https":
            self._tls.set_alpn_protocols(["http/1.1"])
            opening.handshake_began()
            stream = await stream.start_tls(self._tls, host, timeout_s)
            opening.handshake_ended()
        self._stream, self._origin = stream, origin
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEAD_BYTES)

    async def _head(self, request: HttpRequest) -> h11.Response:
        """Sends `request`, and returns the head of its answer."""
        assert self._stream
        timeouts = request.timeouts
        head = h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers)
        data = self._http.send(head)
        assert data
        with suppress(httpcore.WriteError):  # a server may answer, and close, before it has read all
            await self._stream.write(data, timeouts["write"])
            self._http.send(h11.EndOfMessage())  # no bytes; without it, the connection is not used again
        event = await self._event(timeouts["read"])
        assert isinstance(event, h11.Response), "`wire` drops interim answers"
        return event

    async def _event(self, timeout_s: float | None) -> object:
        """What h11 finds next in the answer."""
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self._stream is None:
                raise httpcore.ReadError("the connection was closed")
            data = await self._stream.read(_READ_BYTES, timeout_s)
            if not data and self._http.their_state is h11.SEND_RESPONSE:
                raise httpcore.RemoteProtocolError("the server closed the connection without an answer")
            self._http.receive_data(data)


class _Body:
    """The body of an answer that is still unread, as httpcore's responses have it."""

    def __init__(self, connection: HttpConnection, timeout_s: float | None) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._is_closed = False

    def __aiter__(self) -> "_Body":
        return self

    async def __anext__(self) -> bytes:
        piece = await self._connection.piece(self._timeout_s)
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Ends the answer."""
        if not self._is_closed:
            self._is_closed = True
            await self._connection.end_answer()
