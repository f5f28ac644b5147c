"""The page of a run, in a process of its own: `process.py` starts it, and says what it is told and answers."""

import json
import logging
import os
import resource
import socket
from contextlib import suppress
from pathlib import Path

import trio

from oidl.web.address import Address
from oidl.web.database import Lookup
from oidl.web.feeds import RunMoments
from oidl.web.lines import Lines
from oidl.web.server import Page
from oidl.web.snapshot import in_a_line

_NICE = 10
_MOST_BYTES = 512 * 1024 * 1024  # of memory; 60 MB are usual
_LINE_BYTES = 16 * 1024 * 1024  # a moment has some 50 kB

log = logging.getLogger("oidl")


class _ToTheRun(logging.Handler):
    """Gives what is logged here to the run, and drops it if that does not take it at once."""

    def __init__(self, channel: socket.socket) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        line = in_a_line({"level": record.levelno, "text": self.format(record)}) + "\n"
        with suppress(OSError):
            self._channel.send(line.encode(), socket.MSG_DONTWAIT)


def main() -> None:
    """Serves the page until the run has ended it, or has ended itself."""
    os.nice(_NICE)
    with suppress(ValueError, OSError):  # a lower limit is set already, or the system has none
        resource.setrlimit(resource.RLIMIT_DATA, (_MOST_BYTES, _MOST_BYTES))
    channel = socket.socket(fileno=os.dup(0))
    log.addHandler(_ToTheRun(channel))
    log.propagate = False
    trio.run(_serve, channel)


async def _serve(channel: socket.socket) -> None:
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(channel))
    lines = Lines(stream, _LINE_BYTES)
    what = json.loads(await lines.next() or "")
    listener = socket.socket(fileno=what["listener"])
    address = Address(listener, what["host"], what["port"], frozenset(what["names"]), what["token"])
    lookup = Lookup(Path(what["state_db"]))
    moments = RunMoments(lambda: stream.send_all(b"{}\n"), lookup, what["about"])
    page = Page(address, moments, lookup, Path(what["root_dir"]))

    async def serve(scope: trio.CancelScope) -> None:
        await page.serve()
        scope.cancel()  # it has ended by itself, and has logged why

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, nursery.cancel_scope)
            while (line := await lines.next()) is not None:
                if await moments.receive(line):
                    await page.tell_the_end()
                    break
            nursery.cancel_scope.cancel()
    finally:
        lookup.close()


if __name__ == "__main__":
    main()
