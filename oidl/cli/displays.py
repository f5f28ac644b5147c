"""The display of a run and its file of metrics: chosen before it begins, started and stopped around it.

Neither can hold up the run: blocking work runs in threads that are abandoned if they hang, and a reader that goes away
is dropped.
"""

import os
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import trio

from oidl.cli.json_lines import JsonLines
from oidl.errors import DiskError, UsageError
from oidl.progress.console import Console
from oidl.progress.lines import print_lines
from oidl.progress.meter import Meter
from oidl.progress.metrics import metrics_text
from oidl.progress.snapshot import Json, run_snapshot
from oidl.progress.statistics import Statistics
from oidl.settings import Display
from oidl.storage.output import output_text

_METRICS_S = 5.0
_PATIENCE_S = 2.0  # for the last output, if its reader is stuck


@dataclass(frozen=True, slots=True)
class DisplayOptions:
    """How a run is shown: `display` is never `auto`; with `metrics_file` None, no metrics are written."""

    display: Display
    metrics_file: Path | None = None


def choose_display(requested: Display, *, log_to_stdout: bool) -> Display:
    """The display for `requested` on this terminal. Raises `UsageError` if a full screen is impossible."""
    if requested not in (Display.AUTO, Display.FULL):
        return requested
    from oidl.progress.terminal import why_not_capable

    problem = why_not_capable(sys.stderr)
    if not problem and log_to_stdout and sys.stdout.isatty():
        problem = "the log goes to the same terminal (--log-to-stdout)"
    if not problem and requested is Display.AUTO and stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode):
        problem = "the program that reads stdout may write to the same terminal, as tee does"
    if problem and requested is Display.FULL:
        raise UsageError(
            f"--progress full is not possible: {problem}", hint="use --progress line, which works on every terminal"
        )
    return Display.LINE if problem else Display.FULL


@asynccontextmanager
async def open_displays(
    options: DisplayOptions, meter: Meter, console: Console, quit_run: Callable[[], None]
) -> AsyncIterator[None]:
    """Shows the run inside as `options` say; `q` on the full screen calls `quit_run`.

    Raises `DiskError` or `UsageError` if the metrics cannot be written at the start; later this is only a message.
    """
    lines, metrics = JsonLines(_snapshots(meter)), None
    if options.metrics_file:
        metrics = _MetricsFile(options.metrics_file, meter, console.say)
        await metrics.write()
    try:
        # The terminal is restored after the tasks that use it have ended.
        with _full_screen(options, meter, console, quit_run) as screen:
            async with trio.open_nursery() as nursery:
                if metrics:
                    nursery.start_soon(metrics.run)
                match options.display:
                    case Display.LINE:
                        nursery.start_soon(partial(print_lines, meter, console.show, is_terminal=console.is_terminal))
                    case Display.JSON:
                        nursery.start_soon(lines.run)
                if screen:
                    nursery.start_soon(screen)
                yield
                nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + _PATIENCE_S):
            if options.display is Display.JSON:
                await lines.write()
            if metrics:
                await metrics.write_or_say()


@contextmanager
def _full_screen(
    options: DisplayOptions, meter: Meter, console: Console, quit_run: Callable[[], None]
) -> Iterator[Callable[[], Awaitable[None]] | None]:
    """A function that shows the full screen until it is cancelled; None for another display."""
    if options.display is not Display.FULL:
        yield None
        return
    from oidl.progress.screen import Screen
    from oidl.progress.terminal import open_terminal

    with console.suspended() as messages, open_terminal(sys.stderr) as terminal:
        yield Screen(meter, terminal, messages, quit_run).run


def _snapshots(meter: Meter) -> Callable[[], Json]:
    """A function that returns the snapshot of the run, with what happened since the last one."""
    before: Statistics | None = None

    def snapshot() -> Json:
        nonlocal before
        now, earlier = meter.statistics(), before
        before = now
        return run_snapshot(now, datetime.now(UTC), earlier)

    return snapshot


class _MetricsFile:
    """A text file of metrics, rewritten every few seconds until that fails."""

    def __init__(self, path: Path, meter: Meter, say: Callable[[str], None]) -> None:
        self._path = path
        self._meter = meter
        self._say = say
        self._is_written = True
        self._thread = trio.CapacityLimiter(1)

    async def run(self) -> None:
        """Writes the file every few seconds, until cancelled."""
        while True:
            await trio.sleep(_METRICS_S)
            await self.write_or_say()

    async def write_or_say(self) -> None:
        """Writes the file; if that fails, says so and never tries again."""
        if self._is_written:
            try:
                await self.write()
            except DiskError as error:
                self._is_written = False
                self._say(f"no more metrics: {error.message}")

    async def write(self) -> None:
        """Writes the file. Raises `DiskError`."""
        work = partial(_write, self._path, self._meter.statistics())
        await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._thread)


def _write(path: Path, now: Statistics) -> None:
    with output_text(path, waits=False) as file:
        if file:
            file.write(metrics_text(now, datetime.now(UTC)))
