"""A text that is shown again and again: in place on a terminal, one below the other elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

_OTHER_SCREEN, _BACK = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _END_OF_LINE, _BELOW = "\x1b[H", "\x1b[K\n", "\x1b[J"


@contextmanager
def repainted(screen: TextIO, *, in_place: bool) -> Iterator[Callable[[str], None]]:
    """A function that shows a text on `screen`; `in_place`, instead of the one before it.

    Nothing flickers, as lines are written over; what was on the terminal comes back
    in the end, and below it the last text stays.
    """
    last = ""

    def show(text: str) -> None:
        nonlocal last
        if in_place:
            # A line that is longer than the terminal is wide would wrap, which is no harm.
            screen.write(_HOME + text.replace("\n", _END_OF_LINE) + _END_OF_LINE + _BELOW)
        else:
            screen.write(text + "\n")
        screen.flush()
        last = text

    if in_place:
        screen.write(_OTHER_SCREEN)
    try:
        yield show
    finally:
        if in_place:
            screen.write(f"{_BACK}{last}\n" if last else _BACK)
            screen.flush()
