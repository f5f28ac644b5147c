"""Transfers over streams in memory, for tests of what a server or the network does."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpcore
import trio
import trio.testing
import trustme
from downloads import open_downloader
from httpcore._backends.trio import TrioStream

from oidl.demo.server import handle, serve
from oidl.demo.site import CannedResponse, Site
from oidl.model import Failure, Fetched, Source
from oidl.net.answer import Download
from oidl.net.client import Client, new_client, tls_context
from oidl.net.request import ArrivingBody
from oidl.net.transfer import Downloader
from oidl.net.wire import Network as Wires
from oidl.settings import NetworkSettings

BODY = bytes(range(256)) * 40


PAGE = b"<html>" + b" " * 1000


PATH = "/1/2_o.jpg"


URL = f"http://photos{PATH}"


UNAVAILABLE = "https://s.yimg.com/pw/images/en-us/photo_unavailable.png"


TRANSFERS = NetworkSettings()


TLS = tls_context()


class _Stream(TrioStream):
    """A stream without a socket."""

    def get_extra_info(self, info: str) -> Any:
        return None

    async def start_tls(self, *args: Any, **named: Any) -> httpcore.AsyncNetworkStream:
        secured = await super().start_tls(*args, **named)
        assert isinstance(secured, TrioStream)
        return _Stream(secured._stream)


@dataclass
class Network(httpcore.AsyncNetworkBackend):
    """A network in which one `site` is every host; it may accept no connection, or accept it and send nothing."""

    nursery: trio.Nursery
    site: Site
    tls: ssl.SSLContext | None = None
    is_black_hole: bool = False
    is_silent: bool = False
    connects_in_s: float = 0.0
    answers_in_s: float = 0.0
    connected_to: list[str] = field(default_factory=list)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: object = None,
    ) -> httpcore.AsyncNetworkStream:
        self.connected_to.append(host)
        if self.is_black_hole:
            assert timeout is not None
            await trio.sleep(timeout)
            raise httpcore.ConnectTimeout
        await trio.sleep(self.connects_in_s)
        client, server = trio.testing.memory_stream_pair()
        stream: trio.abc.Stream = server
        if self.tls is not None:
            stream = trio.SSLStream(server, self.tls, server_side=True, https_compatible=True)
        if not self.is_silent:
            self.nursery.start_soon(self._answer, stream)
        return _Stream(client)

    async def _answer(self, stream: trio.abc.Stream) -> None:
        if self.answers_in_s and isinstance(stream, trio.SSLStream):
            await stream.do_handshake()
            await trio.sleep(self.answers_in_s)
        await handle(stream, self.site)


@dataclass
class Transfer:
    """A downloader for a test, and a record of what it did."""

    downloader: Downloader
    site: Site
    network: Network | None
    arrived: list[int] = field(default_factory=list)
    requested: list[tuple[str, int]] = field(default_factory=list)
    body: ArrivingBody | None = None

    async def __call__(
        self,
        url: str = URL,
        size_bytes: int | None = len(BODY),
        cap_bytes: int = len(BODY),
        source: Source = Source.ORIGINAL,
    ) -> Fetched | Failure | None:
        download = Download(url, source, size_bytes, cap_bytes)
        return await self.downloader.fetch(download, self._requested)

    def _requested(self, url: str, body: ArrivingBody) -> None:
        self.requested.append((url, body.size))
        self.body = body


@asynccontextmanager
async def transfer(
    answer: CannedResponse | Site, transfers: NetworkSettings = TRANSFERS, verify: ssl.SSLContext = TLS, **network: Any
) -> AsyncIterator[Transfer]:
    """Opens transfers, in memory, from a host with this `answer` to `PATH`."""
    site = answer if isinstance(answer, Site) else Site({PATH: answer})
    async with trio.open_nursery() as nursery:
        backend = Network(nursery, site, **network)

        def client() -> Client:
            return new_client(transfers, verify, network=Wires(backend))

        arrived: list[int] = []

        async def count(length: int) -> None:
            arrived.append(length)

        async with open_downloader(transfers, client, on_bytes=count) as downloader:
            yield Transfer(downloader, site, backend, arrived)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def loopback(answer: CannedResponse) -> AsyncIterator[tuple[Transfer, str]]:
    """Opens transfers from a real server; yields them with its base URL."""
    site = Site({PATH: answer})
    async with trio.open_nursery() as nursery:
        base_url = await nursery.start(serve, site)
        async with open_downloader(TRANSFERS, lambda: new_client(TRANSFERS, TLS)) as downloader:
            yield Transfer(downloader, site, None), base_url
        nursery.cancel_scope.cancel()


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    """Runs `main` on a clock that does not wait."""
    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@dataclass
class Outcome:
    """The result of one transfer, its duration, and the sizes of the pieces that arrived."""

    result: Any
    took_s: float
    arrived: list[int]
    site: Site


def one(
    answer: CannedResponse | Site,
    *,
    transfers: NetworkSettings = TRANSFERS,
    network: dict[str, Any] | None = None,
    verify: ssl.SSLContext = TLS,
    **asked: Any,
) -> Outcome:
    """Runs one transfer from a host with this `answer`."""

    async def main() -> Outcome:
        async with transfer(answer, transfers, verify, **(network or {})) as get:
            began = trio.current_time()
            result = await get(**asked)
            return Outcome(result, trio.current_time() - began, get.arrived, get.site)

    return run(main)


def authority() -> tuple[trustme.CA, Callable[[str], ssl.SSLContext]]:
    """A certificate authority, and a function that makes server contexts with its certificates."""
    ca = trustme.CA()

    def server(name: str) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ca.issue_cert(name).configure_cert(context)
        return context

    return ca, server
