"""A text that is shown again and again: in place on a terminal, one below the other elsewhere."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from oidl.progress.deaths import before_death

_OTHER_SCREEN, _BACK = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
# A line is erased before it is written: after the last column, a terminal's cursor still stands on that.
_HOME, _NEXT_LINE, _BELOW = "\x1b[H\x1b[K", "\n\x1b[K", "\n\x1b[J"


class _Stream(Protocol):
    def isatty(self) -> bool: ...


def is_in_notebook() -> bool:
    """Whether a cell of a notebook shows what this writes; its `!` gives programs a terminal that cannot be used."""
    is_told = any(name in os.environ for name in ("JPY_PARENT_PID", "JPY_SESSION_NAME"))
    is_kernel = "ipykernel" in sys.modules or "matplotlib_inline" in os.environ.get("MPLBACKEND", "")
    return is_told or is_kernel


def why_not_rewritten(stream: _Stream) -> str | None:
    """Why nothing can be shown in place on `stream`, or None if it can."""
    if not stream.isatty():
        return "it is not a terminal"
    if os.environ.get("TERM", "") in ("", "dumb", "unknown"):
        return "the terminal cannot do it (TERM)"
    if is_in_notebook():
        return "it runs in a notebook"
    return None


@contextmanager
def repainted(screen: TextIO, *, in_place: bool) -> Iterator[Callable[[str], None]]:
    """A function that shows a text on `screen`; `in_place`, instead of the one before it.

    Nothing flickers, as lines are written over; what was on the terminal comes back
    in the end, and below it the last text stays.
    """
    if not in_place:

        def show_below(text: str) -> None:
            screen.write(f"{text}\n")
            screen.flush()

        yield show_below
        return
    last = ""

    def show(text: str) -> None:
        nonlocal last
        # A line that is longer than the terminal is wide wraps, which is no harm.
        screen.write(_HOME + text.replace("\n", _NEXT_LINE) + _BELOW)
        screen.flush()
        last = text

    def give_back() -> None:
        screen.write(_BACK)
        screen.flush()

    with before_death(give_back):
        screen.write(_OTHER_SCREEN)
        try:
            yield show
        finally:
            give_back()
            screen.write(f"{last}\n" if last else "")
            screen.flush()
