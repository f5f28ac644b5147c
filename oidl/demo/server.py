"""An HTTP/1.1 server for the loopback that breaks its answers in every way that `ServerFault` lists.

h11 reads the requests. Answers are written by hand, because h11 rightly refuses
to write most of them. The server serves any Trio stream (`handle`), and listens
(`serve`) on loopback addresses only. A client that leaves, or writes nonsense,
ends its own connection and nothing else.
"""

import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from ipaddress import ip_address
from itertools import cycle
from socket import SO_LINGER, SOL_SOCKET

import h11
import trio

from oidl.demo.response import Request, Response, respond
from oidl.demo.site import CannedResponse, ServerFault, Site

_READ_BYTES = 16 * 1024
_TICKS_PER_S = 20  # pieces per second at a limited speed
_GARBAGE = b"\x16\x03\x01\x00\x9c nothing that an HTTP client could read \xff\xfe\x00\r\n\r\n"
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


async def serve(
    site: Site,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves `site` until cancelled; `await nursery.start(serve, site)` returns its base URL, without a final slash.

    Several servers of one site listen on several ports, which are several hosts to
    a client. Raises `ValueError` for an address beyond loopback.
    """
    if not ip_address(host).is_loopback:
        raise ValueError(f"{host} is not a loopback address")
    listeners = await trio.open_tcp_listeners(port, host=host)
    base_url = f"{'https' if tls else 'http'}://{_authority(listeners[0].socket)}"
    answering = partial(handle, site=site)
    async with trio.open_nursery() as nursery:
        if tls is None:
            await nursery.start(trio.serve_listeners, answering, listeners)
        else:
            secured = [trio.SSLListener(listener, tls, https_compatible=True) for listener in listeners]
            await nursery.start(trio.serve_listeners, answering, secured)
        task_status.started(base_url)


async def handle(stream: trio.abc.Stream, site: Site) -> None:
    """Answers the requests on `stream` until one side closes it; never raises for anything a client does."""
    socket_stream = _socket_stream(stream)
    host = "stream" if socket_stream is None else _authority(socket_stream.socket)
    with site.connections.counting(host), suppress(trio.BrokenResourceError):
        async with stream:
            await _converse(stream, site)


async def _converse(stream: trio.abc.Stream, site: Site) -> None:
    unread = b""
    while True:
        try:
            request, unread = await _next_request(stream, unread)
        except h11.RemoteProtocolError as error:
            await stream.send_all(_head(error.error_status_hint, {"Content-Length": "0", "Connection": "close"}))
            return
        if request is None:
            return
        answer = site.answer(request.path, trio.current_time())
        body = await trio.to_thread.run_sync(answer.body) if callable(answer.body) else answer.body
        response = respond(request, answer, body)
        site.log.append((request.path, 0 if answer.behaviour is ServerFault.GARBAGE else response.status))
        await _BEHAVIOURS[answer.behaviour](stream, response, answer)
        if answer.behaviour not in _LEAVE_OPEN or not request.is_kept_alive:
            return


async def _next_request(stream: trio.abc.Stream, unread: bytes) -> tuple[Request | None, bytes]:
    """The next request, None if the client is done, and the bytes read beyond it; a request's body is dropped.

    Every request gets a new parser, because h11 starts the next cycle only after an
    answer that it wrote itself.
    """
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(unread or bytes(await stream.receive_some(_READ_BYTES)))
    head: h11.Request | None = None
    while True:
        event = parser.next_event()
        if event is h11.NEED_DATA:
            parser.receive_data(bytes(await stream.receive_some(_READ_BYTES)))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            is_kept_alive = parser.their_state is h11.DONE
            path = head.target.partition(b"?")[0].decode("latin-1")
            return Request(head.method, path, dict(head.headers), is_kept_alive), parser.trailing_data[0]
        elif isinstance(event, h11.ConnectionClosed):
            return None, b""


async def _normal(stream: trio.abc.Stream, response: Response, answer: CannedResponse) -> None:
    head = _head(response.status, _with_length(response))
    for piece in response.pieces():
        # One write for the head and a small body: a second write costs as much as the first.
        if head and len(piece) <= _READ_BYTES:
            piece = head + piece
        elif head:
            await stream.send_all(head)
        head = b""
        await stream.send_all(piece)
    if head:
        await stream.send_all(head)


async def _chunked(stream: trio.abc.Stream, response: Response, answer: CannedResponse) -> None:
    await stream.send_all(_head(response.status, response.headers | {"Transfer-Encoding": "chunked"}))
    for piece in response.pieces():
        await stream.send_all(_chunk(piece))
    await stream.send_all(_chunk(b""))


async def _no_length(stream: trio.abc.Stream, response: Response, answer: CannedResponse) -> None:
    await stream.send_all(_head(response.status, response.headers | {"Connection": "close"}))
    for piece in response.pieces():
        await stream.send_all(piece)


async def _slow(stream: trio.abc.Stream, response: Response, answer: CannedResponse) -> None:
    await stream.send_all(_head(response.status, _with_length(response)))
    tick_bytes = max(1, int(answer.bytes_per_s / _TICKS_PER_S))
    for piece in response.pieces(tick_bytes):
        await stream.send_all(piece)
        await trio.sleep(len(piece) / answer.bytes_per_s)


async def _drip(stream: trio.abc.Stream, response: Response, answer: CannedResponse) -> None:
    await _slow(stream, response.cut(response.length - 1), answer)
    await _silence(stream)


async def _cut(stream: trio.abc.Stream, response: Response, answer: CannedResponse) -> None:
    await _normal(stream, response.cut(int(response.length * answer.stops_at)), answer)


async def _reset(stream: trio.abc.Stream, response: Response, answer: CannedResponse) -> None:
    """Resets the connection; on a stream that is not a socket this is only a cut."""
    await _cut(stream, response, answer)
    socket_stream = _socket_stream(stream)
    if socket_stream is not None:  # a close that lingers for zero seconds is a reset
        socket_stream.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        await socket_stream.aclose()


async def _stall(stream: trio.abc.Stream, response: Response, answer: CannedResponse) -> None:
    await _cut(stream, response, answer)
    await _silence(stream)


async def _endless(stream: trio.abc.Stream, response: Response, answer: CannedResponse) -> None:
    await stream.send_all(_head(response.status, response.headers | {"Transfer-Encoding": "chunked"}))
    for piece in cycle(response.pieces()):
        await stream.send_all(_chunk(piece))


async def _garbage(stream: trio.abc.Stream, response: Response, answer: CannedResponse) -> None:
    await stream.send_all(_GARBAGE)


_BEHAVIOURS: dict[ServerFault, Callable[[trio.abc.Stream, Response, CannedResponse], Awaitable[None]]] = {
    ServerFault.NORMAL: _normal,
    ServerFault.CHUNKED: _chunked,
    ServerFault.NO_LENGTH: _no_length,
    ServerFault.SLOW: _slow,
    ServerFault.DRIP: _drip,
    ServerFault.CUT: _cut,
    ServerFault.RESET: _reset,
    ServerFault.STALL: _stall,
    ServerFault.ENDLESS: _endless,
    ServerFault.GARBAGE: _garbage,
}
_LEAVE_OPEN = frozenset({ServerFault.NORMAL, ServerFault.CHUNKED, ServerFault.SLOW})


async def _silence(stream: trio.abc.Stream) -> None:
    while await stream.receive_some(_READ_BYTES):
        pass


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, '')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")


def _with_length(response: Response) -> dict[str, str]:
    return {"Content-Length": str(response.length)} | response.headers


def _chunk(piece: bytes | memoryview) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), bytes(piece))


def _socket_stream(stream: trio.abc.Stream) -> trio.SocketStream | None:
    while isinstance(stream, trio.SSLStream):
        stream = stream.transport_stream
    return stream if isinstance(stream, trio.SocketStream) else None


def _authority(socket: trio.socket.SocketType) -> str:
    host, port = socket.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
