"""Counts what `oidl check-licenses` finds; the pipeline calls it, the printers read it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from oidl.model import CheckResult, LicenseClass, Verdict
from oidl.net.pace import PaceState


@dataclass(frozen=True, slots=True)
class LicenseStatistics:
    """A snapshot of `oidl check-licenses`.

    `by_verdict` and `by_class` count the photos that were checked, `left` those that are left to check, `retried` the
    answers after which a photo was asked for again, and `throttled` those of "too many requests". `outcome` is how it
    ended, None while it is active.
    """

    elapsed_s: float
    by_verdict: dict[Verdict, int]
    by_class: dict[LicenseClass, int]
    left: int
    retried: int
    throttled: int
    paces: tuple[PaceState, ...] = ()
    outcome: str | None = None

    @property
    def checked(self) -> int:
        """How many photos were checked."""
        return sum(self.by_verdict.values())

    @property
    def per_s(self) -> float:
        """Photos per second, since the beginning."""
        return self.checked / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds until all are checked at the present rate; None if nothing moves."""
        return self.left / self.per_s if self.per_s else None


class LicenseMeter:
    """The counters of one `oidl check-licenses`; `clock` gives seconds. `left` is how many photos are left to check."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = clock()
        self.left = 0
        self.outcome: str | None = None
        self._by_verdict: Counter[Verdict] = Counter()
        self._by_class: Counter[LicenseClass] = Counter()
        self._retried = 0
        self._throttled = 0
        self._paces: Callable[[], tuple[PaceState, ...]] = tuple

    def paced_by(self, paces: Callable[[], tuple[PaceState, ...]]) -> None:
        """Sets the source of the pace."""
        self._paces = paces

    def recorded(self, found: CheckResult) -> None:
        """The check of a photo is in the database."""
        self._by_verdict[found.verdict] += 1
        if found.license_class:
            self._by_class[found.license_class] += 1
        self.left = max(0, self.left - 1)

    def retried(self) -> None:
        """A photo will be asked for again."""
        self._retried += 1

    def throttled(self) -> None:
        """The server answered "too many requests"."""
        self._throttled += 1

    def statistics(self) -> LicenseStatistics:
        """A frozen copy of the counters now."""
        return LicenseStatistics(
            elapsed_s=self._clock() - self._started,
            by_verdict={verdict: self._by_verdict[verdict] for verdict in Verdict},
            by_class={kind: self._by_class[kind] for kind in LicenseClass},
            left=self.left,
            retried=self._retried,
            throttled=self._throttled,
            paces=self._paces(),
            outcome=self.outcome,
        )
