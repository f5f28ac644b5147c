"""Progress as lines of text: on a terminal one line, rewritten every second; otherwise a new line every 30 s."""

import time
from collections.abc import Awaitable, Callable

import trio

from oidl.progress.format import progress_line
from oidl.progress.meter import Meter

_TERMINAL_S = 1.0
_PLAIN_S = 30.0


async def print_lines(meter: Meter, show: Callable[[str], None], *, is_terminal: bool) -> None:
    """Calls `show` with a line about `meter` at regular intervals, until cancelled."""

    async def show_now(line: str) -> None:
        show(line)

    await repeat_line(lambda: progress_line(meter.statistics()), show_now, is_terminal=is_terminal)


async def repeat_line(line: Callable[[], str], show: Callable[[str], Awaitable[None]], *, is_terminal: bool) -> None:
    """Awaits `show(line())` at regular intervals, until cancelled."""
    while True:
        await trio.sleep(_TERMINAL_S if is_terminal else _PLAIN_S)
        await show(line())


class PacedLine:
    """The same for work without an event loop, which calls this often: it passes `show` a line when one is due."""

    def __init__(
        self, show: Callable[[str], None], *, is_terminal: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._show = show
        self._every_s = _TERMINAL_S if is_terminal else _PLAIN_S
        self._clock = clock
        self._started = self._shown = clock()

    def __call__(self, line: Callable[[float], str]) -> None:
        """Shows `line(seconds since the start)` if a line is due."""
        now = self._clock()
        if now - self._shown >= self._every_s:
            self._shown = now
            self._show(line(now - self._started))
