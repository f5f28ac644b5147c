"""Counts what happens, and how fast; told by the pipeline, read by the printers.

Nothing here awaits, blocks or grows: rates come from a ring of one-second
buckets. Images are counted when their outcome is recorded, so the numbers agree
with the state database.
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from oidl.model import Done, Failure, Reason, Status, Work
from oidl.net.pace import PaceState

_WINDOW_S = 20

RECENT = 200
"""How many outcomes are looked back on for what they have in common."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """A moment of a run. Rates are per second over the last 20 s; `remaining` images are still to be settled."""

    elapsed_s: float
    done: int
    failed: int
    retried: int
    remaining: int
    in_flight: int
    bytes_read: int
    bytes_written: int
    images_per_s: float
    read_bytes_per_s: float
    by_reason: dict[Reason, int]
    paces: tuple[PaceState, ...] = ()

    @property
    def left_s(self) -> float | None:
        """Seconds until all is settled at the present rate, or None if nothing moves."""
        return self.remaining / self.images_per_s if self.images_per_s else None


@dataclass(slots=True)
class _Second:
    at: int
    images: int = 0
    bytes_read: int = 0


class Meter:
    """The counters of one run. `clock` gives seconds; `remaining` is how many images are to be settled, `paces` where
    the providers' paces stand."""

    def __init__(self, clock: Callable[[], float], remaining: int = 0) -> None:
        self._clock = clock
        self._started = clock()
        self.remaining = remaining
        self.paces: Callable[[], tuple[PaceState, ...]] = tuple
        self._done = 0
        self._failed = 0
        self._retried = 0
        self._in_flight: set[str] = set()
        self._bytes_read = 0
        self._bytes_written = 0
        self._by_reason: Counter[Reason] = Counter()
        self._recent: deque[Reason | None] = deque(maxlen=RECENT)
        self._seconds: deque[_Second] = deque(maxlen=_WINDOW_S + 1)

    def started(self, work: Work) -> None:
        """An image is in hand."""
        self._in_flight.add(work.image_id)

    def dropped(self, work: Work) -> None:
        """An image was let go of untried."""
        self._in_flight.discard(work.image_id)

    def read(self, count: int) -> None:
        """`count` bytes came from the network."""
        self._bytes_read += count
        self._second().bytes_read += count

    def recorded(self, work: Work, outcome: Done | Failure, status: Status) -> None:
        """What became of an image is in the database, where it stands as `status`."""
        self._in_flight.discard(work.image_id)
        self._recent.append(None if isinstance(outcome, Done) else outcome.reason)
        if isinstance(outcome, Done):
            self._done += 1
            self._bytes_written += sum(file.bytes for file in outcome.files)
        elif status is Status.FAILED:
            self._failed += 1
            self._by_reason[outcome.reason] += 1
        else:
            self._retried += 1
            return
        self.remaining = max(0, self.remaining - 1)
        self._second().images += 1

    def commonest_failure(self) -> tuple[Reason | None, int]:
        """The reason that most of the last `RECENT` outcomes share and how many do; none before there are so many."""
        if len(self._recent) < RECENT:
            return None, 0
        reasons = Counter(reason for reason in self._recent if reason)
        return max(reasons.items(), key=lambda item: item[1], default=(None, 0))

    def statistics(self) -> Statistics:
        """A frozen picture of the counters as they are now."""
        now = self._clock()
        window_s = min(max(now - self._started, 1.0), float(_WINDOW_S))
        recent = [second for second in self._seconds if second.at > now - window_s - 1]
        return Statistics(
            elapsed_s=now - self._started,
            done=self._done,
            failed=self._failed,
            retried=self._retried,
            remaining=self.remaining,
            in_flight=len(self._in_flight),
            bytes_read=self._bytes_read,
            bytes_written=self._bytes_written,
            images_per_s=sum(second.images for second in recent) / window_s,
            read_bytes_per_s=sum(second.bytes_read for second in recent) / window_s,
            by_reason=dict(self._by_reason),
            paces=self.paces(),
        )

    def _second(self) -> _Second:
        at = int(self._clock())
        if not self._seconds or self._seconds[-1].at != at:
            self._seconds.append(_Second(at))
        return self._seconds[-1]
