"""The page's server: accepts clients, and bounds how many there are and how much is done for them.

Clients cannot raise the cost without limit: connections are limited in total and
per address, and answers per second. When there are too many connections, the one
that has been idle longest is closed, so that clients which only hold connections
cannot shut out others. An error with one client ends its connection and nothing
else.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from oidl.web.address import Address
from oidl.web.app import make_app
from oidl.web.database import Database
from oidl.web.events import Events
from oidl.web.feeds import SnapshotSource
from oidl.web.http import Connection
from oidl.web.limiter import RateLimiter
from oidl.web.security import SecurityMiddleware

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_SNAPSHOT_S = 1.0
_GOODBYE_S = 1.0

log = logging.getLogger("oidl")


@dataclass(frozen=True, slots=True)
class PageLimits:
    """What clients may cost: connections in total and from one address; how many of them, and answers, per second.

    An answer is a request, or a piece of its answer. The log has up to `warnings` lines about clients.
    """

    connections: int = 256
    connections_per_address: int = 128
    connections_per_s: int = 100
    answers_per_s: int = 300
    warnings: int = 20


_LIMITS = PageLimits()


class Page:
    """The page of one run or one database: snapshots of `source`, and files in `root_dir` that `database` knows."""

    def __init__(
        self,
        address: Address,
        source: SnapshotSource,
        database: Database,
        root_dir: Path,
        limits: PageLimits = _LIMITS,
    ) -> None:
        self._address = address
        self._source = source
        self._limits = limits
        self.events = Events()
        self._app: ASGIApp = SecurityMiddleware(make_app(source, database, self.events, root_dir), address)
        self.connections: set[Connection] = set()
        self._answers = RateLimiter(limits.answers_per_s)
        self._warnings = 0

    async def serve(self) -> None:
        """Serves until cancelled. An error here ends the page and nothing else."""
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(self._address.listener))
        async with listener:
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._publish)
                    await self._accept(listener, nursery)
            except* Exception as errors:
                log.error("the page has ended: %r", errors.exceptions, exc_info=errors)

    async def _accept(self, listener: trio.SocketListener, nursery: trio.Nursery) -> None:
        limiter = RateLimiter(self._limits.connections_per_s)
        while True:
            await limiter.acquire()
            try:
                stream = await listener.accept()
            except OSError:  # the client has left already, or too many files are open now
                continue
            nursery.start_soon(self._serve_client, stream)

    async def _serve_client(self, stream: trio.SocketStream) -> None:
        try:
            connection = Connection(stream, _address_of(stream), self._app, self._answers)
            self.connections.add(connection)
            try:
                if self._make_room(connection):
                    await connection.serve()
            finally:
                self.connections.discard(connection)
        except* (trio.BrokenResourceError, OSError):
            pass
        except* Exception as errors:
            self._warn(errors)
        finally:
            stream.socket.close()

    def _make_room(self, newcomer: Connection) -> bool:
        """Whether `newcomer` may stay; closes the connection that has been idle longest if that is what it takes."""
        rivals = [each for each in self.connections if each.address == newcomer.address]
        if len(rivals) <= self._limits.connections_per_address:
            rivals = list(self.connections)
            if len(rivals) <= self._limits.connections:
                return True
        idle = [(each.idle_since, each) for each in rivals if each.idle_since is not None]
        if not idle:
            return False
        min(idle, key=lambda pair: pair[0])[1].cut()
        return True

    def _warn(self, errors: BaseExceptionGroup) -> None:
        self._warnings += 1
        if self._warnings <= self._limits.warnings:
            log.warning("the page: %r", errors.exceptions)

    async def publish_final(self) -> None:
        """Sends the final snapshot to all clients, and gives them a second to take it."""
        self.events.publish(await self._source.snapshot(), is_final=True)
        with trio.move_on_after(_GOODBYE_S):
            await self.events.wait_no_client()

    async def _publish(self) -> None:
        while True:
            await self.events.wait_any_client()
            self.events.publish(await self._source.snapshot())
            await trio.sleep(_SNAPSHOT_S)


def _address_of(stream: trio.SocketStream) -> str:
    """The client's address; for IPv6 its network, because one machine can use every address of a network."""
    host: str = stream.socket.getpeername()[0]
    return ":".join(host.split("%")[0].split(":")[:4]) if ":" in host else host
