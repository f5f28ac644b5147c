"""Searches for the rate that one provider sustains. Pure.

Answers go in with their time (seconds of any clock). The search follows the share of
throttled answers at a rate. A share above the noise starts a trial at a lower rate:
if the share falls, the limit is between the two rates; if it does not fall even at half the
rate, it has nothing to do with the pace and counts as noise from then on.

Upwards, the rate halves its distance to the lowest throttled rate; beyond
that, steps double while they go well. The cost of a try decides how long the next one waits.
"""

import math
from dataclasses import dataclass, replace
from enum import Enum

from oidl.net.delivery import Tally

_LEAST_RATE = 0.1  # requests per second
_GENTLE_RATE = 5.0  # the first rate after an opening burst was too much, if the average is not higher
_ROUND_S = 2.0  # the shortest time at one rate before the next is tried
_ROUND_ANSWERS = 20
_LONGEST_ROUND_S = 12.0  # after costly pauses
_SLOW_ROUND_S = 10.0  # a round of this length needs fewer answers
_PROVEN_S, _PROVEN_ANSWERS = 8.0, 50  # after these, a rate is safe to return to: no burst lasts as long
_WELL_ANSWERS = 200  # after these, a short refusal says little about the rate
_NEAR, _NEAR_IF_COSTLY = 0.85, 0.7  # of the lowest throttled rate: above this, tries wait
_REACHED = 0.93  # of the lowest throttled rate: above this, the next step goes beyond it
_FIRST_STEP, _LONGEST_STEP = 0.05, 0.4  # of the rate
_STEP_FROM_GUESS = 1.0  # until something is throttled
_FIRST_HOLD_S, _LONGEST_HOLD_S = 10.0, 30.0  # between cheap tries
_ANSWERS_PER_THROTTLED = 75  # keeps the cost of tries below two in a hundred
_KEPT_ANSWERS = 300.0  # at an earlier run's rate, before the first try
_COSTLY_PAUSE_S = 15.0
_SURE = 3.0  # twenty to one, as a log likelihood ratio
_LONGEST_TRIAL_S = 20.0
_FIRST_NOISE_S = 60.0  # until the noise is measured again; doubles


class Advice(Enum):
    """What should follow an answer: nothing, a pause because nothing gets through, or a wider window for the rate."""

    NONE, CLOSE, WIDEN = range(3)


@dataclass(frozen=True, slots=True)
class _Trial:
    """A trial of a lower rate, because at `rate` a `share` of the answers, `throttled` in number, was throttled."""

    rate: float | None
    learned_rate: float | None
    share: float
    throttled: float
    is_at_half: bool = False


