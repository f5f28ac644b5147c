"""Detects streaks: times when nearly all images of a run fail for one reason. Pure.

Photos fail one by one, each for its own reason. If nearly all requests
fail for one reason, that is evidence about the path (a network that requires a login, a
proxy, a server that lost its files), not about any photo.

A streak begins when its reason becomes common: the score of a reason rises by
one with every outcome of that reason and falls by a half with every other, and the
streak began when the score last left zero (a cumulative sum, as in Page,
"Continuous Inspection Schemes", Biometrika, 1954).

Only news counts. An image that fails again for the same reason is no news;
otherwise the last images of a list, which are those that always fail, would look
like a disturbed path.
"""

from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from oidl.model import Reason

RECENT = 200
"""The number of latest outcomes that are considered during a run."""

FEW = 10
"""The least number of outcomes that must be alike at the end of a run."""

_ROW = 20  # the number of outcomes, nearly all alike, that make a streak even if it ended before the run did

ONSET = timedelta(seconds=30)
"""How long before the visible beginning of a streak its first failures may have occurred, among successes."""

_FALL = 0.5


@dataclass(frozen=True, slots=True)
class Streak:
    """`count` of `outcomes` failed for `reason`, from `since` until `until`."""

    reason: Reason
    count: int
    outcomes: int
    since: datetime
    until: datetime


@dataclass(slots=True)
class _Score:
    since: datetime
    until: datetime
    score: float = 0.0
    highest: float = 0.0
    count: int = 0
    is_streak: bool = False


class Streaks:
    """The outcomes of one run; if a `share` of them are alike, that is a streak. A share above 1 disables this."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._recent: deque[Reason | None] = deque(maxlen=RECENT)
        self._counts: Counter[Reason | None] = Counter()
        self._row: deque[Reason | None] = deque(maxlen=_ROW)
        self._scores: dict[Reason, _Score] = {}
        self._over: list[Streak] = []

    def add(self, reason: Reason | None, at: datetime) -> None:
        """Counts one outcome: why an image failed, or None for one that is done."""
        if len(self._recent) == RECENT:
            self._counts[self._recent[0]] -= 1
        self._recent.append(reason)
        self._counts[reason] += 1
        for other, score in list(self._scores.items()):
            if other is not reason:
                score.score -= _FALL
                if score.score <= 0:
                    del self._scores[other]
                    if score.is_streak:
                        self._over.append(Streak(other, score.count, score.count, score.since, score.until))
        self._row.append(reason)
        if reason:
            score = self._scores.setdefault(reason, _Score(at, at))
            score.score += 1
            if score.score > score.highest:  # the streak ends when the score stops growing
                score.highest, score.until = score.score, at
            score.count += 1
            score.is_streak |= self._row.count(reason) >= _ROW * self._share

    def recent(self) -> Streak | None:
        """The streak that enough of the last `RECENT` outcomes form; None before there are that many."""
        if len(self._recent) < RECENT:
            return None
        reason, count = max(self._counts.items(), key=lambda item: item[1] if item[0] else 0)
        if not reason or count < self._share * RECENT:
            return None
        return self._streak(reason, count, RECENT)

    def over(self) -> list[Streak]:
        """The streaks that were too short to stop the run."""
        return [*self._over, *(self._all(reason) for reason, score in self._scores.items() if score.is_streak)]

    def last(self) -> Streak | None:
        """The streak that the last outcomes of a run form, however short the run was; at least `FEW` outcomes."""
        longest: Streak | None = None
        counts: Counter[Reason] = Counter()
        for outcomes, reason in enumerate(reversed(self._recent), start=1):
            if reason:
                counts[reason] += 1
                if counts[reason] >= max(FEW, self._share * outcomes):
                    longest = self._streak(reason, counts[reason], outcomes)
        return longest

    def _all(self, reason: Reason) -> Streak:
        score = self._scores[reason]
        return Streak(reason, score.count, score.count, score.since, score.until)

    def _streak(self, reason: Reason, count: int, outcomes: int) -> Streak | None:
        score = self._scores.get(reason)
        return Streak(reason, count, outcomes, score.since, score.until) if score else None
