"""Lines of spans as characters and escape sequences for a terminal; without colours if `NO_COLOR` is set."""

import io
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from oidl.progress.spans import Line


class Painter:
    """Paints screens; between one and the next, only the difference."""

    def __init__(self) -> None:
        # Sixteen colours, those of the user's theme, light or dark. rich obeys NO_COLOR by itself.
        self._console = Console(
            file=io.StringIO(), force_terminal=True, color_system="standard", legacy_windows=False, highlight=False
        )
        self._before: list[str] = []

    def painted(self, lines: Iterable[Line]) -> list[str]:
        """Each of `lines` with its styles, painted together: one `Text` for all costs 2 ms, a table of them 40."""
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
        """What to write so that the screen shows `lines`: the changed lines, or all of them if `is_new`."""
        painted = self.painted(lines)
        before = self._before
        if is_new or len(before) != len(painted):
            before = []
        self._before = painted
        changed = [
            # Erase first: after a full line the cursor is still on the last column, and would erase that.
            f"\x1b[{number + 1};1H\x1b[K{line}"
            for number, line in enumerate(painted)
            if number >= len(before) or line != before[number]
        ]
        # As one frame, if the terminal supports "synchronized output".
        return f"\x1b[?2026h{''.join(changed)}\x1b[?2026l" if changed else ""
