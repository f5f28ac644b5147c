"""What a run says to people: lines on stderr, a progress line that is rewritten, a log.

On a terminal, what is said and the progress line go to stderr and a log file
gets it too. Elsewhere everything goes to the log: stdout, unless switched off,
then stderr. Where stderr is a machine's, stdout is for people. What is said
while a full screen covers the terminal is handed to that, and none of it lost.
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
    """Where a run's words go."""

    def __init__(self, screen: TextIO | Outlet | None) -> None:
        self._screen = screen
        self._has_line = False
        self._waiting: deque[str] | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether somebody watches: the progress line may then be rewritten."""
        return self._screen is not None and why_not_rewritten(self._screen) is None

    def say(self, text: str) -> None:
        """Something happened that people want to know."""
        log.info("%s", text)
        self.tell(text)

    def tell(self, text: str) -> None:
        """The same, and not for the log: it may be about that. May be called from any thread."""
        if self._waiting is not None:
            self._waiting.append(printable(text))
        elif self._screen:
            self.clear()
            print(printable(text), file=self._screen, flush=True)

    def show(self, line: str) -> None:
        """The progress, which takes the place of the line before it where that can be."""
        if self._screen and self.is_terminal:
            self._screen.write(_CLEAR_LINE + line)
            self._screen.flush()
            self._has_line = True
        else:
            self.say(line)

    def clear(self) -> None:
        """Takes the progress line away."""
        if self._screen and self._has_line:
            self._screen.write(_CLEAR_LINE)
            self._has_line = False

    @contextmanager
    def covered(self) -> Iterator[deque[str]]:
        """While something covers the screen: what is said is in the queue that comes; what is left of it is said after.

        The queue has no more than a run says while nobody takes from it.
        """
        waiting: deque[str] = deque()
        self._waiting = waiting
        try:
            yield waiting
        finally:
            self._waiting = None
            for text in waiting if self._screen else ():
                print(text, file=self._screen, flush=True)


class _PrintableFormatter(logging.Formatter):
    """Lines of a log, safe for the terminal that they are read on: titles, URLs and answers are others' words.

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

    With `never_waits`, a log or terminal that takes nothing holds up nobody: what it has no room for is dropped.
    """
    is_said_in_log = log_to_stdout and (is_stderr_for_machines or not sys.stderr.isatty())
    people = sys.stdout if is_stderr_for_machines else sys.stderr
    formatter = _PrintableFormatter("%(asctime)s %(levelname)s %(message)s")
    with ExitStack() as closing:
        if log_file is not None:
            closing.callback(os.close, log_file)
        outlet: Callable[..., TextIO | Outlet] = _Outlets(closing).through if never_waits else _as_it_is
        console = Console(None if is_said_in_log else outlet(people, _ignore))

        def complain(what: str, error: OSError) -> None:
            text = f"the rest of the log is lost: {what} cannot be written: {error.strerror}"
            if is_said_in_log:
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
    """One `Outlet` for each file that streams lead to, so that what goes to one terminal stays in order."""

    def __init__(self, closing: ExitStack) -> None:
        self._closing = closing
        self._found: dict[tuple[int, int], Outlet] = {}

    def through(self, stream: TextIO, complain: Callable[[OSError], None]) -> TextIO | Outlet:
        """`stream` by way of a thread; as it is if it writes to no file, as in a test."""
        try:
            stream.flush()
            fd = stream.fileno()
            there = os.fstat(fd)
        except (OSError, ValueError):
            return stream
        key = there.st_dev, there.st_ino
        if key not in self._found:
            self._found[key] = Outlet(fd, stream.encoding, complain)
            self._closing.callback(self._found[key].close)
        return self._found[key]


def _as_it_is(stream: TextIO, complain: Callable[[OSError], None]) -> TextIO:
    return stream


def _ignore(error: OSError) -> None:
    pass
