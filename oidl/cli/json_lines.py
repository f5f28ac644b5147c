"""JSON objects on stderr for the program that reads them, one a second."""

import json
import sys
from collections.abc import Callable
from functools import partial

import trio

from oidl.progress.snapshot import Json

_EVERY_S = 1.0


class JsonLines:
    """Lines that `snapshot` returns as objects, until their reader goes away.

    Writing blocks a thread of its own if the reader is stuck, never the event loop.
    """

    def __init__(self, snapshot: Callable[[], Json]) -> None:
        self._snapshot = snapshot
        self._has_reader = True
        self._thread = trio.CapacityLimiter(1)

    async def run(self) -> None:
        """Writes an object a second, until cancelled."""
        while True:
            await trio.sleep(_EVERY_S)
            await self.write()

    async def write(self) -> None:
        """Writes one object."""
        if not self._has_reader:
            return
        line = json.dumps(self._snapshot(), ensure_ascii=False)
        try:
            await trio.to_thread.run_sync(partial(_print, line), abandon_on_cancel=True, limiter=self._thread)
        except OSError:
            self._has_reader = False


def _print(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
