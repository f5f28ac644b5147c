"""The rate limiters of the web, and a simulation of a pace against one of them. No real time passes.

The simulation drives `Pace` as `net/permits.py` does: it limits the requests in flight, in total and per host, and
sends the next one as soon as the pace allows it. It never runs out of images.
"""

import heapq
import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from oidl.net.pace import Pace
from oidl.net.provider import ProviderPace


@dataclass(frozen=True, slots=True)
class LimiterAnswer:
    """The answer to one request: whether it is throttled, and if so, the seconds in its `Retry-After`."""

    is_throttled: bool
    retry_after_s: float | None = None


OK = LimiterAnswer(is_throttled=False)


class Limiter(Protocol):
    """A server that answers a request at `now`; `in_flight` counts this request too."""

    def answer(self, now: float, host: int, in_flight: int, rng: random.Random) -> LimiterAnswer:
        """What the server says."""


@dataclass(slots=True)
class Bucket:
    """A token bucket: `rate(now)` tokens per second, of which it keeps at most `burst`."""

    rate: Callable[[float], float]
    burst: float
    retry_after_s: float | None = None
    tokens: float = field(init=False)
    at: float = 0.0

    def __post_init__(self) -> None:
        self.tokens = self.burst

    def answer(self, now: float, host: int, in_flight: int, rng: random.Random) -> LimiterAnswer:
        """What the server says."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate(now))
        self.at = now
        if self.tokens < 1:
            return LimiterAnswer(True, self.retry_after_s)
        self.tokens -= 1
        return OK


@dataclass(slots=True)
class Window:
    """At most `count` requests in each `length_s` of the clock; it refuses the others."""

    count: int
    length_s: float
    phase_s: float
    says_when: bool
    number: int = -1
    used: int = 0

    def answer(self, now: float, host: int, in_flight: int, rng: random.Random) -> LimiterAnswer:
        """What the server says."""
        number, into_s = divmod(now + self.phase_s, self.length_s)
        if number != self.number:
            self.number, self.used = int(number), 0
        self.used += 1
        if self.used <= self.count:
            return OK
        return LimiterAnswer(True, math.ceil(self.length_s - into_s) if self.says_when else None)


@dataclass(slots=True)
class Noise:
    """Refuses a share of all requests at any pace; `behind` answers the others."""

    share: float
    retry_after_s: float | None = None
    behind: Limiter | None = None

    def answer(self, now: float, host: int, in_flight: int, rng: random.Random) -> LimiterAnswer:
        """What the server says."""
        if rng.random() < self.share:
            return LimiterAnswer(True, self.retry_after_s)
        return self.behind.answer(now, host, in_flight, rng) if self.behind else OK


@dataclass(slots=True)
class Ban:
    """Refuses a client that exceeds the limit of `behind` for `length_s`, counted from its last request."""

    behind: Limiter
    length_s: float
    until: float = -math.inf

    def answer(self, now: float, host: int, in_flight: int, rng: random.Random) -> LimiterAnswer:
        """What the server says."""
        answer = LimiterAnswer(True) if now < self.until else self.behind.answer(now, host, in_flight, rng)
        if answer.is_throttled:
            self.until = now + self.length_s
        return answer


@dataclass(slots=True)
class Crowd:
    """Refuses a share of the requests while more than `limit` are in flight."""

    limit: int
    share: float

    def answer(self, now: float, host: int, in_flight: int, rng: random.Random) -> LimiterAnswer:
        """What the server says."""
        return LimiterAnswer(in_flight > self.limit and rng.random() < self.share)


@dataclass(slots=True)
class OneHost:
    """Limits only the first host."""

    behind: Limiter

    def answer(self, now: float, host: int, in_flight: int, rng: random.Random) -> LimiterAnswer:
        """What the server says."""
        return self.behind.answer(now, host, in_flight, rng) if host == 0 else OK


@dataclass(slots=True)
class ResponseCounts:
    """The number of requests answered and refused in each second."""

    answered: Counter[int] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)

    def delivered(self, begin: int, end: int) -> int:
        """The number of images that arrived in these seconds."""
        return sum(count for second, count in self.answered.items() if begin <= second < end)

    @property
    def refused_share(self) -> float:
        """The share of all requests that was refused."""
        refused = self.refused.total()
        return refused / max(1, refused + self.answered.total())


def play(
    limiter: Limiter,
    seconds: float,
    *,
    seed: int,
    latency_s: float,
    hosts: int = 40,
    per_host: int = 5,
    in_all: int = 128,
    pace: Pace | None = None,
) -> ResponseCounts:
    """Sends requests to `limiter` for `seconds`, as fast as the pace allows."""
    rng = random.Random(seed)
    pace_rng = random.Random(seed)
    paces = ProviderPace(pace or Pace(in_all, rng=pace_rng), lambda: Pace(per_host, rng=pace_rng))
    played = ResponseCounts()
    ends: list[tuple[float, int, float, int]] = []  # when, a number, since when, host
    busy = [0] * hosts
    now, number = 0.0, 0
    while now < seconds:
        wake_at = math.inf
        while len(ends) < in_all:
            host, wait_s = _free_host(paces, now, busy, per_host, rng)
            if host is None:
                wake_at = now + wait_s
                break
            if (wait_s := paces.wait_s(now)) > 0:
                wake_at = now + wait_s
                break
            paces.started(now, str(host))
            busy[host] += 1
            number += 1
            heapq.heappush(ends, (now + latency_s * rng.uniform(0.5, 1.5), number, now, host))
        if not ends or wake_at < ends[0][0]:
            now = wake_at
            continue
        now, _, started_at, host = heapq.heappop(ends)
        answer = limiter.answer(now, host, len(ends) + 1, rng)
        busy[host] -= 1
        if answer.is_throttled:
            played.refused[int(now)] += 1
            paces.throttled(now, started_at, answer.retry_after_s, str(host))
        else:
            played.answered[int(now)] += 1
            paces.succeeded(now, started_at, str(host))
    return played


def _free_host(
    paces: ProviderPace, now: float, busy: list[int], per_host: int, rng: random.Random
) -> tuple[int | None, float]:
    """A host that accepts a request now, or the seconds until one does."""
    first, held_s = rng.randrange(len(busy)), math.inf
    for step in range(len(busy)):
        host = (first + step) % len(busy)
        if busy[host] < per_host:
            wait_s = paces.host_wait_s(str(host), now)
            if wait_s == 0:
                return host, 0.0
            held_s = min(held_s, wait_s)
    return None, held_s
