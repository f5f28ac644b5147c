"""Lines become characters with colours, unless the user wants none; only changed lines are sent."""

import pytest

from oidl.progress.paint import Painter
from oidl.progress.spans import Span

LINES = [(Span("done ", "dim"), Span("12", "green")), (), (Span(" x"),)]


@pytest.fixture(autouse=True)
def _colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_every_span_has_its_style() -> None:
    assert Painter().painted(LINES) == ["\x1b[2mdone \x1b[0m\x1b[32m12\x1b[0m", "", " x"]


def test_without_colours_only_weight_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert Painter().painted(LINES) == ["\x1b[2mdone \x1b[0m12", "", " x"]


def test_a_line_is_never_folded_however_long() -> None:
    assert Painter().painted([(Span("word " * 100),)]) == ["word " * 100]


def test_only_lines_that_changed_are_drawn_again() -> None:
    painter = Painter()
    assert painter.update(LINES).count("\x1b[K") == 3
    assert painter.update(LINES) == ""
    other = [LINES[0], (Span("new"),), LINES[2]]
    assert painter.update(other) == "\x1b[?2026h\x1b[2;1H\x1b[Knew\x1b[?2026l"


def test_all_is_drawn_where_the_screen_is_new_or_has_another_height() -> None:
    painter = Painter()
    painter.update(LINES)
    assert painter.update(LINES, is_new=True).count("\x1b[K") == 3
    assert painter.update(LINES[:2]).count("\x1b[K") == 2
