"""How fast one provider may be asked: the rate that it delivers, found by trying. Pure.

Events go in with their time (seconds of any clock), decisions come out; nothing
here waits. What counts is the share of throttled answers at a rate, never a
single one:

- A share that noise explains changes nothing.
- A share above that is a suspicion, and starts a trial at a lower rate. If the share
  falls, the limit lies between the two rates. If it does not fall at half the rate
  either, it has nothing to do with the pace: the rate comes back, and the share is
  from then on the noise.
- Only throttled answers in a row mean that the provider is closed: nothing is asked
  for a while, then a single request tries, and the rate before comes back at once.

Upwards, the rate halves its distance to the lowest one that was throttled; past
that, steps double while they go well. Whatever a try cost decides how long the
next one waits.
"""

import math
import random
from dataclasses import dataclass, replace

from oidl.net.delivery import Tally
from oidl.net.pause import Pause

_FIRST_WINDOW = 8.0
_LEAST_RATE = 0.1  # requests a second
_GENTLE_RATE = 5.0  # where it starts after a first burst was too much, if the average is not higher
_BURST_S = 0.1  # requests that could have been made and were not are made up for, this far back
_ROUND_S = 2.0  # at one rate before the next is tried, at least
_ROUND_ANSWERS = 20
_LONGEST_ROUND_S = 12.0  # after pauses that cost much
_SLOW_ROUND_S = 10.0  # is enough with few answers too
_PROVEN_S, _PROVEN_ANSWERS = 8.0, 50  # after these, a rate is one to come back to: no burst lasts as long
_WELL_ANSWERS = 200  # after these, a short refusal says little about the rate
_NEAR, _NEAR_IF_COSTLY = 0.85, 0.7  # of the lowest throttled rate: from there on, tries wait
_REACHED = 0.93  # of it: the next step goes past it
_FIRST_STEP, _LONGEST_STEP = 0.05, 0.4  # of the rate
_FIRST_HOLD_S, _LONGEST_HOLD_S = 10.0, 30.0  # between cheap tries
_ANSWERS_PER_THROTTLED = 75  # keeps what tries cost below two in a hundred
_KEPT_ANSWERS = 300.0  # at an earlier run's rate
_COSTLY_PAUSE_S = 15.0
_SURE = 3.0  # twenty to one, as a log likelihood ratio
_LONGEST_TRIAL_S = 20.0
_FIRST_NOISE_S = 60.0  # until a noise is tried again; doubles


@dataclass(frozen=True, slots=True)
class PaceState:
    """A moment of a provider: requests in flight at most, requests a second (None: any), seconds of pause left.

    `pause_reason` says why there is a pause, if there is one.
    """

    provider: str
    window: int
    rate: float | None
    pause_s: float
    learned_rate: float | None = None
    pause_reason: str = ""


@dataclass(frozen=True, slots=True)
class _Trial:
    """A lower rate is tried because at `rate` a `share` of the answers, `throttled` in number, was throttled."""

    rate: float | None
    learned_rate: float | None
    share: float
    throttled: float
    is_at_half: bool = False


