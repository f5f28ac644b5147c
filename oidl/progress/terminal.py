"""The terminal under a full screen: enters it, reads and writes without ever blocking, and restores it.

The terminal is opened again by its name: "non-blocking" is a property of an open
file, and the shell shares the one on stderr. When `open_terminal` ends, by any
exception, the terminal is as before: on the normal screen, with its cursor and
its modes.

A process in the background must not touch the modes, because that would stop it;
then they are left alone. `pause` and `resume` are for Ctrl-Z and `fg`.
"""

import os
import select
import signal
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

import trio

from oidl.progress.deaths import before_death
from oidl.progress.repaint import why_not_rewritten

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"  # the alternate screen, no cursor, no wrapping at the last column
_LEAVE = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
_PATIENCE_S = 1.0  # with a terminal that takes nothing, when it is restored
_READ_BYTES = 1024


def why_not_capable(stream: TextIO) -> str | None:
    """Why `stream` cannot show a full screen, or None if it can."""
    if problem := why_not_rewritten(stream):
        return problem
    if (stream.encoding or "").lower().replace("-", "") != "utf8":
        return "the terminal is not set to UTF-8"
    try:
        os.ttyname(stream.fileno())
    except OSError:
        return "the terminal has no device name"
    return None if _is_foreground(stream.fileno()) else "it runs in the background"


class Terminal:
    """One terminal by its file descriptor; `is_entered` while the full screen is on it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._modes: list[Any] = []
        self.is_entered = False

    @property
    def size(self) -> tuple[int, int]:
        """The present number of columns and lines; 80 × 24 if the terminal does not know."""
        try:
            columns, lines = os.get_terminal_size(self._fd)
        except OSError:
            columns = lines = 0
        return columns or 80, lines or 24

    def enter(self) -> None:
        """Shows an empty screen and delivers keys as they are pressed; Ctrl-C and Ctrl-Z stay signals.

        Raises `OSError` if the terminal is gone.
        """
        try:
            if not self.is_entered:
                self._modes = termios.tcgetattr(self._fd)
            modes = list(self._modes)
            modes[0] &= ~termios.IXON  # Ctrl-S would stop everything
            modes[3] &= ~(termios.ICANON | termios.ECHO)
            termios.tcsetattr(self._fd, termios.TCSANOW, modes)
        except termios.error as error:
            raise OSError(*error.args) from error
        _entered.add(self)
        if not self.is_entered:  # entering twice would save the cursor of the full screen
            self.is_entered = True
            self._write_now(_ENTER)

    def leave(self) -> None:
        """Restores the terminal; does nothing if that was done."""
        if not self.is_entered:
            return
        self.is_entered = False
        _entered.discard(self)
        self._write_now(_LEAVE)
        if _is_foreground(self._fd):
            with suppress(OSError, termios.error):  # it is gone
                termios.tcflush(self._fd, termios.TCIFLUSH)  # keys that were not meant for the shell
                termios.tcsetattr(self._fd, termios.TCSANOW, self._modes)

    def pause(self) -> None:
        """Restores the terminal and stops this process, as Ctrl-Z does; returns when it continues."""
        self.leave()
        os.kill(os.getpid(), signal.SIGSTOP)

    def resume(self) -> None:
        """Enters the terminal again if the process continues in the foreground."""
        if _is_foreground(self._fd):
            self.enter()
        else:
            self.leave()

    async def write(self, text: str) -> None:
        """Writes all of `text`, as fast as the terminal takes it. Raises `OSError` if the terminal is gone."""
        data = text.encode("utf-8", "replace")
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self._fd)
        await trio.lowlevel.checkpoint()

    async def read(self) -> bytes:
        """Waits for keys and returns their bytes; b"" if the terminal is gone."""
        while True:
            await trio.lowlevel.wait_readable(self._fd)
            with suppress(BlockingIOError):
                return os.read(self._fd, _READ_BYTES)

    def above(self, text: str) -> str:
        """What to write so that `text` appears on the normal screen, beneath this one; long lines wrap there."""
        return f"\x1b[?1049l\x1b[?7h{text}\n\x1b[?7l\x1b[?1049h\x1b[2J" if self.is_entered else f"{text}\n"

    def _write_now(self, text: str) -> None:
        """Writes a few bytes at once, without waiting long for a terminal that takes none."""
        data = text.encode()
        with suppress(OSError):
            while data and select.select([], [self._fd], [], _PATIENCE_S)[1]:
                with suppress(BlockingIOError):
                    data = data[os.write(self._fd, data) :]


_entered: set[Terminal] = set()


def leave_all() -> None:
    """Restores every terminal, for a process that ends inside `open_terminal`."""
    for terminal in tuple(_entered):
        terminal.leave()


@contextmanager
def open_terminal(stream: TextIO = sys.stderr) -> Iterator[Terminal]:
    """Yields the terminal that `stream` writes to, with an empty full screen; restores it afterwards."""
    stream.flush()
    fd = os.open(os.ttyname(stream.fileno()), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        terminal = Terminal(fd)
        try:
            with before_death(terminal.leave):
                terminal.enter()
                yield terminal
        finally:
            terminal.leave()
    finally:
        os.close(fd)


def _is_foreground(fd: int) -> bool:
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:  # not our controlling terminal: it cannot stop us
        return True
