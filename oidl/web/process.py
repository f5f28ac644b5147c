"""The page of a run, in a process of its own: the run's side.

Clients talk to that process alone, which has a low priority and a limit on its
memory. The run sends it one snapshot per second while there are clients, and
nothing else. `child.py` is the other side.

The two send each other lines over a socket. The first line from here describes
what to serve; the others are snapshots, and one with an outcome is the final
one. A line from there is a JSON object: an empty one requests a snapshot, others
have something to log. When the socket is closed the child process ends, so a
killed run leaves no page behind.
"""

import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import trio

from oidl.progress.meter import Meter
from oidl.progress.snapshot import Json
from oidl.text import printable, shortened
from oidl.web.address import Address
from oidl.web.lines import LineReader
from oidl.web.snapshot import in_a_line, run_page

_SNAPSHOT_S = 0.5  # the least time between two snapshots
_WATCHED_S = 3.0  # a page that requests no snapshot for this long has no clients
_GOODBYE_S = 1.5
_LINE_BYTES = 64 * 1024
_LOG_CHARACTERS = 4000

log = logging.getLogger("oidl")


class PageProcess:
    """The process that serves the page at `address`, for the run that `meter` counts.

    `about` is for the head of the page (`about_json`); `say` tells the user if the process ends before the run.
    """

    def __init__(
        self, address: Address, meter: Meter, state_db: Path, root_dir: Path, about: Json, say: Callable[[str], None]
    ) -> None:
        self._address = address
        self._meter = meter
        self._state_db = state_db
        self._root_dir = root_dir
        self._about = about
        self._say = say
        self._stream: trio.SocketStream | None = None
        self._sending = trio.Lock()
        self._requested_at = float("-inf")
        self._ended = trio.Event()

    async def serve(self) -> None:
        """Serves until cancelled. An error here ends the page and nothing else."""
        self._meter.page_url = self._address.url
        try:
            await self._serve()
        except* Exception as errors:
            log.error("the page has ended: %r", errors.exceptions, exc_info=errors)
        finally:
            self._meter.page_url = ""
            self._ended.set()
        if self._meter.outcome is None:
            self._say("the web page has ended; the run continues without it")

    async def publish_final(self) -> None:
        """Sends the final snapshot of a run that has ended to all clients, and gives them a little time to take it."""
        if trio.current_time() < self._requested_at + _WATCHED_S:
            with trio.move_on_after(_GOODBYE_S):
                await self._send(self._snapshot())
                await self._ended.wait()

    async def _serve(self) -> None:
        ours, theirs = socket.socketpair()
        self._stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        async with self._stream, trio.open_nursery() as nursery:
            with self._address.listener as listener, theirs:
                start = partial(
                    trio.run_process,
                    [sys.executable, "-P", "-m", "oidl.web.child"],
                    stdin=theirs,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[listener.fileno()],
                    start_new_session=True,  # Ctrl-C is for the run, which then ends the page
                    env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                    check=False,
                    deliver_cancel=_kill,
                )
                process: trio.Process = await nursery.start(start)
                await self._send(self._description(listener.fileno()))
            lines = LineReader(self._stream, _LINE_BYTES)
            while (line := await lines.read_line()) is not None:
                await self._answer(line)
            code = await process.wait()
            if code and self._meter.outcome is None:
                log.error("the page has ended: its process ended with exit code %d", code)

    async def _answer(self, line: bytes) -> None:
        message = json.loads(line)
        if text := message.get("text"):
            log.log(message["level"], "%s", shortened(printable(text), _LOG_CHARACTERS))
        elif self._meter.outcome is None:
            self._requested_at = trio.current_time()
            await self._send(self._snapshot())
            await trio.sleep(_SNAPSHOT_S)

    async def _send(self, line: str) -> None:
        """Sends `line`. If the process has ended this does nothing; `_serve` notices the end."""
        assert self._stream is not None
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with self._sending:
                await self._stream.send_all(line.encode() + b"\n")

    def _snapshot(self) -> str:
        return in_a_line(run_page(self._meter.statistics(), datetime.now(UTC)))

    def _description(self, listener: int) -> str:
        return in_a_line(
            {
                "listener": listener,
                "host": self._address.host,
                "port": self._address.port,
                "names": sorted(self._address.names),
                "token": self._address.token,
                "state_db": str(self._state_db.absolute()),
                "root_dir": str(self._root_dir.absolute()),
                "about": self._about,
            }
        )


async def _kill(process: trio.Process) -> None:
    process.kill()
