"""The page's server: it accepts clients, and bounds how many there are and how much is done for them.

No client decides what it costs: connections are counted, in all and for each
address, and the answers of a second too. When there are too many connections,
the one that has been silent for longest makes way, so clients that only hold
connections shut out no other. What goes wrong with one client ends its
connection and nothing else.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from oidl.web.address import Address
from oidl.web.app import make_app
from oidl.web.database import Lookup
from oidl.web.events import Events
from oidl.web.feeds import Source
from oidl.web.http import Connection
from oidl.web.limiter import Ceiling
from oidl.web.security import Guard

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_MOMENT_S = 1.0
_MOST_CONNECTIONS = 256
_MOST_OF_AN_ADDRESS = 128
_CONNECTIONS_PER_S = 100
_ANSWERS_PER_S = 300  # requests, and pieces of answers
_GOODBYE_S = 1.0
_MOST_WARNINGS = 20

log = logging.getLogger("oidl")


class Page:
    """The page of one run, or of one database: what `source` tells, and files of `root_dir` that `lookup` finds."""

    def __init__(self, address: Address, source: Source, lookup: Lookup, root_dir: Path) -> None:
        self._address = address
        self._source = source
        self.events = Events()
        self._app: ASGIApp = Guard(make_app(source, lookup, self.events, root_dir), address)
        self.connections: set[Connection] = set()
        self._answers = Ceiling(_ANSWERS_PER_S)
        self._warnings = 0

    async def serve(self) -> None:
        """Serves until cancelled. Whatever goes wrong here ends the page, and nothing else."""
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(self._address.listener))
        async with listener:
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._tell)
                    await self._accept(listener, nursery)
            except* Exception as errors:
                log.error("the page has ended: %r", errors.exceptions, exc_info=errors)

    async def _accept(self, listener: trio.SocketListener, nursery: trio.Nursery) -> None:
        ceiling = Ceiling(_CONNECTIONS_PER_S)
        while True:
            await ceiling.take()
            try:
                stream = await listener.accept()
            except OSError:  # it is gone already, or there are too many open files for the moment
                continue
            nursery.start_soon(self._attend, stream)

    async def _attend(self, stream: trio.SocketStream) -> None:
        try:
            connection = Connection(stream, _address_of(stream), self._app, self._answers)
            self.connections.add(connection)
            try:
                if self._has_room(connection):
                    await connection.serve()
            finally:
                self.connections.discard(connection)
        except* (trio.BrokenResourceError, OSError):
            pass
        except* Exception as errors:
            self._warn(errors)
        finally:
            stream.socket.close()

    def _has_room(self, newcomer: Connection) -> bool:
        """Whether there is room for `newcomer`, which the connection that has been silent for longest may make."""
        crowd = [each for each in self.connections if each.address == newcomer.address]
        if len(crowd) <= _MOST_OF_AN_ADDRESS:
            crowd = list(self.connections)
            if len(crowd) <= _MOST_CONNECTIONS:
                return True
        silent = [(each.idle_since, each) for each in crowd if each.idle_since is not None]
        if not silent:
            return False
        min(silent, key=lambda pair: pair[0])[1].cut()
        return True

    def _warn(self, errors: BaseExceptionGroup) -> None:
        self._warnings += 1
        if self._warnings <= _MOST_WARNINGS:
            log.warning("the page: %r", errors.exceptions)

    async def tell_the_end(self) -> None:
        """Gives the last moment to all who follow, and a second to take it."""
        self.events.publish(await self._source.moment(), is_last=True)
        with trio.move_on_after(_GOODBYE_S):
            await self.events.wait_nobody()

    async def _tell(self) -> None:
        while True:
            await self.events.wait_somebody()
            self.events.publish(await self._source.moment())
            await trio.sleep(_MOMENT_S)


def _address_of(stream: trio.SocketStream) -> str:
    """Whose connection this is; of IPv6 the network, as a machine has all addresses of one."""
    host: str = stream.socket.getpeername()[0]
    return ":".join(host.split("%")[0].split(":")[:4]) if ":" in host else host