class Pace:
    """The pace of one provider, with at most `max_window` requests in flight and `max_rate` of them a second.

    `learned_rate` is the highest rate that went well, if there is a limit: an earlier run's to begin with, as its
    `paused_until`.
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
        self.learned_rate = learned_rate
        self._rate = learned_rate  # None: as fast as the window allows
        self._proven_rate = learned_rate or 0.0
        self._throttled_rate: float | None = None  # the lowest of late
        self._step = _FIRST_STEP
        self._hold_s = _FIRST_HOLD_S
        self._hold_until = -math.inf
        self._hold_count = 0.0 if learned_rate is None else _KEPT_ANSWERS  # answers that must come before the next try
        self._far_count = 0.0  # the same, far below what was throttled
        self._round_s = _ROUND_S
        self._window = min(_FIRST_WINDOW, self._max_window)
        self._is_held_by_window = False
        self._in_flight = 0
        self._next_at = -math.inf
        self._latency_s = 0.1
        self._answers = 0
        self._noise = 0.0
        self._noise_until = math.inf
        self._noise_s = _FIRST_NOISE_S
        self._trial: _Trial | None = None
        self._tally = Tally(-math.inf)  # at this rate
        self._history = Tally(0.0)  # at any rate
        self._pause = Pause(paused_until, rng or random.Random())
        self._opened_at: float | None = None  # the first request, or the end of the last pause
        self._answered_since = 0  # that
        self._closed_at = -math.inf
        self._closed_rate = 0.0
        self._answered_until_closed = 0

    def wait_s(self, now: float) -> float:
        """Seconds until a request may start: 0 is now, infinity is not before one in flight has ended."""
        if wait_s := self._pause.left_s(now):
            return wait_s
        if self._in_flight >= (1 if self._pause.is_on else int(self._window)):
            self._is_held_by_window = True
            return math.inf
        return max(0.0, self._next_at - now)

    def pause_s(self, now: float) -> float:
        """Seconds that the provider is still to be left alone."""
        return self._pause.left_s(now)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in flight and there is nothing to remember."""
        return not self._in_flight and self._rate is None and not self._pause.is_on

    def started(self, now: float) -> None:
        """A request starts; `wait_s` was 0."""
        self._in_flight += 1
        self._pause.started(now)
        if self._opened_at is None:
            self._opened_at = now
            self._tally = Tally(now)
        rate = self._allowed_rate
        if rate < math.inf:
            self._next_at = max(self._next_at, now - _BURST_S) + 1 / rate

    def failed(self) -> None:
        """A request ended without an answer, or never came to be one."""
        self._in_flight -= 1

    def succeeded(self, now: float, started_at: float) -> None:
        """A request that started at `started_at` was answered, with anything but "too many requests"."""
        self._in_flight -= 1
        self._answers += 1
        self._answered_since += 1
        self._latency_s += 0.05 * (now - started_at - self._latency_s)
        if self._pause.is_on:
            if self._pause.is_probe(started_at):
                self._reopen(now)
            return
        if self._is_held_by_window and self._rate is None:  # as TCP's slow start
            self._window = min(self._window + 1.0, self._max_window)
        self._judge(now, started_at, None, is_throttled=False)

    def throttled(self, now: float, started_at: float, retry_after_s: float | None = None) -> None:
        """The provider throttled a request that started at `started_at`, and perhaps said when to come again."""
        self._in_flight -= 1
        if self._pause.is_on:
            self._pause.throttled(now, started_at, retry_after_s)
        else:
            self._judge(now, started_at, retry_after_s, is_throttled=True)

    def forgive(self, now: float) -> None:
        """What was throttled until now was not about this pace."""
        if self._trial:
            self._rate, self.learned_rate = self._trial.rate, self._trial.learned_rate
            self._trial = None
        self._tally, self._history = Tally(now), Tally(now)

    def state(self, provider: str, now: float) -> PaceState:
        """What people may see of it."""
        rate = None if self._allowed_rate == math.inf else self._allowed_rate
        pause_s = self.pause_s(now)
        reason = self._pause.reason if pause_s else ""
        return PaceState(provider, int(self._window), rate, pause_s, self.learned_rate, reason)

    @property
    def _allowed_rate(self) -> float:
        return self._max_rate if self._rate is None else min(self._rate, self._max_rate)

    # ---- judging

    def _judge(self, now: float, started_at: float, retry_after_s: float | None, *, is_throttled: bool) -> None:
        if started_at < self._tally.since:
            return  # asked at another rate
        self._tally.add(now, is_throttled=is_throttled)
        self._history.add(now, is_throttled=is_throttled)
        if now > self._noise_until and not self._trial:
            self._noise, self._noise_until = 0.0, math.inf
        if is_throttled and self._tally.is_closed(self._noise):
            self._close(now, retry_after_s)
        elif self._trial:
            self._conclude(now, self._trial)
        elif self._tally.is_above(self._noise):
            self._suspect(now)
        elif self._rate is not None and self._is_full(now):
            self._speed_up(now, self._rate)

    def _is_full(self, now: float) -> bool:
        """Whether this rate was tried for long enough."""
        took_s = now - self._tally.since
        is_long = took_s >= _SLOW_ROUND_S and self._tally.count >= _ROUND_ANSWERS / 4
        return took_s >= max(self._round_s, 2 * self._latency_s) and (is_long or self._tally.count >= _ROUND_ANSWERS)

    def _suspect(self, now: float) -> None:
        """Too many answers were throttled: back to what went well, or a trial at a lower rate."""
        rate = self._rate
        if rate is None or self._tally.count >= 50:
            measured = self._tally.rate(now, self._latency_s)
            rate = measured if rate is None else min(rate, measured)
        delivered = (1 - self._tally.recent_share) / (1 - self._noise)
        lower = rate * min(0.92, max(0.5, 0.97 * delivered))
        learned = self.learned_rate
        if self._is_try and learned is not None:
            self._throttled_rate = self._rate
            self._hold(now, self._tally.throttled)
            self._set(now, max(min(learned, lower), 0.5 * learned, self._proven_rate))
            self.learned_rate = self._rate
        else:
            self._trial = _Trial(self._rate, learned, self._tally.share, self._tally.throttled)
            self._proven_rate = 0.0
            self._set(now, lower)

    def _conclude(self, now: float, trial: _Trial) -> None:
        """Ends the trial if it is decided."""
        assert self._rate is not None
        low = max(self._noise, 0.01)
        high = min(0.9, max(min(trial.share, self._history.share), 2 * low))
        evidence = self._tally.evidence(low, high)
        if evidence < -_SURE or (evidence < _SURE and now - self._tally.since > _LONGEST_TRIAL_S):
            self._trial = None
            self._throttled_rate = trial.rate
            self.learned_rate = self._rate
            if trial.rate is not None and self._rate > _NEAR * trial.rate:
                self._hold(now, trial.throttled)
            self._tally = Tally(now)
        elif evidence < _SURE or self._tally.count < 16:
            return
        elif self._tally.share > max(0.5, 1.5 * trial.share):  # a burst hid how far above the limit this is
            self._throttled_rate = self._rate
            self._trial = _Trial(self._rate, self.learned_rate, self._tally.share, self._tally.throttled)
            self._set(now, self._rate * max(0.25, 0.97 * (1 - self._tally.share)))
        elif not trial.is_at_half:
            self._trial = replace(trial, share=(trial.share + self._tally.share) / 2, is_at_half=True)
            self._set(now, self._rate * (1 - self._tally.share) / 2)  # half of what is delivered
        else:
            self._call_it_noise(now, trial)

    def _call_it_noise(self, now: float, trial: _Trial) -> None:
        """No fewer were throttled at half the rate."""
        self._noise = min(0.9, (trial.share + self._tally.share) / 2)
        self._noise_until = now + self._noise_s
        self._noise_s *= 2
        self._trial = self._throttled_rate = None
        self._rate, self.learned_rate = trial.rate, trial.learned_rate
        self._hold_s, self._hold_until = _FIRST_HOLD_S, now
        self._tally = Tally(now)

    # ---- faster

    @property
    def _is_try(self) -> bool:
        """Whether this rate is above the one that is known to go well."""
        return self._rate is not None and self.learned_rate is not None and self._rate > 1.001 * self.learned_rate

    def _speed_up(self, now: float, rate: float) -> None:
        """A round at `rate` went well."""
        above, is_costly = self._throttled_rate, self._round_s > _ROUND_S
        is_far = above is not None and rate < (_NEAR_IF_COSTLY if is_costly else _NEAR) * above
        if self._answers < (self._far_count if is_far else self._hold_count) or (now < self._hold_until and not is_far):
            return
        if (reached := self._tally.rate(now, self._latency_s)) < 0.7 * rate:
            self._widen(now, rate, reached)
            return
        self.learned_rate = rate
        if now - self._tally.since > _PROVEN_S and self._tally.count > _PROVEN_ANSWERS:
            self._proven_rate = rate
        if above is not None and rate < _REACHED * above:
            farther = min(rate * (above / rate) ** (1 / 3), 1.5 * rate) if is_costly else math.sqrt(rate * above)
            self._set(now, min(farther, 4 * rate))
        elif above is not None:
            self._throttled_rate = None
            self._step = _FIRST_STEP
            self._hold_until = now + self._hold_s
        elif rate < self._max_rate:
            self._set(now, rate * (1 + self._step))
            self._step = min(_LONGEST_STEP, 2 * self._step)

    def _widen(self, now: float, rate: float, reached: float) -> None:
        """The rate is not what holds the run back: the window is, or there is not more to ask for."""
        if self._is_held_by_window:
            if self._window == self._max_window and rate > 3 * reached:
                self._rate = self.learned_rate = self._throttled_rate = None
            self._window = min(self._window * 1.5, self._max_window)
        self._is_held_by_window = False
        self._tally = Tally(now)

    def _set(self, now: float, rate: float) -> None:
        self._rate = max(_LEAST_RATE, min(rate, self._max_rate))
        self._tally = Tally(now, in_a_row=0 if self._pause.is_on else self._tally.in_a_row)

    def _hold(self, now: float, throttled: float) -> None:
        """The next try waits, by what the last one cost."""
        self._step = _FIRST_STEP
        self._hold_until = now + self._hold_s
        self._hold_s = min(_LONGEST_HOLD_S, 1.25 * self._hold_s)
        self._hold_count = self._answers + _ANSWERS_PER_THROTTLED * throttled
        self._far_count = self._answers + _ANSWERS_PER_THROTTLED * throttled / 3

    # ---- closed

    def _close(self, now: float, retry_after_s: float | None) -> None:
        self._trial = None
        self._closed_at = now
        self._closed_rate = self._tally.rate(now, self._latency_s)
        self._answered_until_closed = self._answered_since
        self._pause.begin(now, retry_after_s)

    def _reopen(self, now: float) -> None:
        """The pause was long enough: back to the rate before, if that was one that went well."""
        pause_s = self._pause.end(now)
        if self._closed_at == -math.inf:  # an earlier run's pause
            self._tally, self._opened_at, self._answered_since = Tally(now), now, 0
            return
        assert self._opened_at is not None
        worked_s = self._closed_at - self._opened_at
        average = self._answered_since / (now - self._opened_at)  # the pause included
        self._opened_at, self._answered_since = now, 0
        self._round_s = _ROUND_S if pause_s < _COSTLY_PAUSE_S else min(_LONGEST_ROUND_S, pause_s / 2)
        rate, learned = self._rate, self.learned_rate
        if rate is None or learned is None:
            self._throttled_rate = self._answered_until_closed / max(worked_s, 0.1)
            back = max(0.95 * average, min(_GENTLE_RATE, self._throttled_rate / 4))
        else:
            self._throttled_rate = rate
            if learned is not None and self._is_try:
                back = max(learned, min(0.97 * average, rate))
            elif self._answered_until_closed >= _WELL_ANSWERS and pause_s <= 2:
                back = 0.98 * rate  # so many went well at this rate that a burst is more likely
            elif self._answered_until_closed >= _PROVEN_ANSWERS and worked_s >= 5:
                back = max(0.9 * rate, 0.97 * average)
                self._proven_rate = 0.0
            else:
                back = min(max(average, 0.25 * rate), 0.8 * rate)
                self._proven_rate = 0.0
            self._hold(now, 5)
            if pause_s > 2:
                self._hold_until = now + max(self._hold_s, 4 * pause_s)
        self._tally = Tally(now)
        self._set(now, back)
        self.learned_rate = self._rate
