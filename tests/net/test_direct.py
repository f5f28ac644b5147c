"""A connection without a proxy: when it is used again, and what it does about a server that hangs up."""

import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any

import h11
import httpcore
import httpx
import pytest
import trio
import trio.testing

from oidl.net.direct import HttpConnection, HttpRequest
from oidl.net.opening import Opening

TIMEOUTS: dict[str, float | None] = {"connect": 10.0, "read": 10.0, "write": 10.0, "pool": None}
HEADERS = [(b"Host", b"a.example")]
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
KEPT_S = 60.0


@dataclass
class Stream(httpcore.AsyncNetworkStream):
    """A server that sends `answers`, and may hang up on what it is sent."""

    answers: list[bytes]
    is_deaf: bool = False
    is_readable: bool = False
    is_closed: bool = False

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await trio.lowlevel.checkpoint()
        if self.is_deaf:
            raise httpcore.WriteError("broken pipe")

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        if self.is_closed:
            raise httpcore.ReadError("closed")
        return self.answers.pop(0) if self.answers else b""

    async def aclose(self) -> None:
        self.is_closed = True

    def get_extra_info(self, info: str) -> Any:
        return self.is_readable if info == "is_readable" else None


@dataclass
class Network(httpcore.AsyncNetworkBackend):
    """Opens the `streams`, one after the other, and notes where they lead to."""

    streams: list[Stream]
    asked: list[tuple[str, int]] = field(default_factory=list)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        await trio.lowlevel.checkpoint()
        self.asked.append((host, port))
        return self.streams[len(self.asked) - 1]


def on_mock_clock(test: Callable[..., Any]) -> Callable[..., None]:
    """Runs an async test on a clock that jumps."""

    @wraps(test)
    def run(**arguments: Any) -> None:
        trio.run(partial(test, **arguments), clock=trio.testing.MockClock(autojump_threshold=0))

    return run


def connection(network: Network) -> HttpConnection:
    return HttpConnection(ssl.create_default_context(), network, KEPT_S)


async def ask(connection: HttpConnection, url: str = "http://a.example/1", *, reads: bool = True) -> bytes:
    """The body of an answer, after which it is closed, read to its end or not."""
    answer = await connection.answer(HttpRequest("GET", httpx.URL(url), HEADERS, TIMEOUTS), Opening(10.0, 10.0))
    assert answer.status == 200
    body = b""
    async for piece in answer.stream if reads else Nothing():  # type: ignore[union-attr]
        body += piece
    await answer.aclose()
    return body


class Nothing:
    def __aiter__(self) -> "Nothing":
        return self

    async def __anext__(self) -> bytes:
        raise StopAsyncIteration


@on_mock_clock
async def test_it_is_kept_for_the_same_host_until_it_was_idle_for_too_long() -> None:
    network = Network([Stream([HELLO, HELLO]), Stream([HELLO])])
    used = connection(network)
    assert await ask(used) == b"hello"
    await trio.sleep(KEPT_S - 1)
    assert await ask(used) == b"hello"
    assert len(network.asked) == 1
    await trio.sleep(KEPT_S + 1)
    assert await ask(used) == b"hello"
    assert len(network.asked) == 2
    assert network.streams[0].is_closed


@on_mock_clock
async def test_another_host_or_port_is_another_connection() -> None:
    network = Network([Stream([HELLO]), Stream([HELLO]), Stream([HELLO])])
    used = connection(network)
    for url in ("http://a.example/1", "http://b.example/1", "http://b.example:8080/1"):
        await ask(used, url)
    assert network.asked == [("a.example", 80), ("b.example", 80), ("b.example", 8080)]
    assert [stream.is_closed for stream in network.streams] == [True, True, False]


@pytest.mark.parametrize("reason", ["more came later", "more came with it", "not read to its end", "it says so"])
@on_mock_clock
async def test_it_is_not_used_again_if(reason: str) -> None:
    first = HELLO.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n") if reason == "it says so" else HELLO
    network = Network([Stream([first + (HELLO if reason == "more came with it" else b""), HELLO]), Stream([HELLO])])
    used = connection(network)
    await ask(used, reads=reason != "not read to its end")
    network.streams[0].is_readable = reason == "more came later"
    assert await ask(used) == b"hello"
    assert len(network.asked) == 2
    assert network.streams[0].is_closed


@on_mock_clock
async def test_an_answer_counts_though_the_server_hung_up_on_the_request_but_the_connection_is_not_used_again() -> None:
    network = Network([Stream([HELLO, HELLO], is_deaf=True), Stream([HELLO])])
    used = connection(network)
    assert [await ask(used), await ask(used)] == [b"hello", b"hello"]
    assert len(network.asked) == 2


@pytest.mark.parametrize("beginning", [[], [b"HTTP/1.1 20"]])
@on_mock_clock
async def test_a_server_that_hangs_up_says_so(beginning: list[bytes]) -> None:
    with pytest.raises(httpcore.RemoteProtocolError, match="closed the connection without an answer"):
        await ask(connection(Network([Stream(beginning)])))


@on_mock_clock
async def test_a_body_that_breaks_off_is_an_error_and_not_the_body() -> None:
    with pytest.raises(h11.RemoteProtocolError, match="peer closed connection"):
        await ask(connection(Network([Stream([HELLO[:-2]])])))
