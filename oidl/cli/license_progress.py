"""How a check of licences is shown: a line, or JSON objects for a program."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import trio

from oidl.cli.json_lines import JsonLines
from oidl.progress.console import Console
from oidl.progress.licenses import LicenseMeter
from oidl.progress.lines import repeat_line
from oidl.report.licenses import license_json, license_line
from oidl.settings import Display

_PATIENCE_S = 2.0  # for the last output, if its reader is stuck


@asynccontextmanager
async def show_progress(display: Display, meter: LicenseMeter, console: Console) -> AsyncIterator[None]:
    """Shows the check inside; a reader that is stuck or goes away does not hold it up."""
    if display is Display.NONE:
        yield
        return
    lines = JsonLines(lambda: license_json(meter.statistics(), datetime.now(UTC)))
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
