"""The pace against the rate limiters of the web: the share of the allowed requests delivered, and the share refused."""

import argparse
import random
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass

from bench.limiting import Ban, Bucket, Crowd, Limiter, Noise, OneHost, ResponseCounts, Window, play
from bench.live import LIVE_SCENARIOS, LiveScenario, play_live

_FIRST_S = 60


@dataclass(frozen=True, slots=True)
class Scenario:
    """A limiter, the requests that it allows in each second of the simulation, and the required results."""

    name: str
    limiter: Callable[[random.Random], Limiter]
    allowed: Callable[[float], float]
    first: float | None  # minimum share of the allowed requests in the first minute
    after: float  # and after that
    refused: float | None = 0.05  # maximum share of the requests
    latency_s: float = 0.1
    seconds: int = 300
    hosts: int = 40
    in_all: int = 128


def _moving(now: float) -> float:
    return 40 if now < 100 else 120 if now < 220 else 20


def _steady(rate: float) -> Callable[[float], float]:
    return lambda now: rate


def _forty() -> Bucket:
    return Bucket(_steady(40), 20)


def _buckets() -> list[Scenario]:
    return [
        Scenario(
            f"{rate:g}/s, burst {burst}, {latency_s * 1000:g} ms{when}",
            lambda rng, rate=rate, burst=burst, pause_s=pause_s: Bucket(_steady(rate), burst, pause_s),  # type: ignore[misc]
            _steady(min(rate, in_all / latency_s)),
            0.6,
            0.9,
            latency_s=latency_s,
            seconds=300 if rate < 100 else 180,
            in_all=in_all,
        )
        for rate, burst in ((40.0, 20), (5.0, 10), (400.0, 400))
        for latency_s, in_all in ((0.1, 128), (0.005, 8), (0.3, 128))
        for pause_s, when in ((None, ""), (1.0, ", Retry-After 1"))
        if pause_s is None or latency_s == 0.1
    ]


def _free(
    name: str, limiter: Callable[[random.Random], Limiter], noise: float, first: float, after: float
) -> list[Scenario]:
    """Scenarios in which only the number of connections limits the rate."""
    return [
        Scenario(
            f"{name}, {latency_s * 1000:g} ms", limiter, _steady(in_all / latency_s * (1 - noise)), first, after,
            refused, latency_s, seconds, in_all=in_all,
        )
        for latency_s, in_all, seconds in ((0.1, 64, 120), (0.005, 4, 120), (0.3, 128, 120))
        for refused in (None if name != "no limit" else 0.0,)
    ]  # fmt: skip


