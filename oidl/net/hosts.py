"""Connections lent out host by host: the caps, keep-alive across images, and pauses.

Each connection is an httpx client of its own that holds one connection: with
one shared client, httpx 0.28 spends 4–8 ms of CPU on a request at 64
connections, so 0.6–1 ms. An idle connection counts like a busy one, for the
host and in all. Where all are open, the one that is idle the longest is turned
to the new host.

A host that answered "too many requests" is left alone until its pause is over.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import httpx
import trio

from oidl.settings import Transfers

_PATIENCE_S = 30.0  # for a longer pause of its host an image goes back to the queue instead of holding a fetcher


class Hosts:
    """All connections of a run, within `max_host_connections` and `max_total_connections`."""

    def __init__(self, transfers: Transfers, new_client: Callable[[], httpx.AsyncClient]) -> None:
        self._new_client = new_client
        self._per_host = transfers.max_host_connections
        self._total = transfers.max_total_connections
        self._busy = trio.Semaphore(self._total)
        self._busy_at: defaultdict[str, trio.Semaphore] = defaultdict(lambda: trio.Semaphore(self._per_host))
        self._idle: dict[httpx.AsyncClient, str] = {}  # longest idle first
        self._clients = AsyncExitStack()
        self._opened = 0
        self._paused_until: dict[str, float] = {}
        self.is_draining = False
        self._waiting: set[trio.CancelScope] = set()

    async def __aenter__(self) -> "Hosts":
        return self

    async def __aexit__(self, *_: object) -> None:
        with trio.CancelScope(shield=True):  # closing is quick, and a connection left open warns
            await self._clients.aclose()

    @asynccontextmanager
    async def connection(self, url: str) -> AsyncIterator[httpx.AsyncClient | None]:
        """A connection for one request to the host of `url`, as soon as the caps and the host's pause allow.

        None if the run drains before that (nothing new is to be asked for then), or if the pause is a long one,
        which may also begin while this waits.
        """
        host = _host(url)
        may_ask = False
        async with AsyncExitStack() as held:
            with trio.CancelScope() as waiting:
                self._waiting.add(waiting)
                try:
                    if self.is_draining:
                        waiting.cancel()
                    await held.enter_async_context(self._busy_at[host])
                    while not may_ask and (pause_s := self.pause_s(url)) <= _PATIENCE_S:
                        await trio.sleep(pause_s)
                        await self._busy.acquire()
                        if self.pause_s(url):  # one began, or grew, meanwhile; other hosts need not wait for it
                            self._busy.release()
                        else:
                            held.callback(self._busy.release)
                            may_ask = True
                finally:
                    self._waiting.remove(waiting)
            if not may_ask:
                yield None
                return
            client = await self._take(host)
            try:
                yield client
            finally:
                self._idle[client] = host

    def drain(self) -> None:
        """From now on no connection is lent; those that are lent already may finish."""
        self.is_draining = True
        for scope in self._waiting:
            scope.cancel()

    def pause(self, url: str, seconds: float) -> None:
        """Leaves the host of `url` alone for `seconds`, or longer if that was asked before."""
        host = _host(url)
        until = trio.current_time() + seconds
        self._paused_until[host] = max(until, self._paused_until.get(host, until))

    def pause_s(self, url: str) -> float:
        """Seconds until the host of `url` may be asked again; 0 if it may be now."""
        host = _host(url)
        return max(0.0, self._paused_until.get(host, 0.0) - trio.current_time())

    async def _take(self, host: str) -> httpx.AsyncClient:
        client = next((client for client, at in reversed(self._idle.items()) if at == host), None)
        if client is None and self._opened < self._total:
            self._opened += 1
            return await self._clients.enter_async_context(self._new_client())
        if client is None:  # `_busy` lets us in only when some connection is idle
            client = next(iter(self._idle))
        del self._idle[client]
        return client


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:  # "http://[1.2.3.4]/": no client will ask for it either
        return ""
