"""Plots as SVG: bars in a row, columns side by side, without text. Pure.

A plot stretches to the available width, so words and numbers are next to it as
HTML, where they keep their size on a phone. Every mark has its value in a
`<title>`, which browsers show on hover.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from oidl.text import html_text

_WIDTH = 1000.0


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar or column: its amount, its CSS class and its title."""

    amount: float
    kind: str
    title: str


def bar(parts: Iterable[Part], whole: float, label: str) -> str:
    """Draws `parts` from left to right; `whole` is the full width."""
    marks = []
    left = 0.0
    for part in parts:
        width = _WIDTH * part.amount / whole if whole else 0.0
        marks.append(_rectangle(left, 0, width, 10, part))
        left += width
    return _svg(10, marks, label)


def columns(stacks: Sequence[Sequence[Part]], label: str) -> str:
    """Draws a column of parts for each of `stacks`, from the bottom up; the highest has the full height."""
    highest = max((sum(part.amount for part in stack) for stack in stacks), default=0.0)
    marks = []
    step = _WIDTH / max(1, len(stacks))
    gap = min(step * 0.15, 3.0)
    for number, stack in enumerate(stacks):
        bottom = 100.0
        for part in stack:
            height = 100.0 * part.amount / highest if highest else 0.0
            bottom -= height
            marks.append(_rectangle(number * step + gap / 2, bottom, step - gap, height, part))
    return _svg(100, marks, label)


def _svg(height: int, marks: Iterable[str], label: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH:g} {height}" preserveAspectRatio="none" role="img" aria-label="{html_text(label)}">'
        f"{''.join(marks)}</svg>"
    )


def _rectangle(x: float, y: float, width: float, height: float, part: Part) -> str:
    if not part.amount:
        return ""
    return (
        f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" class="{part.kind}">'
        f"<title>{html_text(part.title)}</title></rect>"
    )
