"""Lines of spans as the characters that a terminal shows them by; no colours where `NO_COLOR` says so."""

import io
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from oidl.progress.spans import Line


class Painter:
    """Paints screens, and what differs between one and the next."""

    def __init__(self) -> None:
        # Sixteen colours: the user's own, on light and dark. rich heeds NO_COLOR by itself.
        self._console = Console(
            file=io.StringIO(), force_terminal=True, color_system="standard", legacy_windows=False, highlight=False
        )
        self._before: list[str] = []

    def painted(self, lines: Iterable[Line]) -> list[str]:
        """Each of `lines` with its styles, in one go: a `Text` for all costs 2 ms, a table of them 40."""
        text = Text(no_wrap=True, end="")
        for number, line in enumerate(lines):
            if number:
                text.append("\n")
            for span in line:
                text.append(span.text, span.style or None)
        with self._console.capture() as captured:
            self._console.print(text, end="", soft_wrap=True)
        return captured.get().split("\n")

    def update(self, lines: Sequence[Line], *, is_new: bool = False) -> str:
        """What makes the screen show `lines`; with `is_new` whatever was on it, else the lines that changed only."""
        painted = self.painted(lines)
        before = self._before
        if is_new or len(before) != len(painted):
            before = []
        self._before = painted
        changed = [
            # Erased before it is written: after the last column, a terminal's cursor still stands on that.
            f"\x1b[{number + 1};1H\x1b[K{line}"
            for number, line in enumerate(painted)
            if number >= len(before) or line != before[number]
        ]
        # In one frame, where a terminal knows that ("synchronized output").
        return f"\x1b[?2026h{''.join(changed)}\x1b[?2026l" if changed else ""
