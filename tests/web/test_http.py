"""One client on one connection: HTTP/1.1, one request at a time, and a limit for everything that it sends."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing
from starlette.responses import PlainTextResponse

from oidl.web.http import Connection
from oidl.web.limiter import RateLimiter

GET = b"GET /a%20b?c=d HTTP/1.1\r\nHost: x\r\n\r\n"


class Client:
    """The other end of a connection whose requests an application answers; it counts what is asked at once."""

    def __init__(self, per_s: float = 1e6, answer_s: float = 0) -> None:
        self.stream, server = trio.testing.memory_stream_pair()
        self.scopes: list[dict[str, Any]] = []
        self.at_once = self.most_at_once = 0
        self._answer_s = answer_s
        self.connection = Connection(server, "1.2.3.4", self._app, RateLimiter(per_s))
        self._server = server

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await trio.sleep(self._answer_s)
        await PlainTextResponse("hello")(scope, receive, send)
        self.at_once -= 1

    async def serve(self) -> None:
        """Serves to the end, then closes."""
        await self.connection.serve()
        await self._server.aclose()

    async def everything(self) -> bytes:
        """All that comes until the server closes."""
        seen = b""
        while piece := await self.stream.receive_some():
            seen += piece
        return seen


def with_client(test: Callable[[Client], Awaitable[None]], **options: float) -> None:
    """Runs `test` while its client is served; time takes no time."""

    async def main() -> None:
        client = Client(**options)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.serve)
            await test(client)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_requests_are_answered_one_after_another_on_one_connection() -> None:
    async def test(client: Client) -> None:
        for _ in range(3):
            await client.stream.send_all(GET)
            seen = b""
            while not seen.endswith(b"hello"):
                seen += await client.stream.receive_some()
            assert seen.startswith(b"HTTP/1.1 200")
        assert [(scope["path"], scope["query_string"]) for scope in client.scopes] == [("/a b", b"c=d")] * 3

    with_client(test)


def test_requests_sent_ahead_wait_for_their_turn() -> None:
    async def test(client: Client) -> None:
        await client.stream.send_all(GET * 500)
        await trio.sleep(10.5)
        assert client.most_at_once == 1
        assert len(client.scopes) == 11

    with_client(test, answer_s=1)


def test_no_more_is_answered_in_a_second_than_the_limit_allows() -> None:
    async def test(client: Client) -> None:
        await client.stream.send_all(GET * 500)
        await trio.sleep(10)
        assert 45 <= len(client.scopes) <= 60  # an answer takes two turns: the request and its body

    with_client(test, per_s=10)


def test_what_is_saved_up_is_a_second_worth() -> None:
    async def main() -> list[float]:
        limiter = RateLimiter(4)
        await trio.sleep(100)
        began = trio.current_time()
        taken = []
        for _ in range(8):
            await limiter.acquire()
            taken.append(trio.current_time() - began)
        return taken

    taken = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert taken == pytest.approx([0, 0, 0, 0, 0.25, 0.5, 0.75, 1], abs=0.01)


def test_http_2_is_not_spoken() -> None:
    async def test(client: Client) -> None:
        await client.stream.send_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
        assert (await client.everything()).startswith(b"HTTP/1.1 505 ")
        assert client.scopes == []

    with_client(test)


def test_an_upgrade_is_passed_over() -> None:
    async def test(client: Client) -> None:
        upgrade = b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
        await client.stream.send_all(GET[:-2] + upgrade)
        assert (await client.everything()).startswith(b"HTTP/1.1 200")

    with_client(test)


async def drip(stream: trio.abc.SendStream) -> None:
    while True:
        await stream.send_all(b"X-Drip: 1\r\n")
        await trio.sleep(4)


def test_a_head_that_never_ends_is_cut_off_however_often_a_line_comes() -> None:
    async def test(client: Client) -> None:
        await client.stream.send_all(GET[:-2])
        with pytest.raises(trio.BrokenResourceError), trio.fail_after(20):
            await drip(client.stream)
        assert client.scopes == []

    with_client(test)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (GET[:-2] + b"Cookie: " + b"\\" * 55_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"\x16\x03\x01\0\xa5\1\0\r\n\r\n", b"400"),
    ],
)
def test_what_is_no_request_is_refused_and_the_last(request_: bytes, status: bytes) -> None:
    async def test(client: Client) -> None:
        await client.stream.send_all(request_)
        assert (await client.everything()).startswith(b"HTTP/1.1 " + status)
        assert client.scopes == []

    with_client(test)


def test_a_request_with_a_body_is_the_last() -> None:
    async def test(client: Client) -> None:
        await client.stream.send_all(GET[:-2] + b"Content-Length: 1000000\r\n\r\nx" + GET)
        answer = await client.everything()
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"onnection: close" in answer

    with_client(test)


def test_a_head_is_answered_without_a_body() -> None:
    async def test(client: Client) -> None:
        await client.stream.send_all(b"HEAD" + GET[3:-2] + b"Connection: close\r\n\r\n")
        answer = await client.everything()
        assert answer.endswith(b"\r\n\r\n")
        assert b"content-length: 5\r\n" in answer

    with_client(test)


def test_one_who_takes_nothing_is_cut_off() -> None:
    async def main() -> None:
        client = Client()

        async def block() -> None:
            await trio.sleep_forever()

        client._server.send_stream.send_all_hook = block
        await client.stream.send_all(GET)
        with pytest.raises(trio.BrokenResourceError), trio.fail_after(30):
            await client.connection.serve()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
