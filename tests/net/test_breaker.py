"""A host that cannot be reached is left alone, tried now and then, and used again after its first answer."""

import random

import pytest

from oidl.net.breaker import Breaker


def fail(breaker: Breaker, now: float) -> bool:
    breaker.started()
    return breaker.failed(now)


@pytest.fixture
def broken() -> Breaker:
    breaker = Breaker(random.Random(1))
    assert [fail(breaker, 0.0) for _ in range(5)] == [False] * 4 + [True]
    return breaker


def test_some_failures_are_life() -> None:
    breaker = Breaker()
    for _ in range(100):
        for _ in range(4):
            fail(breaker, 0.0)
        breaker.started()
        breaker.succeeded()
    assert breaker.wait_s(0.0) == 0
    assert not breaker.is_open


def test_five_in_a_row_set_it_aside(broken: Breaker) -> None:
    assert broken.is_open
    assert 3.7 <= broken.wait_s(0.0) <= 6.3


def test_those_under_way_do_not_make_it_longer(broken: Breaker) -> None:
    wait_s = broken.wait_s(0.0)
    assert not broken.failed(0.0)
    assert broken.wait_s(0.0) == wait_s


def test_one_tries_whether_it_is_back(broken: Breaker) -> None:
    assert broken.wait_s(10.0) == 0
    broken.started()
    assert broken.wait_s(10.0) > 0


def test_it_is_tried_ever_less_often(broken: Breaker) -> None:
    now, waits = 0.0, []
    for _ in range(12):
        waits.append(broken.wait_s(now))
        now += waits[-1]
        assert not fail(broken, now), "it is known already"
    assert waits[4] > 8 * waits[0]
    assert 225 <= waits[-1] <= 375


def test_the_first_answer_brings_it_back(broken: Breaker) -> None:
    broken.started()
    broken.succeeded()
    assert broken.wait_s(10.0) == 0
    assert not broken.is_open
    assert not fail(broken, 11.0)


def test_a_probe_that_told_nothing_makes_room_for_another(broken: Breaker) -> None:
    broken.started()
    broken.cancelled()
    assert broken.wait_s(10.0) == 0
