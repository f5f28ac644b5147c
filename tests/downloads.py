"""A `Downloader` with its own permits and connections."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from oidl.net.connections import Connections
from oidl.net.permits import Permits
from oidl.net.transfer import Downloader
from oidl.settings import NetworkSettings


@asynccontextmanager
async def open_downloader(
    transfers: NetworkSettings, new_client: Callable[[], Any], *providers: Any, **options: Any
) -> AsyncIterator[Downloader]:
    """A downloader; `providers` and `options` are those of `Permits`."""
    permits = Permits(transfers, *providers, **options)
    async with Connections(transfers.max_total_connections, new_client) as connections:
        yield Downloader(permits, connections, transfers)