SCENARIOS = (
    *_buckets(),
    *(
        Scenario(
            f"2,400 a clock minute, {'Retry-After' if says_when else 'no Retry-After'}, {latency_s * 1000:g} ms",
            lambda rng, says_when=says_when: Window(2400, 60.0, rng.uniform(0, 60), says_when),  # type: ignore[misc]
            _steady(40),
            0.85,
            0.85,
            0.03,
            latency_s,
        )
        for says_when in (True, False)
        for latency_s in (0.1, 0.3)
    ),
    *(
        Scenario(
            f"40 a clock second, {latency_s * 1000:g} ms",
            lambda rng: Window(40, 1.0, rng.random(), says_when=False),
            _steady(40),
            0.85,
            0.85,
            0.03,
            latency_s,
        )
        for latency_s in (0.1, 0.3)
    ),
    *_free("1 % noise", lambda rng: Noise(0.01, 1.0), 0.01, 0.5, 0.9),
    *_free("4 % noise", lambda rng: Noise(0.04, 1.0), 0.04, 0.4, 0.8),
    Scenario("40/s and 1 % noise", lambda rng: Noise(0.01, 1.0, _forty()), _steady(40), 0.85, 0.85, None),
    Scenario("40/s and 4 % noise", lambda rng: Noise(0.04, 1.0, _forty()), _steady(40), 0.6, 0.8, None),
    *_free("429 for 2 % of the URLs", lambda rng: Noise(0.02), 0.02, 0.5, 0.9),
    *_free("429 for 20 % of the URLs", lambda rng: Noise(0.2), 0.2, 0.4, 0.8),
    Scenario("40/s, then 120/s, then 20/s", lambda rng: Bucket(_moving, 20), _moving, 0.6, 0.8),
    Scenario("a ban of 60 s above 40/s", lambda rng: Ban(_forty(), 60), _steady(40), None, 0.5, seconds=600),
    Scenario("10 % refused above 64 at once", lambda rng: Crowd(64, 0.1), _steady(640), 0.6, 0.9),
    Scenario(
        "two hosts, one of them 5/s", lambda rng: OneHost(Bucket(_steady(5), 10)), _steady(55), 0.6, 0.85, hosts=2
    ),
    *_free("no limit", lambda rng: Noise(0.0), 0.0, 0.95, 0.95),
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--only", default="", help="scenarios with this in their name")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4], help="of the runs in real time")
    parser.add_argument("--simulated-only", action="store_true", help="without the runs of the program in real time")


def run(arguments: argparse.Namespace) -> None:
    """Prints a table of medians over the seeds, then runs in real time; exits with 1 if a threshold is missed."""
    print(f"{'limiter':48} {'1st min':>8} {'':8} {'after':>8} {'':8} {'refused':>8}")
    is_fine = True
    for scenario in SCENARIOS:
        if arguments.only in scenario.name:
            is_fine &= _show(scenario, arguments.seeds)
    for live in LIVE_SCENARIOS:
        for processes in arguments.processes:
            if not arguments.simulated_only and arguments.only in live.limiter:
                is_fine &= _show_live(live, processes)
    if not is_fine:
        sys.exit(1)


def _show_live(scenario: LiveScenario, processes: int) -> bool:
    first, refused = play_live(scenario, processes)
    is_fine = first >= scenario.share and (scenario.refused is None or refused <= scenario.refused)
    _print_line(
        f"oidl run, {processes}: {scenario.limiter}",
        (first, scenario.share),
        None,
        (refused, scenario.refused),
        is_fine=is_fine,
    )
    return is_fine


def _print_line(
    name: str,
    first: tuple[float, float | None],
    after: tuple[float, float | None] | None,
    refused: tuple[float, float | None],
    *,
    is_fine: bool,
) -> None:
    """Prints the shares, each with its bound."""
    cells = [
        f"{'' if share is None else f'{share:.1%}':>8} {'' if bound is None else f'({sign}{bound:.0%})':8}"
        for sign, (share, bound) in ((">", first), (">", after or (None, None)), ("<", refused))
    ]
    print(f"{name:48} {' '.join(cells)}{'' if is_fine else ' MISSED'}", flush=True)


def _show(scenario: Scenario, seeds: int) -> bool:
    played = [_play(scenario, seed) for seed in range(1, 1 + seeds)]
    first = statistics.median(_share(scenario, one, 0, _FIRST_S) for one in played)
    after = statistics.median(_share(scenario, one, _FIRST_S, scenario.seconds) for one in played)
    refused = statistics.median(one.refused_share for one in played)
    is_fine = (
        first >= (scenario.first or 0.0)
        and after >= scenario.after
        and (scenario.refused is None or refused <= scenario.refused)
    )
    _print_line(
        scenario.name, (first, scenario.first), (after, scenario.after), (refused, scenario.refused), is_fine=is_fine
    )
    return is_fine


def _play(scenario: Scenario, seed: int) -> ResponseCounts:
    limiter = scenario.limiter(random.Random(seed))
    return play(
        limiter, scenario.seconds, seed=seed, latency_s=scenario.latency_s, hosts=scenario.hosts, in_all=scenario.in_all
    )


def _share(scenario: Scenario, played: ResponseCounts, begin: int, end: int) -> float:
    return played.delivered(begin, end) / sum(scenario.allowed(second) for second in range(begin, end))
