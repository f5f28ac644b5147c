"""A `Downloader` with its own permits and connections."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from oidl.net.connections import Connections
from oidl.net.permits import Permits
from oidl.net.request import DirectConnection
from oidl.net.transfer import Downloader
from oidl.settings import NetworkSettings


@asynccontextmanager
async def open_downloader(
    transfers: NetworkSettings,
    new_client: Callable[[], Any],
    *providers: Any,
    on_bytes: Callable[[int], Awaitable[None]] | None = None,
    **options: Any,
) -> AsyncIterator[Downloader]:
    """A downloader; `providers` and `options` are those of `Permits`, `on_bytes` is that of its connections."""

    async def nobody(_: int) -> None:
        await trio.lowlevel.checkpoint()

    permits = Permits(transfers, *providers, **options)

    def connection(_: object) -> DirectConnection:
        return DirectConnection(new_client(), permits.drain, on_bytes or nobody)

    async with Connections(transfers.max_total_connections, connection) as connections:
        yield Downloader(permits, connections, transfers)
