"""Between a request and the first byte of its answer: proxies that talk nonsense, or not at all, on a mock clock.

Each gets two requests. The second one shows what the first one left behind.
"""

import os
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpcore
import pytest
import trio
import trio.testing
import trustme
from downloads import open_downloader
from httpcore._backends.trio import TrioStream

from oidl.model import Blame, Failure, Fetched, Reason, Source
from oidl.net.client import new_client, tls_context
from oidl.net.transfer import Download, Downloader
from oidl.net.wire import Network
from oidl.settings import NetworkSettings

BODY = bytes(range(256)) * 40
URL = "https://photos.invalid/1_o.jpg"
TRANSFERS = NetworkSettings()
PROXY = "http://proxy.example:3128"
THROUGH = f"(through the proxy {PROXY})"

Talk = Callable[[trio.abc.Stream], Awaitable[None]]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("SSL_CERT_"):
            monkeypatch.delenv(name)


class Counted(TrioStream):
    """A stream in memory that says when it is closed."""

    def __init__(self, stream: trio.abc.Stream, on_close: Callable[[], None]) -> None:
        super().__init__(stream)
        self.on_close = on_close

    def get_extra_info(self, info: str) -> Any:
        return None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return bytes(await super().read(max_bytes, timeout))  # as sockets give them

    async def aclose(self) -> None:
        self.on_close()
        await super().aclose()

    async def start_tls(self, *args: Any, **named: Any) -> httpcore.AsyncNetworkStream:
        secured = await super().start_tls(*args, **named)
        assert isinstance(secured, TrioStream)
        return Counted(secured._stream, self.on_close)


