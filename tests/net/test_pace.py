"""The pace finds the rate of a provider: simulations without a clock, against the rate limiters of the web."""

import math
import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from bench.limiting import Ban, Bucket, Crowd, Limiter, Noise, OneHost, ResponseCounts, Window, play
from oidl.net.pace import Pace


def steady(rate: float) -> Callable[[float], float]:
    return lambda now: rate


def simulate(
    limiter: Limiter, seconds: float = 120, *, latency_s: float = 0.1, in_all: int = 32, hosts: int = 40, seed: int = 1
) -> ResponseCounts:
    return play(limiter, seconds, seed=seed, latency_s=latency_s, hosts=hosts, in_all=in_all)


@pytest.mark.parametrize("retry_after_s", [None, 1.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_limit_is_found_in_the_first_minute_and_kept(retry_after_s: float | None, seed: int) -> None:
    played = simulate(Bucket(steady(40), 20, retry_after_s), 240, seed=seed)
    assert played.delivered(0, 60) >= 0.6 * 40 * 60
    assert played.delivered(60, 240) >= 0.9 * 40 * 180
    assert played.refused_share <= 0.05


@pytest.mark.parametrize("share", [0.01, 0.04, 0.2])
def test_noise_costs_its_own_images_and_no_others(share: float) -> None:
    played = simulate(Noise(share, 1.0), 90)
    assert played.delivered(30, 90) >= 0.8 * (1 - share) * 60 * 32 / 0.1


def test_a_limit_is_told_from_noise() -> None:
    played = simulate(Noise(0.01, 1.0, Bucket(steady(40), 20)), 240)
    assert played.delivered(60, 240) >= 0.85 * 40 * 180
    assert played.refused_share <= 0.05


def test_the_rest_of_a_clock_minute_is_waited_for_and_the_average_kept() -> None:
    played = simulate(Window(600, 60.0, 0.0, says_when=True), 300)
    assert played.delivered(60, 300) >= 0.85 * 600 * 4
    assert played.refused_share <= 0.03


def test_a_limit_that_moves_is_followed_up_and_down() -> None:
    played = simulate(Bucket(lambda now: 40 if now < 60 else 120 if now < 200 else 20, 20), 280)
    assert played.delivered(140, 200) >= 0.7 * 120 * 60
    assert played.delivered(210, 280) >= 0.8 * 20 * 70
    assert played.refused_share <= 0.05


def test_a_ban_is_waited_for_and_not_risked_often() -> None:
    played = simulate(Ban(Bucket(steady(20), 20), 60), 900)
    assert played.delivered(60, 900) >= 0.4 * 20 * 840
    assert played.refused_share <= 0.02


def test_a_limit_on_requests_in_flight_is_a_limit() -> None:
    played = simulate(Crowd(16, 0.1))
    assert played.delivered(60, 120) >= 0.8 * 60 * 16 / 0.1
    assert played.refused_share <= 0.03


def test_a_host_that_throttles_alone_is_held_back_alone() -> None:
    played = simulate(OneHost(Bucket(steady(5), 10)), 60, hosts=4)
    assert played.delivered(0, 60) >= 0.85 * (3 * 5 / 0.1) * 60
    assert played.refused_share <= 0.05


def test_a_host_that_throttles_nearly_everything_is_slowed_down_and_not_taken_for_noise() -> None:
    played = simulate(OneHost(Bucket(steady(5), 10)), 120, in_all=128, hosts=2)
    assert played.refused_share <= 0.01


def test_a_small_limit_costs_few_refusals() -> None:
    played = simulate(Bucket(steady(5), 10), 300, in_all=128)
    assert played.delivered(60, 300) >= 0.9 * 5 * 240
    assert played.refused_share <= 0.05


def test_a_short_refusal_after_hundreds_of_answers_leaves_the_rate() -> None:
    pace = Pace(64, max_rate=40, learned_rate=40.0)
    now = 0.0
    while now < 20:
        pace.started(now)
        pace.succeeded(now + 0.1, now)
        now += 1 / 40
    before = pace.state("x", now).rate
    closed(pace, now)
    now += pace.wait_s(now)
    pace.started(now)
    pace.succeeded(now + 0.1, now)
    rate = pace.state("x", now + 0.1).rate
    assert before is not None
    assert rate is not None
    assert rate >= 0.98 * before


def test_without_a_limit_the_window_opens_to_its_end_and_there_is_no_rate() -> None:
    pace = Pace(64)
    played = play(Noise(0.0), 20, seed=1, latency_s=0.1, in_all=64, pace=pace)
    assert played.delivered(0, 20) >= 0.95 * 20 * 64 / 0.1
    assert pace.state("x", 20).rate is None
    assert pace.state("x", 20).window == 64


def test_ceilings_hold_whatever_the_server_bears() -> None:
    played = play(Noise(0.0), 50, seed=1, latency_s=0.1, pace=Pace(3, max_rate=25))
    assert 24 * 50 <= played.delivered(0, 50) <= 25 * 50 + 10


def test_what_an_earlier_run_learned_is_where_this_one_starts() -> None:
    played = play(Bucket(steady(40), 20), 10, seed=1, latency_s=0.1, pace=Pace(128, learned_rate=38.0))
    assert played.refused_share < 0.02
    assert played.delivered(0, 10) >= 36 * 10


def closed(pace: Pace, now: float, retry_after_s: float | None = None) -> None:
    """As many requests are throttled in a row as mean that nothing gets through."""
    for _ in range(5):
        pace.started(now)
        pace.throttled(now, now, retry_after_s)


@pytest.mark.parametrize("limit", [20, 40, 100])
@pytest.mark.parametrize("guess", [5, 10, 40])
def test_a_guess_is_where_it_starts_and_left_as_soon_as_it_goes_well(limit: float, guess: float) -> None:
    pace = Pace(128, learned_rate=guess, is_guess=True, rng=random.Random(1))
    played = play(Bucket(steady(limit), 5), 60, seed=1, latency_s=0.005, per_host=64, pace=pace)
    assert played.delivered(20, 40) >= 0.85 * limit * 20
    assert played.refused_share <= 0.06
    assert not pace.state("x", 60.0).is_guess


def test_until_then_it_says_that_it_is_one() -> None:
    assert Pace(8, learned_rate=5.0, is_guess=True).state("x", 0.0).is_guess
    assert not Pace(8, learned_rate=5.0).state("x", 0.0).is_guess


def test_a_single_throttled_answer_pauses_nothing_even_with_retry_after() -> None:
    pace = Pace(64)
    pace.started(0)
    pace.throttled(0.1, 0, 3600)
    assert pace.wait_s(0.2) == 0


def test_the_longest_pause_that_was_asked_for_is_kept() -> None:
    pace = Pace(64)
    pace.started(0)
    pace.started(0)
    closed(pace, 1.0, 10.0)
    pace.throttled(1.5, 0, 60.0)
    pace.throttled(1.6, 0, 5.0)
    assert pace.wait_s(2.0) == pytest.approx(59.5)
    assert pace.state("x", 2.0).pause_reason == "too many requests, with Retry-After"


def test_a_pause_says_why_there_is_one_while_there_is() -> None:
    pace = Pace(64)
    assert pace.state("x", 0.5).pause_reason == ""
    closed(pace, 1.0)
    assert pace.state("x", 1.1).pause_reason == "too many requests"
    assert pace.state("x", 9.0).pause_reason == ""
    assert Pace(64, paused_until=5.0).state("x", 1.0).pause_reason == "asked for in an earlier run"


def test_after_a_pause_one_request_goes_first_and_the_rate_comes_back_at_once() -> None:
    pace = Pace(64, learned_rate=40.0)
    now = 0.0
    while now < 20:
        pace.started(now)
        pace.succeeded(now + 0.1, now)
        now += 1 / 40
    closed(pace, now, 10.0)
    assert pace.wait_s(now + 9) == pytest.approx(1)
    pace.started(now + 10)
    assert pace.wait_s(now + 10.1) == math.inf
    pace.succeeded(now + 10.2, now + 10)
    assert pace.wait_s(now + 10.3) == 0
    rate = pace.state("x", now + 10.3).rate
    assert rate is not None
    assert rate >= 0.9 * 40


def test_pauses_double_up_to_minutes_while_it_is_closed() -> None:
    pace = Pace(64, rng=random.Random(3))
    closed(pace, 0.0)
    now, pauses = 0.0, [pace.wait_s(0.0)]
    for _ in range(11):
        now += pauses[-1]
        pace.started(now)
        pace.throttled(now, now)
        pauses.append(pace.wait_s(now))
    assert pauses[0] <= 1.25
    assert all(later > 1.1 * earlier for earlier, later in pairwise(pauses[:8]))
    assert 300 <= pauses[-1] <= 375


def test_errors_speed_nothing_up() -> None:
    pace = Pace(64, learned_rate=10.0)
    before = pace.state("x", 0)
    now = 0.0
    for _ in range(1000):
        now += min(pace.wait_s(now), 1.0)
        pace.started(now)
        pace.failed()
    assert pace.state("x", now) == before


def test_success_that_nothing_held_back_speeds_nothing_up() -> None:
    pace = Pace(64, learned_rate=10.0)
    before = pace.state("x", 0)
    for second in range(1000):
        assert pace.wait_s(second) == 0
        pace.started(second)
        pace.succeeded(second + 0.1, second)
    assert pace.state("x", 1000) == before


def test_without_a_burst_no_request_is_made_up_for() -> None:
    pace = Pace(8, max_rate=1.0, burst_s=0.0)
    pace.started(0.0)
    pace.started(1.1)  # late by a tenth of a second
    assert pace.wait_s(2.05) == pytest.approx(0.05)
