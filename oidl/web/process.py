"""The page of a run, in a process of its own: the run's side.

Whatever clients ask of the page, they ask of that process, which has a low
priority and a limit on its memory. The run gives it a snapshot a second, if any
client follows, and nothing more. `child.py` is the other side.

The two talk over a socket, in lines. The first line from here says what to
serve; the others are moments, and one with an outcome is the last. A line from
there is a JSON object: empty to ask for a moment, or with something to log. At
the end of the socket, the other side ends too, so a killed run leaves no page.
"""

import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import trio

from oidl.progress.meter import Meter
from oidl.text import printable, shortened
from oidl.web.address import Address
from oidl.web.images import Json
from oidl.web.lines import Lines
from oidl.web.snapshot import in_a_line, live_moment

_COMMAND = [sys.executable, "-P", "-m", "oidl.web.child"]
_MOMENT_S = 0.5  # at least, from one moment to the next
_FOLLOWED_S = 3.0  # a page that asks for no moment for so long has no followers
_GOODBYE_S = 1.5
_LINE_BYTES = 64 * 1024
_LOG_CHARACTERS = 4000

log = logging.getLogger("oidl")


class PageProcess:
    """The process that serves the page of the run whose `meter` this is, at `address`.

    `about` is for its head (`about_json`). `say` tells people if it ends before the run does.
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
        self._outcome: str | None = None
        self._stream: trio.SocketStream | None = None
        self._sending = trio.Lock()
        self._asked_at = float("-inf")
        self._ended = trio.Event()

    async def serve(self) -> None:
        """Serves until cancelled. Whatever goes wrong here ends the page, and nothing else."""
        try:
            await self._serve()
        except* Exception as errors:
            log.error("the page has ended: %r", errors.exceptions, exc_info=errors)
        finally:
            self._ended.set()
        if self._outcome is None:
            self._say("the web page has ended; the run goes on without it")

    async def tell_the_end(self, outcome: str) -> None:
        """Gives the last moment to all who follow, and a little time to take it."""
        self._outcome = outcome
        if trio.current_time() < self._asked_at + _FOLLOWED_S:
            with trio.move_on_after(_GOODBYE_S):
                await self._send(self._moment())
                await self._ended.wait()

    async def _serve(self) -> None:
        ours, theirs = socket.socketpair()
        self._stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        async with self._stream, trio.open_nursery() as nursery:
            with self._address.listener as listener, theirs:
                start = partial(
                    trio.run_process,
                    _COMMAND,
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
            lines = Lines(self._stream, _LINE_BYTES)
            while (line := await lines.next()) is not None:
                await self._take(line)
            code = await process.wait()
            if code and self._outcome is None:
                log.error("the page has ended: its process ended with exit code %d", code)

    async def _take(self, line: bytes) -> None:
        said = json.loads(line)
        if text := said.get("text"):
            log.log(said["level"], "%s", shortened(printable(text), _LOG_CHARACTERS))
        elif self._outcome is None:
            self._asked_at = trio.current_time()
            await self._send(self._moment())
            await trio.sleep(_MOMENT_S)

    async def _send(self, line: str) -> None:
        """Sends `line`; to a process that has ended, nothing, as `_serve` is told of its end too."""
        assert self._stream is not None
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with self._sending:
                await self._stream.send_all(line.encode() + b"\n")

    def _moment(self) -> str:
        return in_a_line(live_moment(self._meter.statistics(), outcome=self._outcome))

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