@dataclass
class Proxy(httpcore.AsyncNetworkBackend):
    """Where every connection ends: the other side `talk`s."""

    nursery: trio.Nursery
    talk: Talk
    opened: int = 0
    closed: set[int] = field(default_factory=set)

    async def connect_tcp(self, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
        await trio.lowlevel.checkpoint()
        client, server = trio.testing.memory_stream_pair()
        self.opened += 1
        self.nursery.start_soon(self._talk, server)
        number = self.opened
        return Counted(client, lambda: self.closed.add(number))

    async def _talk(self, stream: trio.abc.Stream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self.talk(stream)


@dataclass(frozen=True)
class Outcome:
    """One request: its result, and the seconds that it took."""

    result: Fetched | Failure | None
    took_s: float


def ask(talk: Talk, *, url: str = URL, times: int = 2, verify: ssl.SSLContext | None = None) -> list[Outcome]:
    """The outcomes of requests one after the other over the same connections; none is left open by a failure."""
    tls = verify or tls_context()

    async def main() -> list[Outcome]:
        outcomes = []
        async with trio.open_nursery() as nursery:
            proxy = Proxy(nursery, talk)
            async with open_downloader(
                NetworkSettings(max_total_connections=1), lambda: new_client(TRANSFERS, tls, network=Network(proxy))
            ) as downloader:
                for _ in range(times):
                    began = trio.current_time()
                    result = await downloader.fetch(Download(url, Source.ORIGINAL, len(BODY), len(BODY)))
                    outcomes.append(Outcome(result, trio.current_time() - began))
                    if not isinstance(result, Fetched):
                        assert proxy.closed == set(range(1, proxy.opened + 1))
            nursery.cancel_scope.cancel()
        return outcomes

    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def head_of(stream: trio.abc.Stream) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = await stream.receive_some(4096)
        if not piece:
            raise trio.BrokenResourceError
        head += bytes(piece)
    return head


async def page_at_once(stream: trio.abc.Stream) -> None:
    await head_of(stream)
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>blocked</html>")
    await trio.sleep_forever()


async def page_in_a_moment(stream: trio.abc.Stream) -> None:
    await head_of(stream)
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
    await trio.sleep(1)
    await stream.send_all(b"<html>blocked</html>")
    await trio.sleep_forever()


async def tunnel_to_nowhere(stream: trio.abc.Stream) -> None:
    await head_of(stream)
    await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
    await trio.sleep_forever()


async def byte_by_byte(stream: trio.abc.Stream) -> None:
    await head_of(stream)
    for byte in b"HTTP/1.1 200 Connection established\r\n\r\n":
        await trio.sleep(3)
        await stream.send_all(bytes([byte]))


async def silence(stream: trio.abc.Stream) -> None:
    await trio.sleep_forever()


async def garbage(stream: trio.abc.Stream) -> None:
    await head_of(stream)
    await stream.send_all(b"SSH-2.0-OpenSSH_9.2\r\n")
    await trio.sleep_forever()


async def goodbye(stream: trio.abc.Stream) -> None:
    await head_of(stream)
    await stream.aclose()


async def refusal(stream: trio.abc.Stream) -> None:
    await head_of(stream)
    await stream.send_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("talk", "reason", "said", "took_s"),
    [
        (
            page_at_once,
            Reason.CONNECTION,
            "the answer is a page and not a tunnel: it starts with b'<html>blocked</html>'",
            0,
        ),
        (page_in_a_moment, Reason.TLS, "", 1),
        (tunnel_to_nowhere, Reason.TIMEOUT, "no TLS handshake in time", TRANSFERS.tls_timeout_s),
        (byte_by_byte, Reason.TIMEOUT, "no tunnel in time", TRANSFERS.connect_timeout_s),
        (silence, Reason.TIMEOUT, "no tunnel in time", TRANSFERS.connect_timeout_s),
        (garbage, Reason.CONNECTION, "the answer is not HTTP: it starts with b'SSH-2.0-OpenSSH_9.2", 0),
        (goodbye, Reason.CONNECTION, "", 0),
        (refusal, Reason.CONNECTION, "403 Forbidden", 0),
    ],
)
def test_a_proxy_that_gives_no_tunnel_is_named_and_costs_no_more_than_connecting_may(
    talk: Talk, reason: Reason, said: str, took_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", PROXY.replace("//", "//me:secret@"))
    for outcome in ask(talk):
        assert isinstance(outcome.result, Failure)
        assert (outcome.result.reason, outcome.result.blame) == (reason, Blame.HOST)
        assert said in outcome.result.detail
        assert outcome.result.detail.endswith(THROUGH)
        assert outcome.took_s == pytest.approx(took_s)


def test_what_a_proxy_did_to_one_request_is_not_done_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", PROXY)
    ca = trustme.CA()
    trusting = ssl.create_default_context()
    ca.configure_trust(trusting)
    ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("photos.invalid").configure_cert(ours)
    troubles = [tunnel_to_nowhere, page_at_once, silence]

    async def talk(stream: trio.abc.Stream) -> None:
        if troubles:
            await troubles.pop()(stream)
        await head_of(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        inner = trio.SSLStream(stream, ours, server_side=True, https_compatible=True)
        await head_of(inner)
        await inner.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)

    outcomes = ask(talk, times=4, verify=trusting)
    assert [isinstance(outcome.result, Fetched) for outcome in outcomes] == [False, False, False, True]


# ---- SOCKS


async def socks_silence(stream: trio.abc.Stream) -> None:
    await stream.receive_some(4096)
    await trio.sleep_forever()


async def socks_then_silence(stream: trio.abc.Stream) -> None:
    await stream.receive_some(4096)
    await stream.send_all(b"\x05\x00")
    await trio.sleep_forever()


async def socks_to_nowhere(stream: trio.abc.Stream) -> None:
    await stream.receive_some(4096)
    await stream.send_all(b"\x05\x00")
    await stream.receive_some(4096)
    await stream.send_all(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
    await trio.sleep_forever()


async def not_socks(stream: trio.abc.Stream) -> None:
    await stream.receive_some(4096)
    await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def socks_goodbye(stream: trio.abc.Stream) -> None:
    await stream.receive_some(4096)
    await stream.aclose()


@pytest.mark.parametrize(
    ("talk", "url", "reason", "took_s"),
    [
        (silence, URL, Reason.TIMEOUT, TRANSFERS.connect_timeout_s),
        (socks_silence, URL, Reason.TIMEOUT, TRANSFERS.connect_timeout_s),
        (socks_silence, URL.replace("https", "http"), Reason.TIMEOUT, TRANSFERS.connect_timeout_s),
        (socks_then_silence, URL, Reason.TIMEOUT, TRANSFERS.connect_timeout_s),
        (socks_to_nowhere, URL, Reason.TIMEOUT, TRANSFERS.tls_timeout_s),
        (not_socks, URL, Reason.CONNECTION, 0),
        (socks_goodbye, URL, Reason.CONNECTION, 0),
    ],
)
def test_a_socks_proxy_is_held_to_the_same(
    talk: Talk, url: str, reason: Reason, took_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("socksio")
    monkeypatch.setenv("all_proxy", "socks5://proxy.example:1080")
    for outcome in ask(talk, url=url):
        assert isinstance(outcome.result, Failure)
        assert (outcome.result.reason, outcome.result.blame) == (reason, Blame.HOST)
        assert outcome.result.detail.endswith("(through the proxy socks5://proxy.example:1080)")
        assert outcome.took_s == pytest.approx(took_s)


# ---- a drain


@pytest.mark.parametrize("talk", [silence, tunnel_to_nowhere])
@pytest.mark.parametrize("proxy", [PROXY, ""])
def test_a_drain_gives_up_what_has_no_connection_yet(talk: Talk, proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    results: list[Any] = []

    async def fetch(downloader: Downloader) -> None:
        results.append(await downloader.fetch(Download(URL, Source.ORIGINAL, len(BODY), len(BODY))))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            backend = Proxy(nursery, talk)
            async with (
                open_downloader(
                    TRANSFERS, lambda: new_client(TRANSFERS, tls_context(), network=Network(backend))
                ) as downloader,
                trio.open_nursery() as fetching,
            ):
                fetching.start_soon(fetch, downloader)
                await trio.sleep(2)
                began = trio.current_time()
                downloader.permits.drain.begin()
                await trio.testing.wait_all_tasks_blocked()
                assert (results, trio.current_time() - began) == ([None], 0)
                assert downloader.permits.backoff(URL) is None
                assert backend.closed == {1}
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
