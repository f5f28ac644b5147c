"""The full screen of an active run: drawn four times a second, after every key, and when the window changes.

It reads the meter and never touches the pipeline, except that `q` does what
Ctrl-C does. A slow terminal gets fewer frames; one that is gone gets none, and
the run continues.

Messages go to the normal screen at once, beneath this one, so they are there
afterwards whatever happens; the last one is also shown here.
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
    """The full screen on `terminal`. `messages` is the queue of messages to show; every `q` calls `quit_run`."""

    _list_source: Statistics | None  # the statistics whose lists are shown while the user scrolls, so they hold still

    def __init__(
        self,
        meter: Meter,
        terminal: Terminal,
        messages: deque[str],
        quit_run: Callable[[], None],
        *,
        frame_s: float = FRAME_S,
    ) -> None:
        self._meter = meter
        self._terminal = terminal
        self._messages = messages
        self._quit_run = quit_run
        self._frame_s = frame_s
        self._painter = Painter()
        self._view = View()
        self._frame = Frame((), 0, 0)
        self._message = ""
        self._is_stale = True  # the terminal does not show the last frame
        self._list_source = None
        self._redraw = trio.Event()

    async def run(self) -> None:
        """Shows the progress of the run, until cancelled or until the terminal is gone."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch_window)
                nursery.start_soon(self._read_keys)
                await self._draw_for_ever()
        except* OSError:
            await trio.sleep_forever()

    async def _draw_for_ever(self) -> None:
        while True:
            self._redraw = trio.Event()
            await self._print_messages()
            if self._terminal.is_entered:
                await self._terminal.write(self._update())
            with trio.move_on_after(self._frame_s):
                await self._redraw.wait()

    async def _print_messages(self) -> None:
        """Writes the messages on the normal screen; they stay in the queue until they are there."""
        if texts := list(self._messages):
            self._message = texts[-1]
            self._is_stale = True
            await self._terminal.write(self._terminal.above("\n".join(texts)))
            for _ in texts:
                self._messages.popleft()

    def _update(self) -> str:
        now = self._meter.statistics()
        if not self._view.offset:
            self._list_source = None
        width, height = self._terminal.size
        self._frame = draw(now, self._view, width, height, message=self._message, list_source=self._list_source)
        is_new, self._is_stale = self._is_stale, False
        return self._painter.update(self._frame.lines, is_new=is_new)

    async def _read_keys(self) -> None:
        while True:
            if not self._terminal.is_entered:  # in the background, reading would stop the process
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
            frame = self._frame
            self._view = after_key(self._view, key, rows=frame.rows, page=frame.page, tabs=frame.tabs)
            if self._view.offset and self._list_source is None:
                self._list_source = self._meter.statistics()
        self._redraw.set()

    async def _watch_window(self) -> None:
        with trio.open_signal_receiver(signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT) as signals:
            async for number in signals:
                if number == signal.SIGTSTP:
                    self._terminal.pause()
                if number != signal.SIGWINCH:
                    self._terminal.resume()
                self._is_stale = True
                self._redraw.set()
