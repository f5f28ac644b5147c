"""A text that is shown repeatedly: in place on a terminal, otherwise one below the other."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from oidl.progress.deaths import before_death

_OTHER_SCREEN, _BACK = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
# Erase first: after a full line the cursor is still on the last column, and would erase that.
_HOME, _NEXT_LINE, _BELOW = "\x1b[H\x1b[K", "\n\x1b[K", "\n\x1b[J"


class _Stream(Protocol):
    def isatty(self) -> bool: ...


def is_in_notebook() -> bool:
    """Whether the output appears in a notebook cell; its `!` gives programs a terminal that cannot be rewritten."""
    is_child = any(name in os.environ for name in ("JPY_PARENT_PID", "JPY_SESSION_NAME"))
    is_kernel = "ipykernel" in sys.modules or "matplotlib_inline" in os.environ.get("MPLBACKEND", "")
    return is_child or is_kernel


def why_not_rewritten(stream: _Stream) -> str | None:
    """Why text on `stream` cannot be replaced in place, or None if it can."""
    if not stream.isatty():
        return "the output is not a terminal"
    if os.environ.get("TERM", "") in ("", "dumb", "unknown"):
        return "the terminal cannot redraw (TERM)"
    if is_in_notebook():
        return "it runs in a notebook"
    return None


@contextmanager
def repainted(screen: TextIO, *, in_place: bool) -> Iterator[Callable[[str], None]]:
    """Yields a function that shows a text on `screen`; with `in_place` it replaces the text before.

    Lines are overwritten, so nothing flickers. In the end the terminal shows its
    earlier content again, with the last text below it.
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
        # A line that is wider than the terminal wraps, which does no harm.
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
