"""The pace of one provider, and of those of its hosts that have their own limit. Pure.

Hosts of one provider usually share its limit (all of Flickr does). If one host
throttles much more than the others, it gets its own pace, and its
throttled answers no longer slow down the rest.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from oidl.net.pace import Pace, PaceState

_LEAST_ANSWERS = 8  # of the host and of the others, before they are compared
_LEAST_THROTTLED = 4  # by the host
_LEAST_SHARE = 0.3  # of throttled answers among the host's
_FACTOR = 4  # the host's share must be this many times the others' share
_KEPT = 200  # answers of a host; older ones count for less
_REMEMBERED = 256  # hosts without their own pace


@dataclass(slots=True)
class _Answers:
    """Recent answers and throttled answers."""

    count: float = 0
    throttled: float = 0

    def add(self, *, is_throttled: bool) -> None:
        self.count += 1
        self.throttled += is_throttled
        if self.count > _KEPT:
            self.count /= 2
            self.throttled /= 2


class ProviderPace:
    """A `Pace` that all hosts share, and one for each host that needs its own; `new_pace` makes one."""

    def __init__(self, shared: Pace, new_pace: Callable[[], Pace]) -> None:
        self.shared = shared
        self._new_pace = new_pace
        self._own: dict[str, Pace] = {}
        self._hosts: dict[str, _Answers] = {}
        self._in_flight: Counter[str] = Counter()

    def host_wait_s(self, host: str, now: float) -> float:
        """Seconds until a request may start by the limit of `host` alone; infinity: after one in flight ends."""
        own = self._own.get(host)
        return own.wait_s(now) if own else 0.0

    def wait_s(self, now: float) -> float:
        """Seconds until a request may start by the limit of the provider; infinity: after one in flight ends."""
        return self.shared.wait_s(now)

    def pause_s(self, host: str, now: float) -> float:
        """The rest of a pause of `host`, in seconds; 0 if there is none."""
        own = self._own.get(host)
        return max(self.shared.pause_s(now), own.pause_s(now) if own else 0.0)

    def pause_reason(self, host: str, now: float) -> str:
        """Why `host` is paused."""
        own = self._own.get(host)
        pace = self.shared if self.shared.pause_s(now) or own is None else own
        return pace.state("", now).pause_reason

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in flight and there is nothing to remember."""
        return self.shared.is_idle and not self._own

    def started(self, now: float, host: str) -> None:
        """A request to `host` starts; both waits were 0."""
        self.shared.started(now)
        self._in_flight[host] += 1
        if own := self._own.get(host):
            own.started(now)

    def failed(self, host: str) -> None:
        """A request ended without an answer, or was never sent."""
        self.shared.failed()
        self._ended(host)
        if own := self._own.get(host):
            own.failed()

    def succeeded(self, now: float, started_at: float, host: str) -> None:
        """`host` gave an answer other than "too many requests"."""
        self._count(host, is_throttled=False)
        self._ended(host)
        self.shared.succeeded(now, started_at)
        if own := self._own.get(host):
            own.succeeded(now, started_at)

    def throttled(self, now: float, started_at: float, retry_after_s: float | None, host: str) -> None:
        """`host` throttled a request that started at `started_at`, and perhaps said when to try again."""
        self._count(host, is_throttled=True)
        if host not in self._own and self._stands_out(host):
            self._own[host] = self._new_pace()
            for _ in range(self._in_flight[host]):
                self._own[host].started(started_at)
            self.shared.forgive(now)
        self._ended(host)
        if own := self._own.get(host):
            own.throttled(now, started_at, retry_after_s)
            self.shared.failed()
        else:
            self.shared.throttled(now, started_at, retry_after_s)

    def states(self, provider: str, now: float) -> tuple[PaceState, ...]:
        """Snapshots for display and for later runs, the shared pace first."""
        own = tuple(pace.state(host, now) for host, pace in self._own.items())
        return (self.shared.state(provider, now), *own)

    def _ended(self, host: str) -> None:
        self._in_flight[host] -= 1
        if not self._in_flight[host]:
            del self._in_flight[host]

    def _count(self, host: str, *, is_throttled: bool) -> None:
        if host not in self._hosts and len(self._hosts) >= _REMEMBERED:
            del self._hosts[next(iter(self._hosts))]
        self._hosts.setdefault(host, _Answers()).add(is_throttled=is_throttled)

    def _stands_out(self, host: str) -> bool:
        mine = self._hosts[host]
        others = [answers for name, answers in self._hosts.items() if name != host and name not in self._own]
        count, throttled = sum(one.count for one in others), sum(one.throttled for one in others)
        if mine.count < _LEAST_ANSWERS or mine.throttled < _LEAST_THROTTLED or count < _LEAST_ANSWERS:
            return False
        share = mine.throttled / mine.count
        return share >= _LEAST_SHARE and share > _FACTOR * throttled / count
