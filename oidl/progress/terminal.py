"""The terminal while a full screen is on it: entered, written to and read without ever blocking, and given back.

The terminal is opened anew by its name: "non-blocking" belongs to an open file,
and the one on stderr is the shell's too. Whoever leaves `open_terminal`, by
whatever exception, leaves the terminal as it was: the other screen put away, the
cursor shown, its modes restored.

A process in the background must not touch the modes (it would be stopped), so
they are left alone then; `pause` and `resume` are for Ctrl-Z and `fg`.
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
_PATIENCE_S = 1.0  # with a terminal that takes nothing, when it is given back
_READ_BYTES = 1024


def why_not_capable(stream: TextIO) -> str | None:
    """Why there can be no full screen on `stream`, or None if there can."""
    if problem := why_not_rewritten(stream):
        return problem
    if (stream.encoding or "").lower().replace("-", "") != "utf8":
        return "the terminal is not set to UTF-8"
    try:
        os.ttyname(stream.fileno())
    except OSError:
        return "the terminal has no name here"
    return None if _is_foreground(stream.fileno()) else "it runs in the background"


class Terminal:
    """One terminal by its file descriptor; `is_entered` while the full screen is on it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._modes: list[Any] = []
        self.is_entered = False

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines, as they are now; 80 × 24 where the terminal does not know."""
        try:
            columns, lines = os.get_terminal_size(self._fd)
        except OSError:
            columns = lines = 0
        return columns or 80, lines or 24

    def enter(self) -> None:
        """Shows an empty screen, and gets keys as they are pressed; Ctrl-C and Ctrl-Z are signals still.

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
        if not self.is_entered:  # a second time would save the cursor of the screen that is there already
            self.is_entered = True
            self._write_now(_ENTER)

    def leave(self) -> None:
        """Gives the terminal back as it was; does nothing where that was done."""
        if not self.is_entered:
            return
        self.is_entered = False
        _entered.discard(self)
        self._write_now(_LEAVE)
        if _is_foreground(self._fd):
            with suppress(OSError, termios.error):  # it is gone
                termios.tcflush(self._fd, termios.TCIFLUSH)  # what was typed was not meant for the shell
                termios.tcsetattr(self._fd, termios.TCSANOW, self._modes)

    def pause(self) -> None:
        """Gives the terminal back and stops this process, as Ctrl-Z does; returns when it goes on."""
        self.leave()
        os.kill(os.getpid(), signal.SIGSTOP)

    def resume(self) -> None:
        """Takes the terminal again if the process goes on in the foreground."""
        if _is_foreground(self._fd):
            self.enter()
        else:
            self.leave()

    async def write(self, text: str) -> None:
        """Writes all of `text`, as fast as the terminal takes it. Raises `OSError` if it is gone."""
        data = text.encode("utf-8", "replace")
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self._fd)
        await trio.lowlevel.checkpoint()

    async def read(self) -> bytes:
        """What was typed, as soon as something is; b"" if the terminal is gone."""
        while True:
            await trio.lowlevel.wait_readable(self._fd)
            with suppress(BlockingIOError):
                return os.read(self._fd, _READ_BYTES)

    def above(self, text: str) -> str:
        """What puts lines on the normal screen, under this one, where long ones are wrapped."""
        return f"\x1b[?1049l\x1b[?7h{text}\n\x1b[?7l\x1b[?1049h\x1b[2J" if self.is_entered else f"{text}\n"

    def _write_now(self, text: str) -> None:
        """Writes few bytes on the spot, without waiting long for a terminal that takes none."""
        data = text.encode()
        with suppress(OSError):
            while data and select.select([], [self._fd], [], _PATIENCE_S)[1]:
                with suppress(BlockingIOError):
                    data = data[os.write(self._fd, data) :]


_entered: set[Terminal] = set()


def leave_all() -> None:
    """Gives every terminal back, before the process ends without `open_terminal` being left."""
    for terminal in tuple(_entered):
        terminal.leave()


@contextmanager
def open_terminal(stream: TextIO = sys.stderr) -> Iterator[Terminal]:
    """The terminal that `stream` writes to, with an empty full screen on it until this is left."""
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
    except OSError:  # not the terminal that controls us: nobody would stop us
        return True
