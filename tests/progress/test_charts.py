"""Bars and sparklines: their length or height is that of the number."""

import pytest

from oidl.progress.charts import bar, sparkline


@pytest.mark.parametrize(
    ("share", "drawn"),
    [
        (0.0, ("", "░░░░")),
        (0.5, ("██", "░░")),
        (0.53, ("██▏", "░")),
        (0.99, ("████", "")),
        (1.0, ("████", "")),
        (7.0, ("████", "")),
        (-1.0, ("", "░░░░")),
    ],
)
def test_a_bar_is_filled_to_its_share_in_eighths(share: float, drawn: tuple[str, str]) -> None:
    assert bar(share, 4) == drawn


def test_the_highest_is_full_and_nothing_is_as_low_as_can_be_seen() -> None:
    assert sparkline([0, 1, 4, 8], 4) == "▁▁▄█"
    assert sparkline([0, 0], 2) == "▁▁"


def test_what_has_begun_only_now_stands_at_the_right() -> None:
    assert sparkline([1, 2], 5) == "   ▄█"
    assert sparkline([], 5) == "     "


def test_more_values_than_cells_are_means_of_as_many_each() -> None:
    assert sparkline([4, 0, 8, 8, 0, 0, 2, 2], 4) == "▂█▁▂"
