"""Rate limiters as they are met on the web, and a simulation that plays a pace against one. No real time passes.

The simulation drives `Pace` as `net/hosts.py` does: so many requests in flight in all and at each host, the next
one as soon as the pace allows it. There are always more images to ask for.
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
class CannedResponse:
    """What a server says to one request: is it throttled, and if so, how many seconds does `Retry-After` ask for."""

    is_throttled: bool
    retry_after_s: float | None = None


OK = CannedResponse(is_throttled=False)


class Limiter(Protocol):
    """A server that answers a request at `now`; `in_flight` counts this request too."""

    def answer(self, now: float, host: int, in_flight: int, rng: random.Random) -> CannedResponse:
        """What the server says."""


@dataclass(slots=True)
class Bucket:
    """A token bucket: `rate(now)` tokens a second, at most `burst` of them kept."""

    rate: Callable[[float], float]
    burst: float
    retry_after_s: float | None = None
    tokens: float = field(init=False)
    at: float = 0.0

    def __post_init__(self) -> None:
        self.tokens = self.burst

    def answer(self, now: float, host: int, in_flight: int, rng: random.Random) -> CannedResponse:
        """What the server says."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate(now))
        self.at = now
        if self.tokens < 1:
            return CannedResponse(True, self.retry_after_s)
        self.tokens -= 1
        return OK


@dataclass(slots=True)
class Window:
    """At most `count` requests in each `length_s` of the clock; the rest of it is refused."""

    count: int
    length_s: float
    phase_s: float
    says_when: bool
    number: int = -1
    used: int = 0

    def answer(self, now: float, host: int, in_flight: int, rng: random.Random) -> CannedResponse:
        """What the server says."""
        number, into_s = divmod(now + self.phase_s, self.length_s)
        if number != self.number:
            self.number, self.used = int(number), 0
        self.used += 1
        if self.used <= self.count:
            return OK
        return CannedResponse(True, math.ceil(self.length_s - into_s) if self.says_when else None)


@dataclass(slots=True)
class Noise:
    """A share of all answers is a refusal, whatever the pace; the rest is what `behind` says."""

    share: float
    retry_after_s: float | None = None
    behind: Limiter | None = None

    def answer(self, now: float, host: int, in_flight: int, rng: random.Random) -> CannedResponse:
        """What the server says."""
        if rng.random() < self.share:
            return CannedResponse(True, self.retry_after_s)
        return self.behind.answer(now, host, in_flight, rng) if self.behind else OK


@dataclass(slots=True)
class Ban:
    """Whoever goes beyond the limit of `behind` is refused for `length_s`, counted from the latest request."""

    behind: Limiter
    length_s: float
    until: float = -math.inf

    def answer(self, now: float, host: int, in_flight: int, rng: random.Random) -> CannedResponse:
        """What the server says."""
        answer = CannedResponse(True) if now < self.until else self.behind.answer(now, host, in_flight, rng)
        if answer.is_throttled:
            self.until = now + self.length_s
        return answer


@dataclass(slots=True)
class Crowd:
    """A share of the answers is a refusal while more than `limit` requests are in flight."""

    limit: int
    share: float

    def answer(self, now: float, host: int, in_flight: int, rng: random.Random) -> CannedResponse:
        """What the server says."""
        return CannedResponse(in_flight > self.limit and rng.random() < self.share)


@dataclass(slots=True)
class OneHost:
    """Only the first host has a limit."""

    behind: Limiter

    def answer(self, now: float, host: int, in_flight: int, rng: random.Random) -> CannedResponse:
        """What the server says."""
        return self.behind.answer(now, host, in_flight, rng) if host == 0 else OK


@dataclass(slots=True)
class Played:
    """What became of the requests: for each second, how many were answered and how many refused."""

    answered: Counter[int] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)

    def delivered(self, begin: int, end: int) -> int:
        """Images that came in these seconds."""
        return sum(count for second, count in self.answered.items() if begin <= second < end)

    @property
    def refused_share(self) -> float:
        """Of all requests."""
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
) -> Played:
    """Asks `limiter` for `seconds` as fast as the pace allows."""
    rng = random.Random(seed)
    pace_rng = random.Random(seed)
    paces = ProviderPace(pace or Pace(in_all, rng=pace_rng), lambda: Pace(per_host, rng=pace_rng))
    played = Played()
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
    """A host that may be asked now, or how long to wait for one."""
    first, held_s = rng.randrange(len(busy)), math.inf
    for step in range(len(busy)):
        host = (first + step) % len(busy)
        if busy[host] < per_host:
            wait_s = paces.host_wait_s(str(host), now)
            if wait_s == 0:
                return host, 0.0
            held_s = min(held_s, wait_s)
    return None, held_s
