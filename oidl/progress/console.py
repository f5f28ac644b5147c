"""The messages of a run to people: lines on stderr, a progress line that is rewritten, a log.

On a terminal, messages and the progress line go to stderr, and also to the log
file. Otherwise everything goes to the log on stdout, or to stderr if that log is
off. If stderr carries JSON for a program, stdout is for people. While a full
screen covers the terminal, the screen receives the messages; none is lost.
"""

import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TextIO

from oidl.progress.outlet import Outlet
from oidl.progress.repaint import why_not_rewritten
from oidl.text import printable

log = logging.getLogger("oidl")

_CLEAR_LINE = "\r\x1b[K"


class Console:
    """Where a run's messages go."""

    def __init__(self, screen: TextIO | Outlet | None) -> None:
        self._screen = screen
        self._has_line = False
        self._postponed: deque[str] | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether messages go to a terminal, where the progress line can be rewritten."""
        return self._screen is not None and why_not_rewritten(self._screen) is None

    def say(self, text: str) -> None:
        """Shows a message and logs it."""
        log.info("%s", text)
        self.tell(text)

    def tell(self, text: str) -> None:
        """Shows a message without logging it, because it may be about the log. May be called from any thread."""
        if self._postponed is not None:
            self._postponed.append(printable(text))
        elif self._screen:
            self.clear()
            print(printable(text), file=self._screen, flush=True)

    def show(self, line: str) -> None:
        """Shows the progress; on a terminal it replaces the progress line before it."""
        if self._screen and self.is_terminal:
            self._screen.write(_CLEAR_LINE + line)
            self._screen.flush()
            self._has_line = True
        else:
            self.say(line)

    def clear(self) -> None:
        """Erases the progress line."""
        if self._screen and self._has_line:
            self._screen.write(_CLEAR_LINE)
            self._has_line = False

    @contextmanager
    def suspended(self) -> Iterator[deque[str]]:
        """Puts messages into the queue that it yields, while something covers the screen; shows the rest in the end.

        The queue is not bounded: it holds all messages that its reader has not removed.
        """
        messages: deque[str] = deque()
        self._postponed = messages
        try:
            yield messages
        finally:
            self._postponed = None
            for text in messages if self._screen else ():
                print(text, file=self._screen, flush=True)


class _PrintableFormatter(logging.Formatter):
    """Formats log lines that are safe to read on a terminal, because titles, URLs and answers come from strangers.

    Times are UTC, as everywhere.
    """

    converter = staticmethod(time.gmtime)
    default_msec_format = "%s,%03d UTC"

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


@contextmanager
def open_console(
    log_file: int | None, *, log_to_stdout: bool, is_stderr_for_machines: bool = False, never_waits: bool = True
) -> Iterator[Console]:
    """The console of one run, with its logs; `log_file` is open for writing, and closed in the end.

    With `never_waits`, a log or terminal that takes nothing does not hold up the run: lines without room are dropped.
    """
    is_log_for_people = log_to_stdout and (is_stderr_for_machines or not sys.stderr.isatty())
    people = sys.stdout if is_stderr_for_machines else sys.stderr
    formatter = _PrintableFormatter("%(asctime)s %(levelname)s %(message)s")
    with ExitStack() as closing:
        if log_file is not None:
            closing.callback(os.close, log_file)
        outlet: Callable[..., TextIO | Outlet] = _Outlets(closing).through if never_waits else _unchanged
        console = Console(None if is_log_for_people else outlet(people, _ignore))

        def complain(what: str, error: OSError) -> None:
            text = f"the rest of the log is lost: {what} cannot be written: {error.strerror}"
            if is_log_for_people:
                print(f"oidl: {text}", file=sys.stderr)
            else:
                console.tell(text)

        streams: list[TextIO | Outlet] = []
        if log_to_stdout:
            streams.append(outlet(sys.stdout, partial(complain, "stdout")))
        if log_file is not None:
            file = Outlet(log_file, "utf-8", partial(complain, "the log file"))
            closing.callback(file.close)
            streams.append(file)
        # Without any handler, logging would write to stderr.
        for handler in (logging.NullHandler(), *map(logging.StreamHandler, streams)):
            handler.setFormatter(formatter)
            log.addHandler(handler)
            closing.callback(log.removeHandler, handler)
        closing.callback(setattr, log, "propagate", log.propagate)
        closing.callback(log.setLevel, log.level)
        log.propagate = False
        log.setLevel(logging.INFO)
        closing.callback(console.clear)
        yield console


class _Outlets:
    """One `Outlet` per file behind the streams, so that the lines to one terminal stay in order."""

    def __init__(self, closing: ExitStack) -> None:
        self._closing = closing
        self._by_file: dict[tuple[int, int], Outlet] = {}

    def through(self, stream: TextIO, complain: Callable[[OSError], None]) -> TextIO | Outlet:
        """`stream` behind a thread; unchanged if it does not write to a file, as in a test."""
        try:
            stream.flush()
            fd = stream.fileno()
            status = os.fstat(fd)
        except (OSError, ValueError):
            return stream
        key = status.st_dev, status.st_ino
        if key not in self._by_file:
            self._by_file[key] = Outlet(fd, stream.encoding, complain)
            self._closing.callback(self._by_file[key].close)
        return self._by_file[key]


def _unchanged(stream: TextIO, complain: Callable[[OSError], None]) -> TextIO:
    return stream


def _ignore(error: OSError) -> None:
    pass
