"""Bars and columns: the positions and titles of their marks."""

import re
from xml.etree import ElementTree

import pytest

from oidl.report.plots import Part, bar, columns


def marks(svg: str) -> list[tuple[float, float, float, float, str | None]]:
    """Every rectangle: x, y, width, height, class."""
    return [
        (*(float(mark.attrib[name]) for name in ("x", "y", "width", "height")), mark.attrib["class"])  # type: ignore[misc]
        for mark in ElementTree.fromstring(svg).iter("rect")
    ]


def test_the_parts_of_a_bar_lie_side_by_side_and_fill_their_share() -> None:
    plot = bar([Part(50, "done", "a"), Part(0, "failed", "b"), Part(25, "retry", "c")], 100, "so far")
    assert marks(plot) == [(0, 0, 500, 10, "done"), (500, 0, 250, 10, "retry")]
    assert ElementTree.fromstring(plot).attrib["aria-label"] == "so far"


def test_columns_stand_on_the_ground_and_the_highest_is_the_full_height() -> None:
    stacks = [[Part(1, "done", "a"), Part(3, "failed", "b")], [], [Part(2, "done", "c")]]
    found = marks(columns(stacks, "x"))
    assert [(y, height, kind) for _, y, _, height, kind in found] == [
        (75, 25, "done"),
        (0, 75, "failed"),
        (50, 50, "done"),
    ]
    assert found[0][0] == pytest.approx(0, abs=2)
    assert found[2][0] == pytest.approx(667, abs=2)
    assert all(x + width <= 1000 for x, _, width, _, _ in found)


def test_nothing_at_all_is_an_empty_plot() -> None:
    assert marks(bar([Part(0, "done", "a")], 0, "x")) == []
    assert marks(columns([], "x")) == []
    assert marks(columns([[Part(0, "done", "a")]], "x")) == []


def test_words_are_escaped() -> None:
    plot = bar([Part(1, "done", "<script>&\"'")], 1, '"><script>')
    assert "<script>" not in plot
    assert re.search("<title>&lt;script&gt;&amp;&quot;", plot)
    assert ElementTree.fromstring(plot).attrib["aria-label"] == '"><script>'
