"""The server on a real socket: whatever its clients do, it continues, forgets them, and ends when it should."""

import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from oidl.web import browser, server
from oidl.web.address import listen
from oidl.web.database import Database
from oidl.web.server import Page, PageLimits

LIMITS = PageLimits()
LARGE = 4_000_000  # more than the kernel keeps for two ends of a connection


class Source:
    """Numbers its snapshots, each of `size` bytes."""

    def __init__(self, size: int = 10) -> None:
        self.size = size
        self.given = 0

    async def snapshot(self) -> str:
        self.given += 1
        return f"{self.given:<{self.size}}"


class Broken(Source):
    """Has no snapshot, because of a bug."""

    async def snapshot(self) -> str:
        raise RuntimeError("a bug of the page")


class Clients:
    """Whoever connects to `page`, from sockets with small buffers; all of them go in the end."""

    def __init__(self, page: Page, nursery: trio.Nursery) -> None:
        self.page = page
        self.nursery = nursery
        self._streams: list[trio.SocketStream] = []

    async def connect(self, target: str = "") -> trio.SocketStream:
        """A new connection, on which `target` is asked for."""
        client = trio.socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._streams.append(trio.SocketStream(client))
        await client.connect(self.page._address.listener.getsockname())
        if target:
            await self._streams[-1].send_all(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        return self._streams[-1]

    def go(self) -> None:
        for stream in self._streams:
            stream.socket.close()


def with_page(
    test: Callable[[Page, Clients], Awaitable[None]], source: Source, tmp_path: Path, limits: PageLimits = LIMITS
) -> float:
    """Runs `test` while a page of `source` is served, then ends it, which takes so many seconds; time takes no time."""

    async def main() -> float:
        page = Page(listen("0"), source, Database(tmp_path / "none"), tmp_path, limits)
        async with trio.open_nursery() as clients_nursery:
            clients = Clients(page, clients_nursery)
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(page.serve)
                    await test(page, clients)
                    ended = trio.current_time()
                    nursery.cancel_scope.cancel()
                assert page.connections == set()
                assert page.events.clients == 0
                return trio.current_time() - ended
            finally:
                clients.go()

    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.01))


async def read_until(stream: trio.SocketStream, text: bytes) -> bytes:
    """What comes until `text` did, or until the end."""
    seen = b""
    with suppress(trio.BrokenResourceError):
        while text not in seen and (piece := await stream.receive_some()):
            seen += piece
    return seen


async def wait_until(condition: Callable[[], object]) -> None:
    """Returns when `condition()` is true, which must be within a minute."""
    with trio.fail_after(60):
        while not condition():  # noqa: ASYNC110 - the clock jumps
            await trio.sleep(0.1)


def test_pages_and_snapshots_are_served(tmp_path: Path) -> None:
    async def test(page: Page, clients: Clients) -> None:
        stream = await clients.connect("/base.css")
        assert (await read_until(stream, b"--ground")).startswith(b"HTTP/1.1 200")
        stream = await clients.connect("/events")
        assert b"data: 1 " in await read_until(stream, b"data: 1 ")
        assert b"data: 3 " in await read_until(stream, b"data: 3 ")

    with_page(test, Source(), tmp_path)


def test_clients_that_never_read_are_cut_off_and_others_see_nothing_of_them(tmp_path: Path) -> None:
    source = Source(LARGE)

    async def test(page: Page, clients: Clients) -> None:
        for _ in range(50):
            await clients.connect("/events")
        await wait_until(lambda: page.events.clients == 50)
        with trio.fail_after(5):  # of the mock clock: one second a snapshot
            await wait_until(lambda: source.given >= 3)
        await wait_until(lambda: page.events.clients == 0)
        assert page.connections == set()

    with_page(test, source, tmp_path)


def test_it_ends_at_once_though_clients_never_read(tmp_path: Path) -> None:
    async def test(page: Page, clients: Clients) -> None:
        for _ in range(50):
            await clients.connect("/events")
        await wait_until(lambda: page.events.clients == 50)
        await wait_until(lambda: page._source.given >= 3)  # type: ignore[attr-defined]

    assert with_page(test, Source(LARGE), tmp_path) < 0.5


def test_a_client_that_drops_is_forgotten(tmp_path: Path) -> None:
    async def test(page: Page, clients: Clients) -> None:
        for _ in range(20):
            stream = await clients.connect("/events")
            await read_until(stream, b"data: ")
            await stream.aclose()
        await wait_until(lambda: not page.connections)
        assert page.events.clients == 0

    with_page(test, Source(), tmp_path)


