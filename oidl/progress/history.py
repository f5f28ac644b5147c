"""The last five minutes, second by second: a ring that is no longer after a week than after an hour."""

from collections import deque
from dataclasses import dataclass

from oidl.progress.statistics import Second

LENGTH_S = 300
_WINDOW_S = 20


@dataclass(slots=True)
class Bucket:
    """The counters of one second; `at` is its start, in whole seconds."""

    at: int
    images: int = 0
    bytes_read: int = 0
    bytes_written: int = 0


class History:
    """Counts per second since `started`, by the seconds of any clock; empty seconds take no memory."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._buckets: deque[Bucket] = deque(maxlen=LENGTH_S + 1)

    def at(self, now: float) -> Bucket:
        """The bucket of the second `now`, for counting."""
        second = int(now)
        if not self._buckets or self._buckets[-1].at != second:
            self._buckets.append(Bucket(second))
        return self._buckets[-1]

    def rates(self, now: float) -> tuple[float, float, float]:
        """Images, bytes read and bytes written per second, over this second and the twenty before it."""
        first = int(now) - _WINDOW_S
        window_s = max(1.0, now - max(float(first), self._started))
        images = bytes_read = bytes_written = 0
        for bucket in reversed(self._buckets):
            if bucket.at < first:
                break
            images += bucket.images
            bytes_read += bucket.bytes_read
            bytes_written += bucket.bytes_written
        return images / window_s, bytes_read / window_s, bytes_written / window_s

    def seconds(self, now: float) -> tuple[Second, ...]:
        """The full seconds up to `now`, oldest first."""
        end = int(now)
        first = max(end - LENGTH_S, int(self._started))
        seconds = [_NOTHING] * (end - first)
        for bucket in self._buckets:
            if first <= bucket.at < end:
                seconds[bucket.at - first] = Second(bucket.images, bucket.bytes_read, bucket.bytes_written)
        return tuple(seconds)


_NOTHING = Second()