class RateSearch:
    """The rate of one provider, at most `max_rate` requests per second; None means as fast as the window allows.

    `learned_rate` is the highest rate that went well, None as long as no limit was met; it begins with an earlier
    run's, or with a guess, which is left at once if it goes well. `answers` counts all requests that were not
    throttled.
    """

    def __init__(self, max_rate: float, learned_rate: float | None, *, is_guess: bool = False) -> None:
        self._max_rate = max_rate
        self._guess = learned_rate if is_guess else None
        self.learned_rate = learned_rate
        self.rate = learned_rate
        self.answers = 0
        self._proven_rate = 0.0 if is_guess else learned_rate or 0.0
        self._throttled_rate: float | None = None  # the lowest recent one
        self._step = _STEP_FROM_GUESS if is_guess else _FIRST_STEP
        self._hold_s = _FIRST_HOLD_S
        self._hold_until = -math.inf
        # answers needed before the next try
        self._hold_count = 0.0 if learned_rate is None or is_guess else _KEPT_ANSWERS
        self._far_count = 0.0  # the same, for a rate far below the throttled one
        self._round_s = _ROUND_S
        self._noise = 0.0
        self._noise_until = math.inf
        self._noise_s = _FIRST_NOISE_S
        self._trial: _Trial | None = None
        self._tally = Tally(-math.inf)  # at this rate
        self._history = Tally(0.0)  # at any rate

    @property
    def allowed_rate(self) -> float:
        """Requests per second, infinity if there is no limit."""
        return self._max_rate if self.rate is None else min(self.rate, self._max_rate)

    @property
    def is_guess(self) -> bool:
        """Whether `learned_rate` is still the guess, which neither went well nor failed yet."""
        return self._guess is not None and self._guess == self.learned_rate

    def start_over(self, now: float) -> None:
        """Judges this rate only by requests that start from now on."""
        self._tally = Tally(now)

    def forgive(self, now: float) -> None:
        """Ignores the throttled answers so far: they were not about this pace."""
        if self._trial:
            self.rate, self.learned_rate = self._trial.rate, self._trial.learned_rate
            self._trial = None
        self._tally, self._history = Tally(now), Tally(now)

    def answered(self, now: float, started_at: float, latency_s: float, *, is_throttled: bool) -> Advice:
        """A request that started at `started_at` was answered; recent answers take `latency_s`."""
        if started_at < self._tally.since:
            return Advice.NONE  # it started at another rate
        self._tally.add(now, is_throttled=is_throttled)
        self._history.add(now, is_throttled=is_throttled)
        if now > self._noise_until and not self._trial:
            self._noise, self._noise_until = 0.0, math.inf
        if is_throttled and self._tally.is_closed(self._noise):
            self._trial = None
            return Advice.CLOSE
        if self._trial:
            self._conclude(now, self._trial)
        elif self._tally.is_above(self._noise):
            self._suspect(now, latency_s)
        elif self.rate is not None and self._is_full(now, latency_s):
            return self._speed_up(now, self.rate, latency_s)
        return Advice.NONE

    def window_is_full(self, now: float, latency_s: float) -> None:
        """The window cannot grow: drops a rate that is far above the one reached, because it limits nothing."""
        if self.rate is not None and self.rate > 3 * self._tally.rate(now, latency_s):
            self.rate = self.learned_rate = self._throttled_rate = None

    def _is_full(self, now: float, latency_s: float) -> bool:
        """Whether the round at this rate was long enough."""
        took_s = now - self._tally.since
        is_long = took_s >= _SLOW_ROUND_S and self._tally.count >= _ROUND_ANSWERS / 4
        return took_s >= max(self._round_s, 2 * latency_s) and (is_long or self._tally.count >= _ROUND_ANSWERS)

    def _suspect(self, now: float, latency_s: float) -> None:
        """Too many answers were throttled: returns to a rate that went well, or starts a trial at a lower one."""
        rate = self.rate
        if rate is None or self._tally.count >= 50:
            measured = self._tally.rate(now, latency_s)
            rate = measured if rate is None else min(rate, measured)
        delivered = (1 - self._tally.recent_share) / (1 - self._noise)
        lower = rate * min(0.92, max(0.5, 0.97 * delivered))
        learned = self.learned_rate
        if self._is_try and learned is not None:
            self._throttled_rate = self.rate
            self._hold(now, self._tally.throttled)
            self._set(now, max(min(learned, lower), 0.5 * learned, self._proven_rate))
            self.learned_rate = self.rate
        else:
            self._trial = _Trial(self.rate, learned, self._tally.share, self._tally.throttled)
            self._proven_rate = 0.0
            self._set(now, lower)

    def _conclude(self, now: float, trial: _Trial) -> None:
        """Ends the trial if it is decided."""
        assert self.rate is not None
        low = max(self._noise, 0.01)
        high = min(0.9, max(min(trial.share, self._history.share), 2 * low))
        evidence = self._tally.evidence(low, high)
        if evidence < -_SURE or (evidence < _SURE and now - self._tally.since > _LONGEST_TRIAL_S):
            self._trial = None
            self._throttled_rate = trial.rate
            self.learned_rate = self.rate
            if trial.rate is not None and self.rate > _NEAR * trial.rate:
                self._hold(now, trial.throttled)
            self._tally = Tally(now)
        elif evidence < _SURE or self._tally.count < 16:
            return
        elif self._tally.share > max(0.5, 1.5 * trial.share):  # a burst hid how far above the limit this is
            self._throttled_rate = self.rate
            self._trial = _Trial(self.rate, self.learned_rate, self._tally.share, self._tally.throttled)
            self._set(now, self.rate * max(0.25, 0.97 * (1 - self._tally.share)))
        elif not trial.is_at_half:
            self._trial = replace(trial, share=(trial.share + self._tally.share) / 2, is_at_half=True)
            self._set(now, self.rate * (1 - self._tally.share) / 2)  # half of the delivered rate
        else:
            self._call_it_noise(now, trial)

    def _call_it_noise(self, now: float, trial: _Trial) -> None:
        """Counts the share as noise, because half the rate did not reduce it."""
        self._noise = min(0.9, (trial.share + self._tally.share) / 2)
        self._noise_until = now + self._noise_s
        self._noise_s *= 2
        self._trial = self._throttled_rate = None
        self.rate, self.learned_rate = trial.rate, trial.learned_rate
        self._hold_s, self._hold_until = _FIRST_HOLD_S, now
        self._tally = Tally(now)

    @property
    def _is_try(self) -> bool:
        """Whether this rate is above the highest that went well."""
        return self.rate is not None and self.learned_rate is not None and self.rate > 1.001 * self.learned_rate

    def _speed_up(self, now: float, rate: float, latency_s: float) -> Advice:
        """A round at `rate` went well: tries a higher one, if it is time."""
        above, is_costly = self._throttled_rate, self._round_s > _ROUND_S
        is_far = above is not None and rate < (_NEAR_IF_COSTLY if is_costly else _NEAR) * above
        if self.answers < (self._far_count if is_far else self._hold_count) or (now < self._hold_until and not is_far):
            return Advice.NONE
        if self._tally.rate(now, latency_s) < 0.7 * rate:
            return Advice.WIDEN
        self.learned_rate = rate
        self._guess = None
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
            self._step = max(self._step, min(_LONGEST_STEP, 2 * self._step))
        return Advice.NONE

    def _set(self, now: float, rate: float) -> None:
        self.rate = max(_LEAST_RATE, min(rate, self._max_rate))
        self._tally = Tally(now, in_a_row=self._tally.in_a_row)

    def _hold(self, now: float, throttled: float) -> None:
        """Delays the next try according to the cost of the last one."""
        self._step = _FIRST_STEP
        self._hold_until = now + self._hold_s
        self._hold_s = min(_LONGEST_HOLD_S, 1.25 * self._hold_s)
        self._hold_count = self.answers + _ANSWERS_PER_THROTTLED * throttled
        self._far_count = self.answers + _ANSWERS_PER_THROTTLED * throttled / 3

    def resume(self, now: float, pause_s: float, *, worked_s: float, answers: int, average: float) -> None:
        """Returns to the rate before a pause of `pause_s`, if it went well, otherwise to a lower one.

        Before the pause there were `answers` in `worked_s`; `average` is the number of answers per second, including
        the pause.
        """
        self._round_s = _ROUND_S if pause_s < _COSTLY_PAUSE_S else min(_LONGEST_ROUND_S, pause_s / 2)
        rate, learned = self.rate, self.learned_rate
        if rate is None or learned is None:
            self._throttled_rate = answers / max(worked_s, 0.1)
            back = max(0.95 * average, min(_GENTLE_RATE, self._throttled_rate / 4))
        else:
            self._throttled_rate = rate
            if self._is_try:
                back = max(learned, min(0.97 * average, rate))
            elif answers >= _WELL_ANSWERS and pause_s <= 2:
                back = 0.98 * rate  # so many requests went well at this rate that a burst is the likelier cause
            elif answers >= _PROVEN_ANSWERS and worked_s >= 5:
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
        self.learned_rate = self.rate
