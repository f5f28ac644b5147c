"""What a run says to people: lines on stderr, a progress line that is rewritten, a log.

On a terminal, what is said and the progress line go to stderr and a log file
gets it too. Elsewhere everything goes to the log: stdout, unless switched off,
then stderr. Where stderr is a machine's, stdout is for people. What is said
while a full screen covers the terminal is handed to that, and none of it lost.
"""

import logging
import os
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from oidl.errors import disk_error
from oidl.text import printable

log = logging.getLogger("oidl")

_CLEAR_LINE = "\r\x1b[K"


class Console:
    """Where a run's words go."""

    def __init__(self, screen: TextIO | None) -> None:
        self._screen = screen
        self._has_line = False
        self._waiting: deque[str] | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether somebody watches: the progress line may then be rewritten."""
        return self._screen is not None and self._screen.isatty() and os.environ.get("TERM") != "dumb"

    def say(self, text: str) -> None:
        """Something happened that people want to know."""
        log.info("%s", text)
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


@contextmanager
def open_console(
    log_file: Path | None, *, log_to_stdout: bool, is_stderr_for_machines: bool = False
) -> Iterator[Console]:
    """The console of one run, with its logs; raises `DiskError` if the log file cannot be written."""
    handlers: list[logging.Handler] = [logging.NullHandler()]  # without any, logging would write to stderr
    if log_to_stdout:
        handlers.append(logging.StreamHandler(sys.stdout))
    if log_file:
        try:
            handlers.append(logging.FileHandler(log_file, encoding="utf-8"))
        except OSError as error:
            raise disk_error(log_file.absolute(), error) from error
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    for handler in handlers:
        handler.setFormatter(formatter)
        log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    is_said_in_log = log_to_stdout and (is_stderr_for_machines or not sys.stderr.isatty())
    people = sys.stdout if is_stderr_for_machines else sys.stderr
    console = Console(None if is_said_in_log else people)
    try:
        yield console
    finally:
        console.clear()
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()
