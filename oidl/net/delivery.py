"""Counts answers and throttled answers: the evidence for judging a pace. Pure."""

import math
from collections import deque
from dataclasses import dataclass, field

_TOLERATED = 0.0125  # a share of throttled answers that always counts as noise
_NOISE_FACTOR = 1.5  # a share must exceed the known noise by this factor to be more than noise
_SIGMAS, _FEWER_SIGMAS = 3.0, 2.0  # of chance beyond that, with few and with many answers
_MANY = 300
_LEAST_ANSWERS = 8  # before a share means anything
_RARE = 1e-9  # if noise explains a run of throttled answers with less than this probability, the provider is closed
_KEPT = 1000  # answers; after that, older ones count for half
_RECENT = 50


@dataclass(slots=True)
class Tally:
    """The answers to requests that started at `since` or later."""

    since: float
    answered: float = 0
    throttled: float = 0
    in_a_row: int = 0  # throttled, up to now
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=_RECENT))
    counted_since: float = math.nan  # later than `since` once older answers count for half
    lag: float = 1.0  # latencies between `counted_since` and the first counted answer

    def add(self, now: float, *, is_throttled: bool) -> None:
        """Counts one more answer."""
        self.recent.append(is_throttled)
        if math.isnan(self.counted_since):
            self.counted_since = self.since
        if is_throttled:
            self.throttled += 1
            self.in_a_row += 1
        else:
            self.answered += 1
            self.in_a_row = 0
        if self.count > _KEPT:
            self.answered /= 2
            self.throttled /= 2
            self.counted_since = (now + self.counted_since) / 2
            self.lag /= 2

    @property
    def count(self) -> float:
        """The number of all answers."""
        return self.answered + self.throttled

    @property
    def share(self) -> float:
        """The share of throttled answers."""
        return self.throttled / self.count if self.count else 0.0

    @property
    def recent_share(self) -> float:
        """The share of throttled answers among the latest ones."""
        return sum(self.recent) / len(self.recent) if self.recent else 0.0

    def rate(self, now: float, latency_s: float) -> float:
        """Answers of both kinds per second."""
        took_s = now - self.counted_since - self.lag * latency_s
        return self.count / max(took_s, latency_s / 2, 0.05)

    def is_above(self, noise: float) -> bool:
        """Whether more answers were throttled than a share of `noise` explains."""
        expected = max(_NOISE_FACTOR * noise, _TOLERATED) * self.count
        sigmas = _FEWER_SIGMAS if self.count >= _MANY else _SIGMAS
        return self.count >= _LEAST_ANSWERS and self.throttled > expected + sigmas * math.sqrt(expected) + 1

    def is_closed(self, noise: float) -> bool:
        """Whether so many answers in a row were throttled that nothing gets through now."""
        return self.in_a_row >= math.log(_RARE) / math.log(min(max(noise, 0.01), 0.5))

    def evidence(self, low: float, high: float) -> float:
        """How much better a share of `high` explains this than one of `low`: a log likelihood ratio."""
        return self.throttled * math.log(high / low) + self.answered * math.log((1 - high) / (1 - low))
