"""The pace of requests to one provider: the rate that it sustains, found by trying. Pure.

Events go in with their time (seconds of any clock), decisions come out; nothing
here waits. `RateSearch` moves the rate by the share of throttled answers. Only many
throttled answers in a row mean that the provider is closed: then no request is made for
a while, a single request probes, and its success restores the earlier rate at once.
"""

import math
import random
from dataclasses import dataclass

from oidl.net.pause import Pause
from oidl.net.rate import Advice, RateSearch

_FIRST_WINDOW = 8.0


@dataclass(frozen=True, slots=True)
class PaceState:
    """The pace of a provider at one moment.

    `window` is the most requests in flight, `rate` the most requests per second (None: no limit), `pause_s` the rest of
    a pause in seconds, and `pause_reason` why there is one. `node` is the host that it is the pace of, if that is
    another machine. If the `learned_rate` is a guess, it is what other machines learned at their own addresses.
    """

    provider: str
    window: int
    rate: float | None
    pause_s: float
    learned_rate: float | None = None
    pause_reason: str = ""
    node: str = ""
    is_guess: bool = False


class Pace:
    """The pace of one provider, with at most `max_window` requests in flight and `max_rate` requests per second.

    Missed requests may be made up for, as far back as `burst_s`.
    `learned_rate` is the highest rate that went well, None as long as no limit was met. It and `paused_until` begin
    with the values of an earlier run; if it `is_guess`, higher rates are tried at once.
    """

    def __init__(
        self,
        max_window: int,
        max_rate: float = math.inf,
        learned_rate: float | None = None,
        paused_until: float = -math.inf,
        rng: random.Random | None = None,
        burst_s: float = 0.1,
        *,
        is_guess: bool = False,
    ) -> None:
        self._burst_s = burst_s
        self._max_window = float(max_window)
        self._window = min(_FIRST_WINDOW, self._max_window)
        self._is_held_by_window = False
        self._in_flight = 0
        self._next_at = -math.inf
        self._latency_s = 0.1
        self._search = RateSearch(max_rate, learned_rate, is_guess=is_guess)
        self._pause = Pause(paused_until, rng or random.Random())
        self._opened_at: float | None = None  # the time of the first request, or the end of the last pause
        self._answered_since = 0  # answers since `_opened_at`
        self._closed_at = -math.inf
        self._answered_until_closed = 0

    @property
    def learned_rate(self) -> float | None:
        """The highest rate that went well, None as long as no limit was met."""
        return self._search.learned_rate

    def wait_s(self, now: float) -> float:
        """Seconds until a request may start: 0 is now, infinity means after a request in flight ends."""
        if wait_s := self._pause.left_s(now):
            return wait_s
        if self._in_flight >= (1 if self._pause.is_on else int(self._window)):
            self._is_held_by_window = True
            return math.inf
        return max(0.0, self._next_at - now)

    def pause_s(self, now: float) -> float:
        """The rest of a pause, in seconds; 0 if there is none."""
        return self._pause.left_s(now)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in flight and there is nothing to remember."""
        return not self._in_flight and self._search.rate is None and not self._pause.is_on

    def started(self, now: float) -> None:
        """A request starts; `wait_s` was 0."""
        self._in_flight += 1
        self._pause.started(now)
        if self._opened_at is None:
            self._opened_at = now
            self._search.start_over(now)
        rate = self._search.allowed_rate
        if rate < math.inf:
            self._next_at = max(self._next_at, now - self._burst_s) + 1 / rate

    def failed(self) -> None:
        """A request ended without an answer, or was never sent."""
        self._in_flight -= 1

    def succeeded(self, now: float, started_at: float) -> None:
        """A request that started at `started_at` got an answer other than "too many requests"."""
        self._in_flight -= 1
        self._search.answers += 1
        self._answered_since += 1
        self._latency_s += 0.05 * (now - started_at - self._latency_s)
        if self._pause.is_on:
            if self._pause.is_probe(started_at):
                self._reopen(now)
            return
        if self._is_held_by_window and self._search.rate is None:  # as TCP's slow start
            self._window = min(self._window + 1.0, self._max_window)
        self._judge(now, started_at, None, is_throttled=False)

    def throttled(self, now: float, started_at: float, retry_after_s: float | None = None) -> None:
        """The provider throttled a request that started at `started_at`, and perhaps said when to try again."""
        self._in_flight -= 1
        if self._pause.is_on:
            self._pause.throttled(now, started_at, retry_after_s)
        else:
            self._judge(now, started_at, retry_after_s, is_throttled=True)

    def forgive(self, now: float) -> None:
        """Ignores the throttled answers so far: they were not about this pace."""
        self._search.forgive(now)

    def state(self, provider: str, now: float) -> PaceState:
        """A snapshot for display and for later runs."""
        allowed = self._search.allowed_rate
        rate = None if allowed == math.inf else allowed
        pause_s = self.pause_s(now)
        reason = self._pause.reason if pause_s else ""
        is_guess = self._search.is_guess
        return PaceState(provider, int(self._window), rate, pause_s, self.learned_rate, reason, is_guess=is_guess)

    def _judge(self, now: float, started_at: float, retry_after_s: float | None, *, is_throttled: bool) -> None:
        advice = self._search.answered(now, started_at, self._latency_s, is_throttled=is_throttled)
        if advice is Advice.CLOSE:
            self._closed_at = now
            self._answered_until_closed = self._answered_since
            self._pause.begin(now, retry_after_s)
        elif advice is Advice.WIDEN:
            if self._is_held_by_window:
                if self._window == self._max_window:
                    self._search.window_is_full(now, self._latency_s)
                self._window = min(self._window * 1.5, self._max_window)
            self._is_held_by_window = False
            self._search.start_over(now)

    def _reopen(self, now: float) -> None:
        """Ends the pause, which was long enough."""
        pause_s = self._pause.end(now)
        if self._closed_at == -math.inf:  # an earlier run's pause
            self._search.start_over(now)
        else:
            assert self._opened_at is not None
            self._search.resume(
                now,
                pause_s,
                worked_s=self._closed_at - self._opened_at,
                answers=self._answered_until_closed,
                average=self._answered_since / (now - self._opened_at),
            )
        self._opened_at, self._answered_since = now, 0
