"""An image between the feed and the database, and a list or annotation file that is read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from oidl.model import Job
from oidl.net.known_hosts import host_of
from oidl.net.request import ArrivingBody
from oidl.progress.statistics import Processing, Reading, Transferring


@dataclass(slots=True)
class InFlightImage:
    """An image between the feed and the database; times are seconds of the meter's clock.

    `body` is set during the transfer, `processed_at` from the start of the processing on.
    """

    job: Job
    url: str = ""
    body: ArrivingBody | None = None
    transferred_at: float | None = None
    transfer_s: float | None = None
    processed_at: float | None = None
    process_s: float | None = None

    def transferring(self, now: float) -> Transferring | None:
        """Its transfer, None if there is none now."""
        if self.body is None:
            return None
        expected = self.body.total
        if expected is None and self.url == self.job.original_url:
            expected = self.job.original_size
        return Transferring(
            image_id=self.job.image_id,
            subset=self.job.subset,
            host=host_of(self.url),
            url=self.url,
            received_bytes=self.body.size,
            expected_bytes=expected,
            elapsed_s=now - (self.transferred_at or now),
        )

    def processing(self, now: float) -> Processing | None:
        """Its processing, None if there is none now."""
        if self.processed_at is None or self.process_s is not None:
            return None
        return Processing(self.job.image_id, self.job.subset, now - self.processed_at)


@dataclass(slots=True)
class FileProgress:
    """A list or annotation file that is fetched or loaded.

    The counters may be called from any thread; they are None until there is something to count. If the file is
    started again, it gets other counters.
    """

    name: str
    expected_bytes: int | None = None
    count_bytes: Callable[[], int] | None = None
    count_rows: Callable[[], int] | None = None
    is_indexing: bool = False

    def mark_indexing(self) -> Iterator[Any]:
        """An empty iterator to chain after the last row; when it is reached, the rows are being indexed."""
        self.is_indexing = True
        yield from ()

    def reading(self) -> Reading:
        """A frozen copy of its numbers now."""
        return Reading(
            name=self.name,
            rows=self.count_rows and self.count_rows(),
            is_indexing=self.is_indexing,
            bytes=self.count_bytes and self.count_bytes(),
            expected_bytes=self.expected_bytes,
        )
