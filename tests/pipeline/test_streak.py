"""What failed alike, and since when: at any point of a run, at its end, and through noise."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from oidl.model import Reason
from oidl.pipeline.streak import FEW, ONSET, RECENT, Streaks

START = datetime(2026, 1, 1, tzinfo=UTC)
PAGE = Reason.NOT_AN_IMAGE


def after(*reasons: Reason | None, share: float = 0.95) -> Streaks:
    """A run with these outcomes, one a second."""
    streaks = Streaks(share)
    for number, reason in enumerate(reasons):
        streaks.add(reason, START + timedelta(seconds=number))
    return streaks


def real_life(count: int, seed: int = 1) -> list[Reason | None]:
    """As of Flickr: of ten images one or two are gone, now and then one is a page."""
    draw = random.Random(seed)
    return draw.choices([None, Reason.UNAVAILABLE, Reason.NOT_FOUND, PAGE], [82, 10, 6, 2], k=count)


@pytest.mark.parametrize("seed", range(20))
def test_real_life_has_no_streak(seed: int) -> None:
    streaks = after(*real_life(3000, seed))
    assert streaks.recent() is None
    assert streaks.last() is None
    assert streaks.over() == []


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("reason", [PAGE, Reason.NOT_FOUND])
def test_a_streak_begins_where_real_life_ends_and_never_later(reason: Reason, seed: int) -> None:
    draw = random.Random(seed)
    change = [draw.choice([None, reason]) for _ in range(10)]  # transfers that began before and end among the others
    streaks = after(*real_life(1000, seed), *change, *[reason] * RECENT)
    streak = streaks.recent()
    assert streak
    assert (streak.reason, streak.count) == (reason, RECENT)
    began_s = (streak.since - START).total_seconds()
    assert 900 < began_s <= 1010
    assert streak.since - ONSET < START + timedelta(seconds=1000)


def test_when_it_is_over_it_is_none() -> None:
    assert after(*[PAGE] * RECENT, *[None] * 11).recent() is None
    assert after(*[PAGE] * RECENT, *[None] * 11).last() is None


@pytest.mark.parametrize("count", [FEW, 40, 150])
def test_a_run_may_end_with_one_however_short_it_is_and_whatever_came_before(count: int) -> None:
    for before in ([], real_life(500), [None, PAGE] * 20):
        streak = after(*before, *[PAGE] * count).last()
        assert streak
        assert streak.reason is PAGE
        assert count <= streak.count <= 1.1 * count + 2


@pytest.mark.parametrize("count", [25, 60, 150])
def test_a_short_one_that_is_over_is_still_known_with_its_time(count: int) -> None:
    streaks = after(*real_life(500), *[Reason.NOT_FOUND] * count, *real_life(500))
    assert (streaks.recent(), streaks.last()) == (None, None)
    (streak,) = streaks.over()
    assert streak.reason is Reason.NOT_FOUND
    assert streak.since <= START + timedelta(seconds=500)
    assert START + timedelta(seconds=500 + count - 1) <= streak.until < START + timedelta(seconds=500 + 3 * count)


def test_a_few_are_none() -> None:
    assert after(*[None] * 9, *[PAGE] * (FEW - 1)).last() is None


def test_nothing_at_all_is_none() -> None:
    assert after().recent() is None
    assert after().last() is None