def test_a_client_that_asks_for_nothing_is_let_go(tmp_path: Path) -> None:
    async def test(page: Page, clients: Clients) -> None:
        stream = await clients.connect()
        await wait_until(lambda: page.connections)
        with trio.fail_after(20):
            assert await read_until(stream, b"never") == b""

    with_page(test, Source(), tmp_path)


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\0\xa5\1\0", b"GET /\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"x" * 70_000]
)
def test_what_is_not_http_is_no_harm(tmp_path: Path, garbage: bytes) -> None:
    async def test(page: Page, clients: Clients) -> None:
        stream = await clients.connect()
        await stream.send_all(garbage)
        with trio.fail_after(60):
            await read_until(stream, b"never")
        other = await clients.connect("/")
        assert b"200" in await read_until(other, b"<title>")

    with_page(test, Source(), tmp_path)


def test_more_connections_than_can_be_borne_are_closed(tmp_path: Path) -> None:
    async def test(page: Page, clients: Clients) -> None:
        held = [await clients.connect("/events") for _ in range(2)]
        await wait_until(lambda: page.events.clients == 2)
        refused = await clients.connect("/")
        assert await read_until(refused, b"never") == b""
        await held[0].aclose()
        await wait_until(lambda: len(page.connections) == 1)
        assert b"200" in await read_until(await clients.connect("/"), b"<title>")

    with_page(test, Source(), tmp_path, PageLimits(connections=2))


def test_clients_that_only_hold_connections_shut_nobody_out(tmp_path: Path) -> None:
    async def test(page: Page, clients: Clients) -> None:
        for _ in range(20):
            stream = await clients.connect()
            await stream.send_all(b"GET / HTTP/1.1\r\n")  # and never the rest
        follows = await clients.connect("/events")
        assert b"data: 1 " in await read_until(follows, b"data: 1 ")
        for _ in range(20):
            assert b"200" in await read_until(await clients.connect("/"), b"<title>")
        assert len(page.connections) <= 4
        assert page.events.clients == 1  # what is being answered makes no way

    with_page(test, Source(), tmp_path, PageLimits(connections_per_address=3))


def test_an_address_has_a_share_of_the_connections() -> None:
    class Stream:
        def __init__(self, host: str) -> None:
            self.socket = self
            self.getpeername = lambda: (host, 1)

    addresses = ["10.0.0.1", "10.0.0.2", "2001:db8:1:2:3::4", "2001:db8:1:2:5::6", "2001:db8:1:3::4", "fe80::1%eth0"]
    shares = [server._address_of(Stream(host)) for host in addresses]  # type: ignore[arg-type]
    assert len(set(shares)) == 5
    assert shares[2] == shares[3]  # of one network


def test_a_bug_met_by_one_client_ends_its_connection_and_is_a_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(page: Page, clients: Clients) -> None:
        for _ in range(30):
            answer = await read_until(await clients.connect("/api/snapshot"), b"never")  # until the connection ends
            assert answer.startswith(b"HTTP/1.1 500 ")
        assert b"200" in await read_until(await clients.connect("/"), b"<title>")

    with_page(test, Broken(), tmp_path)
    assert len(caplog.records) == LIMITS.warnings == 20
    assert "a bug of the page" in caplog.text
    assert not any(record.exc_info for record in caplog.records)


def test_the_end_is_told_to_all_who_follow(tmp_path: Path) -> None:
    async def test(page: Page, clients: Clients) -> None:
        stream = await clients.connect("/events")
        await read_until(stream, b"data: 1 ")
        clients.nursery.start_soon(page.publish_final)
        rest = await read_until(stream, b"0\r\n\r\n")
        assert rest.count(b"data: ") >= 1
        assert rest.endswith(b"0\r\n\r\n")  # and that is all there will be

    with_page(test, Source(), tmp_path)


def test_nobody_who_does_not_read_delays_the_end_by_more_than_a_second(tmp_path: Path) -> None:
    async def test(page: Page, clients: Clients) -> None:
        await clients.connect("/events")
        await wait_until(lambda: page._source.given >= 2)  # type: ignore[attr-defined]
        began = trio.current_time()
        await page.publish_final()
        assert trio.current_time() - began == pytest.approx(1.0, abs=0.1)

    with_page(test, Source(LARGE), tmp_path)


def test_an_error_of_the_page_ends_the_page_and_nothing_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test(page: Page, clients: Clients) -> None:
        stream = await clients.connect("/events")
        await read_until(stream, b"never")
        await trio.testing.wait_all_tasks_blocked()

    with_page(test, Broken(), tmp_path)
    assert "the page has ended" in caplog.text
    assert "a bug of the page" in caplog.text


def test_no_browser_is_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def fail(url: str) -> bool:
        opened.append(url)
        raise OSError("no display")

    monkeypatch.setattr("webbrowser.open", fail)
    trio.run(partial(browser.open_in_browser, "http://127.0.0.1:1/"))
    assert opened == ["http://127.0.0.1:1/"]
