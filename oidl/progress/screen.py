"""The full screen while a run goes on: drawn four times a second, after every key, and when the window changes.

It reads the meter and asks nothing of the pipeline but, for `q`, what Ctrl-C
asks. A terminal that is slow gets fewer frames; one that is gone gets none, and
the run goes on.

What is said meanwhile is put on the normal screen at once, under this one, so
that it is there afterwards whatever happens; the last of it is shown here too.
"""

import math
import signal
from collections import deque
from collections.abc import Callable

import trio

from oidl.progress.layout import Frame, draw
from oidl.progress.meter import Meter
from oidl.progress.paint import Painter
from oidl.progress.statistics import Statistics
from oidl.progress.terminal import Terminal
from oidl.progress.view import View, after_key, keys

FRAME_S = 0.25


class Screen:
    """The full screen on `terminal`. `said` is the queue of what is said; `quit_run` is called for every `q`.

    `page_url` is where the run's web page is, if it has one.
    """

    _listed: Statistics | None  # whose lists are shown while they are scrolled, so that they stand still

    def __init__(
        self,
        meter: Meter,
        terminal: Terminal,
        said: deque[str],
        quit_run: Callable[[], None],
        *,
        page_url: str = "",
        frame_s: float = FRAME_S,
    ) -> None:
        self._meter = meter
        self._terminal = terminal
        self._said = said
        self._quit_run = quit_run
        self._page_url = page_url
        self._frame_s = frame_s
        self._painter = Painter()
        self._view = View()
        self._frame = Frame((), 0, 0)
        self._message = ""
        self._is_stale = True  # what is on the terminal is not what was drawn last
        self._listed = None
        self._wanted = trio.Event()

    async def run(self) -> None:
        """Shows how the run goes, until cancelled or until the terminal is gone."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch_window)
                nursery.start_soon(self._read_keys)
                await self._draw_for_ever()
        except* OSError:
            await trio.sleep_forever()

    async def _draw_for_ever(self) -> None:
        while True:
            self._wanted = trio.Event()
            await self._let_out()
            if self._terminal.is_entered:
                await self._terminal.write(self._update())
            with trio.move_on_after(self._frame_s):
                await self._wanted.wait()

    async def _let_out(self) -> None:
        """Puts what was said on the normal screen; it stays in the queue until it is there."""
        if texts := list(self._said):
            self._message = texts[-1]
            self._is_stale = True
            await self._terminal.write(self._terminal.above("\n".join(texts)))
            for _ in texts:
                self._said.popleft()

    def _update(self) -> str:
        now = self._meter.statistics()
        if not self._view.offset:
            self._listed = None
        width, height = self._terminal.size
        self._frame = draw(
            now, self._view, width, height, message=self._message, page_url=self._page_url, listed=self._listed
        )
        is_new, self._is_stale = self._is_stale, False
        return self._painter.update(self._frame.lines, is_new=is_new)

    async def _read_keys(self) -> None:
        while True:
            if not self._terminal.is_entered:  # in the background, where reading would stop the process
                await trio.sleep(self._frame_s)
                continue
            typed = await self._terminal.read()
            if not typed:
                await trio.sleep(math.inf)
            for key in keys(typed):
                self._press(key)

    def _press(self, key: str) -> None:
        if key == "q":
            self._quit_run()
        elif key == "redraw":
            self._is_stale = True
        else:
            self._view = after_key(self._view, key, rows=self._frame.rows, page=self._frame.page)
            if self._view.offset and self._listed is None:
                self._listed = self._meter.statistics()
        self._wanted.set()

    async def _watch_window(self) -> None:
        with trio.open_signal_receiver(signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT) as signals:
            async for number in signals:
                if number == signal.SIGTSTP:
                    self._terminal.pause()
                if number != signal.SIGWINCH:
                    self._terminal.resume()
                self._is_stale = True
                self._wanted.set()
