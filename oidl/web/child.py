"""The page of a run, in a process of its own: the child's side. `process.py` starts it and describes the protocol."""

import json
import logging
import os
import resource
import socket
from contextlib import suppress
from pathlib import Path

import trio

from oidl.web.address import Address
from oidl.web.database import Database
from oidl.web.feeds import RunFeed
from oidl.web.lines import LineReader
from oidl.web.server import Page
from oidl.web.snapshot import in_a_line

_NICE = 10
_MAX_MEMORY_BYTES = 512 * 1024 * 1024  # 60 MB are usual
_LINE_BYTES = 16 * 1024 * 1024  # a snapshot has some 50 kB

log = logging.getLogger("oidl")


class _RunHandler(logging.Handler):
    """Sends what is logged here to the run, and drops what the run does not take at once."""

    def __init__(self, channel: socket.socket) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        line = in_a_line({"level": record.levelno, "text": self.format(record)}) + "\n"
        with suppress(OSError):
            self._channel.send(line.encode(), socket.MSG_DONTWAIT)


def main() -> None:
    """Serves the page until the run ends it or ends itself."""
    os.nice(_NICE)
    with suppress(ValueError, OSError):  # a lower limit is set already, or the system has no limits
        resource.setrlimit(resource.RLIMIT_DATA, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would reserve memory for each core of a large machine
    channel = socket.socket(fileno=os.dup(0))
    log.addHandler(_RunHandler(channel))
    log.propagate = False
    trio.run(_serve, channel)


async def _serve(channel: socket.socket) -> None:
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(channel))
    lines = LineReader(stream, _LINE_BYTES)
    description = json.loads(await lines.read_line() or "")
    listener = socket.socket(fileno=description["listener"])
    address = Address(
        listener, description["host"], description["port"], frozenset(description["names"]), description["token"]
    )
    database = Database(Path(description["state_db"]))
    feed = RunFeed(lambda: stream.send_all(b"{}\n"), database, description["about"])
    page = Page(address, feed, database, Path(description["root_dir"]))

    async def serve(scope: trio.CancelScope) -> None:
        await page.serve()
        scope.cancel()  # the page ended by itself, and logged why

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, nursery.cancel_scope)
            while (line := await lines.read_line()) is not None:
                if await feed.receive(line):
                    await page.publish_final()
                    break
            nursery.cancel_scope.cancel()
    finally:
        database.close()


if __name__ == "__main__":
    main()
