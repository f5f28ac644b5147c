"""Lines of styled text, measured in cells: the screen before it becomes escape sequences. Pure.

All text from strangers goes through `cut`, which removes everything that a
terminal would obey.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from rich.cells import cell_len, set_cell_size

from oidl.text import printable

DIM, GOOD, BAD, WARN, HEAD, MARK = "dim", "green", "red", "yellow", "bold", "cyan"


@dataclass(frozen=True, slots=True)
class Span:
    """Text in one style, as rich names styles; "" is the terminal's own."""

    text: str
    style: str = ""


Line: TypeAlias = tuple[Span, ...]


def cut(text: str, width: int) -> str:
    """`text` in at most `width` cells; if it is longer, it ends in `…`."""
    text = printable(text).replace("\n", " ")
    return text if cell_len(text) <= width else set_cell_size(text, max(0, width - 1)) + "…" * (width > 0)


def left(text: str, width: int, style: str = "") -> Span:
    """`text`, left-aligned in exactly `width` cells."""
    return Span(set_cell_size(cut(text, width), width), style)


def right(text: str, width: int, style: str = "") -> Span:
    """`text`, right-aligned in at least `width` cells."""
    return Span(" " * (width - cell_len(text)) + text, style)


def tail(text: str, width: int, style: str = "") -> Span:
    """The end of `text`, the part of a path that says most, in exactly `width` cells."""
    text = printable(text).replace("\n", " ")
    if cell_len(text) > width:
        text = "…" + text[len(text) - max(0, width - 1) :] if width > 1 else ""
    return Span(set_cell_size(text, width), style)


def apart(first: Line, last: Line, width: int) -> Line:
    """`first` at the left and `last` at the right of a line."""
    gap = width - width_of(first) - width_of(last)
    return (*first, Span(" " * max(1, gap)), *last)


def width_of(line: Iterable[Span]) -> int:
    """How many cells a line takes."""
    return sum(cell_len(span.text) for span in line)


def clipped(line: Line, width: int) -> Line:
    """`line` in at most `width` cells."""
    spans: list[Span] = []
    for span in line:
        room = width - width_of(spans)
        if room <= 0:
            break
        spans.append(Span(cut(span.text, room), span.style))
    return tuple(spans)
