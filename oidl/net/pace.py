"""How fast one provider may be asked: a window on requests in flight and a rate that is learned. Pure.

Events go in with their time (seconds of any clock), decisions come out; nothing
here waits. "Too many requests" halves both, pauses, and then lets one request
through to see whether the pause was long enough. Success lets them grow again, each
only while it is what holds the run back; other failures change nothing.

The rate follows the cubic function of RFC 9438, with nearly the rate at which the
provider last objected as its plateau: up quickly to near it, slowly past it, quickly
again if the limit moved away. Before the first objection there is no rate to keep to.
"""

import math
import random
from dataclasses import dataclass

_FIRST_WINDOW = 16.0
_SHORT_OF = 0.95  # of the rate that the provider objected to, the plateau
_CUT = 0.5  # what one objection leaves of window and rate
_RECOVERY_S = 25.0  # of being held back by the rate, until it is at its plateau again
_LEAST_RATE = 0.1  # requests a second
_FIRST_PAUSE_S = 1.0  # where the provider does not say for how long; doubles while it goes on objecting
_LONGEST_PAUSE_S = 300.0
_JITTER = (0.75, 1.25)
_BURST_S = 0.1  # requests that could have been made and were not are made up for, this far back
_MEASURED_S = 10.0


@dataclass(frozen=True, slots=True)
class PaceState:
    """A moment of a provider: requests in flight at most, requests a second (None: any), seconds of pause left.

    `pause_reason` says why there is a pause, as far as there is one.
    """

    provider: str
    window: int
    rate: float | None
    pause_s: float
    learned_rate: float | None = None
    pause_reason: str = ""


class Pace:
    """The pace of one provider, with at most `max_window` requests in flight and `max_rate` of them a second.

    `learned_rate` is a little less than the rate at which the provider objects, as far as it is known: an earlier
    run's to begin with, as its `paused_until`.
    """

    def __init__(
        self,
        max_window: int,
        max_rate: float = math.inf,
        learned_rate: float | None = None,
        paused_until: float = -math.inf,
        rng: random.Random | None = None,
    ) -> None:
        self._max_window = float(max_window)
        self._max_rate = max_rate
        self._rng = rng or random.Random()
        self.learned_rate = learned_rate
        self._recovered_s = _RECOVERY_S / 2  # with a rate known from before, seven eighths of it
        self._window = min(_FIRST_WINDOW, self._max_window)
        self._has_objected = learned_rate is not None
        self._in_flight = 0
        self._next_at = -math.inf
        self._is_held_by_window = self._is_held_by_rate = False
        self._cut_at = self._grown_at = -math.inf
        self._paused_until = paused_until
        self._pause_reason = "asked for in an earlier run"
        self._objections = 0  # in a row
        self._is_probing = False
        self._borne = _Borne()

    def wait_s(self, now: float) -> float:
        """Seconds until a request may start: 0 is now, infinity is not before one in flight has ended."""
        if now < self._paused_until:
            return self._paused_until - now
        if self._in_flight >= (1 if self._is_probing else int(self._window)):
            self._is_held_by_window = True
            return math.inf
        if now < self._next_at:
            self._is_held_by_rate = True
            return self._next_at - now
        return 0.0

    def pause_s(self, now: float) -> float:
        """Seconds that the provider is still to be left alone."""
        return max(0.0, self._paused_until - now)

    def started(self, now: float) -> None:
        """A request starts; `wait_s` was 0."""
        self._in_flight += 1
        rate = self._rate()
        if rate < math.inf:
            self._next_at = max(self._next_at, now - _BURST_S) + 1 / rate

    def succeeded(self, now: float) -> None:
        """A request was answered, with whatever but an objection."""
        self._in_flight -= 1
        self._borne.add(now)
        if now < self._paused_until:
            return  # asked before the objection; it says nothing about what is borne now
        self._is_probing = False
        self._objections = 0
        if self._is_held_by_rate:
            self._recovered_s += min(now - max(self._grown_at, self._paused_until), 1.0)
        if self._is_held_by_window:
            step = 1 / self._window if self._has_objected else 1.0  # before that as TCP's slow start
            self._window = min(self._window + step, self._max_window)
        self._is_held_by_window = self._is_held_by_rate = False
        self._grown_at = now

    def failed(self) -> None:
        """A request ended without an answer, or never came to be one."""
        self._in_flight -= 1

    def throttled(self, now: float, started_at: float, retry_after_s: float | None = None) -> None:
        """The provider objected to a request that started at `started_at`, and perhaps said when to come again."""
        self._in_flight -= 1
        if started_at < self._cut_at:  # one of those that were under way when this was cut already
            self._pause(now + (retry_after_s or 0.0), retry_after_s)
            return
        rate = self._rate()
        if rate == math.inf:
            rate = self._borne.rate(now)
        if rate:  # else nothing was borne yet, and nothing is known
            self.learned_rate = max(_LEAST_RATE, _SHORT_OF * rate)
        self._recovered_s = 0.0
        self._window = max(1.0, min(self._window, self._in_flight + 1.0) * _CUT)
        self._has_objected = True
        pause_s = retry_after_s
        if pause_s is None:
            pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0**self._objections) * self._rng.uniform(*_JITTER)
        self._objections = min(self._objections + 1, 20)
        self._pause(now + pause_s, retry_after_s)
        self._cut_at = now
        self._is_probing = True

    def state(self, provider: str, now: float) -> PaceState:
        """What people may see of it."""
        rate = self._rate()
        shown = None if rate == math.inf else rate
        pause_s = self.pause_s(now)
        reason = self._pause_reason if pause_s else ""
        return PaceState(provider, int(self._window), shown, pause_s, self.learned_rate, reason)

    def _pause(self, until: float, retry_after_s: float | None) -> None:
        if until > self._paused_until:
            self._paused_until = until
            asked = "" if retry_after_s is None else f", Retry-After {retry_after_s:.0f} s"
            self._pause_reason = f"too many requests{asked}"

    def _rate(self) -> float:
        if self.learned_rate is None:
            return self._max_rate
        way = (self._recovered_s - _RECOVERY_S) / _RECOVERY_S  # -1 after an objection, 0 at the plateau
        return min(self._max_rate, max(_LEAST_RATE, self.learned_rate * (1 + (1 - _CUT) * way**3)))


class _Borne:
    """Answers a second of late: over the last ten seconds that are full, or since then if that is more."""

    def __init__(self) -> None:
        self._since = math.nan
        self._count = 0
        self._last = 0.0

    def add(self, now: float) -> None:
        if math.isnan(self._since):
            self._since = now
        elif now - self._since >= _MEASURED_S:
            self._last = self._count / (now - self._since)
            self._since, self._count = now, 0
        self._count += 1

    def rate(self, now: float) -> float:
        return max(self._last, self._count / max(now - self._since, 1.0)) if self._count else 0.0
