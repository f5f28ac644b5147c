"""Serves the page, in the nursery of whoever is at work, which it never troubles.

hypercorn speaks HTTP, one connection at a time. Listening and the streams are
ours: hypercorn waits for its clients to read without an end and shielded from
cancellation, so one that never reads would hold up the end of a run for ever.
Here, whoever takes nothing for a while is cut off, and all are when it ends.
"""

import logging
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState

from oidl.report.web.address import Address
from oidl.report.web.app import make_app
from oidl.report.web.events import Events
from oidl.report.web.guard import Guard
from oidl.report.web.lookup import Lookup
from oidl.report.web.sources import Source

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_MOMENT_S = 1.0
_MOST_CONNECTIONS = 256
_SEND_S = 20.0
_IDLE_S = 15.0
_GOODBYE_S = 1.0

log = logging.getLogger("oidl")


class _Stream:
    """A client's connection as hypercorn needs it, which is cut when the client takes nothing for `_SEND_S`."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self.socket = stream.socket

    async def send_all(self, data: bytes) -> None:
        with trio.move_on_after(_SEND_S) as limit:
            await self._stream.send_all(data)
        if limit.cancelled_caught:
            self.cut()
            raise trio.BrokenResourceError("the client takes nothing")

    async def receive_some(self, most: int) -> bytes:
        return bytes(await self._stream.receive_some(most))

    async def send_eof(self) -> None:
        with trio.move_on_after(_SEND_S):
            await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()

    def cut(self) -> None:
        """Ends the connection now; whoever waits for it is told."""
        self.socket.close()


class Page:
    """The page of one run, or of one database: what `source` tells, and files of `root_dir` that `lookup` finds."""

    def __init__(self, address: Address, source: Source, lookup: Lookup, root_dir: Path) -> None:
        self._address = address
        self._source = source
        self.events = Events()
        self._app: ASGIApp = Guard(make_app(source, lookup, self.events, root_dir), address)
        self.connections: set[_Stream] = set()

    async def serve(self) -> None:
        """Serves until cancelled. Whatever goes wrong here ends the page, and nothing else."""
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(self._address.listener))
        async with listener:
            try:
                await self._serve(listener)
            except* Exception as errors:
                log.error("the page has ended: %r", errors.exceptions, exc_info=errors)

    async def _serve(self, listener: trio.SocketListener) -> None:
        config = Config()
        config.include_server_header = False
        config.keep_alive_timeout = _IDLE_S
        config.errorlog = log
        context = WorkerContext(None)

        async def answer(accepted: trio.SocketStream) -> None:
            stream = _Stream(accepted)
            self.connections.add(stream)
            try:
                if len(self.connections) <= _MOST_CONNECTIONS:
                    server = TCPServer(ASGIWrapper(self._app), config, context, ConnectionState({}), stream)  # type: ignore[arg-type]
                    await server.run()
            except* Exception as errors:
                log.warning("the page: %r", errors.exceptions)
            finally:
                stream.cut()
                self.connections.discard(stream)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell)
            nursery.start_soon(self._cut_off_in_the_end)
            await trio.serve_listeners(answer, [listener], handler_nursery=nursery)

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

    async def _cut_off_in_the_end(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            for stream in tuple(self.connections):
                stream.cut()


async def open_in_browser(url: str) -> None:
    """Opens `url` in the browser of whoever is at this machine, if there is one; waits for nobody."""
    try:
        await trio.to_thread.run_sync(webbrowser.open, url, abandon_on_cancel=True)
    except (webbrowser.Error, OSError) as error:
        log.warning("no browser could be opened: %s", error)
