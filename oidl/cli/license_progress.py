"""How a check of licences is shown: a line, or JSON objects for a program."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import trio

from oidl.progress.console import Console
from oidl.progress.licenses import LicenseMeter
from oidl.progress.lines import repeat_line
from oidl.report.licenses import license_json, license_line
from oidl.settings import Display

_JSON_S = 1.0
_PATIENCE_S = 2.0  # for the last output, if its reader is stuck


@asynccontextmanager
async def show_progress(display: Display, meter: LicenseMeter, console: Console) -> AsyncIterator[None]:
    """Shows the check inside; a reader that is stuck or goes away does not hold it up."""
    if display is Display.NONE:
        yield
        return
    lines = _JsonLines(meter)
    try:
        async with trio.open_nursery() as nursery:
            if display is Display.JSON:
                nursery.start_soon(lines.run)
            else:
                nursery.start_soon(_repeat, meter, console)
            yield
            nursery.cancel_scope.cancel()
    finally:
        if display is Display.JSON:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + _PATIENCE_S):
                await lines.write()


async def _repeat(meter: LicenseMeter, console: Console) -> None:
    async def show(line: str) -> None:
        console.show(line)

    await repeat_line(lambda: license_line(meter.statistics()), show, is_terminal=console.is_terminal)


class _JsonLines:
    """JSON objects on stderr, until their reader goes away."""

    def __init__(self, meter: LicenseMeter) -> None:
        self._meter = meter
        self._has_reader = True
        self._thread = trio.CapacityLimiter(1)

    async def run(self) -> None:
        """Writes an object a second, until cancelled."""
        while True:
            await trio.sleep(_JSON_S)
            await self.write()

    async def write(self) -> None:
        """Writes one object."""
        if not self._has_reader:
            return
        line = json.dumps(license_json(self._meter.statistics(), datetime.now(UTC)))
        try:
            await trio.to_thread.run_sync(partial(_print, line), abandon_on_cancel=True, limiter=self._thread)
        except OSError:
            self._has_reader = False


def _print(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
