"""A job on a root whose lock is held, with the signals, the displays and the web page around it.

`oidl run` and `oidl annotations load` do their work in one.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from oidl.cli.displays import DisplayOptions, open_displays
from oidl.cli.signals import interrupt, watch_signals
from oidl.cli.web_page import PageRequest, open_page
from oidl.dataset.published import Version
from oidl.node.stop import Stop
from oidl.pipeline.context import Context
from oidl.pipeline.ending import RunEnd
from oidl.pipeline.writer import StateWriter
from oidl.progress.console import Console
from oidl.progress.meter import Meter
from oidl.settings import Settings
from oidl.state.connection import StateConnection

Job = Callable[[Context], Awaitable[RunEnd]]


@dataclass(frozen=True, slots=True)
class RunSession:
    """What a job is about, and who hears of it; `page` None is no web page."""

    settings: Settings
    version: Version
    console: Console
    displays: DisplayOptions
    page: PageRequest | None = None

    def run(self, db: StateConnection, job: Job) -> RunEnd:
        """Does `job`, which writes to `db`; returns how it ended."""
        return trio.run(self._run, db, job)

    async def _run(self, db: StateConnection, job: Job) -> RunEnd:
        say = self.console.say
        stop = Stop()
        state = StateWriter(db, stop, say)
        meter = Meter(trio.current_time)
        async with trio.open_nursery() as nursery:
            await nursery.start(watch_signals, stop, say)
            async with (
                open_displays(self.displays, meter, self.console, lambda: interrupt(stop, say)),
                open_page(self.page, meter, self.settings, say),
            ):
                outcome = "error"
                try:
                    end = await job(Context(self.settings, self.version, state, meter, stop, say))
                    outcome = end.outcome
                finally:
                    meter.ended(outcome)
            nursery.cancel_scope.cancel()
        return end
