"""Counts what happens, and how fast; the pipeline calls it, the printers read it.

Nothing here awaits, blocks or grows: an image in flight is one small object,
dropped when its outcome is recorded, and the past is kept in rings. An image
counts when its outcome is recorded, so the numbers agree with the state
database.

Only the event loop calls it. A call costs a few microseconds. The pipeline does
not report received bytes at all: a printer that needs them reads the body's size.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from oidl.model import Done, Failure, Job, NodeProgress, Postponed, Reason, Status, StatusCount
from oidl.net.pace import PaceState
from oidl.net.request import ArrivingBody
from oidl.progress.history import History
from oidl.progress.in_flight import FileProgress, InFlightImage
from oidl.progress.statistics import Failed, InProgress, Statistics, Success
from oidl.text import without_passwords

SHOWN = 100
"""How many of the last successes, and of the last failures, are kept for display."""


class Meter:
    """The counters of one run. `clock` gives seconds, `time_of_day` seconds since the epoch.

    `remaining` is how many images the run has left to settle. `goal` is the number of images that the run should
    have; a failed image is no step towards it. `outcome` is how the run ended, None while it is active. `page_url` is
    the address of the run's web page, empty while it has none.
    """

    def __init__(
        self, clock: Callable[[], float], remaining: int = 0, time_of_day: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._time_of_day = time_of_day
        self._started = clock()
        self.remaining = remaining
        self.goal: int | None = None
        self.outcome: str | None = None
        self.page_url = ""
        self._paces: Callable[[], tuple[PaceState, ...]] = tuple
        self._nodes: Callable[[], tuple[NodeProgress, ...]] = tuple
        self._on_nodes: Callable[[], InProgress] = InProgress
        self._done = 0
        self._failed = 0
        self._retried = 0
        self._throttled = 0
        self._in_flight: dict[str, InFlightImage] = {}
        self._files: list[FileProgress] = []
        self._bytes_read = 0
        self._bytes_written = 0
        self._by_reason: Counter[Reason] = Counter()
        self._by_subset: dict[str, dict[Status, int]] = {}
        self._failures: dict[Reason, dict[Status, int]] = {}
        self._successes: deque[Success] = deque(maxlen=SHOWN)
        self._failed_tries: deque[Failed] = deque(maxlen=SHOWN)
        self._history = History(self._started)

    def set_baseline(self, counts: Iterable[StatusCount]) -> None:
        """Counts all the selected images by status, before the first of them is fed."""
        for subset, status, reason, images in counts:
            self._by_subset.setdefault(subset, dict.fromkeys(Status, 0))[status] += images
            self._count_failures(status, reason, images)

    def paced_by(self, paces: Callable[[], tuple[PaceState, ...]]) -> None:
        """Sets the source of the pace at each provider."""
        self._paces = paces

    def nodes_from(self, nodes: Callable[[], tuple[NodeProgress, ...]], active: Callable[[], InProgress]) -> None:
        """Sets the sources of what the nodes of a cluster do: each of them, and what is in progress on all of them."""
        self._nodes, self._on_nodes = nodes, active

    def ended(self, outcome: str) -> None:
        """The run has ended with `outcome`, as in `run.outcome`."""
        self.outcome = outcome

    def started(self, job: Job) -> None:
        """An image is in flight."""
        self._in_flight[job.image_id] = InFlightImage(job)

    def requested(self, job: Job, url: str, body: ArrivingBody) -> None:
        """An image is requested from `url`, for the first time or again; `body` grows while it arrives."""
        image = self._image(job)
        image.url, image.body = without_passwords(url), body
        if image.transferred_at is None:
            image.transferred_at = self._clock()

    def fetched(self, job: Job) -> None:
        """A transfer has ended, with any result."""
        image = self._image(job)
        image.body = None
        if image.transferred_at is not None:
            image.transfer_s = self._clock() - image.transferred_at

    def processing(self, job: Job) -> None:
        """A thread has begun to verify and resize an image."""
        self._image(job).processed_at = self._clock()

    def processed(self, job: Job) -> None:
        """The thread has finished, with any result."""
        image = self._image(job)
        if image.processed_at is not None:
            image.process_s = self._clock() - image.processed_at

    def dropped(self, job: Job) -> None:
        """An image was dropped before it was tried."""
        self._in_flight.pop(job.image_id, None)

    @contextmanager
    def reading(self, name: str, expected_bytes: int | None = None) -> Iterator[FileProgress]:
        """Covers the fetch or load of a list or annotation file; the caller sets the counters of what it yields."""
        file = FileProgress(name, expected_bytes)
        self._files.append(file)
        try:
            yield file
        finally:
            self._files.remove(file)

    def read(self, count: int) -> None:
        """`count` bytes arrived from the network."""
        self._bytes_read += count
        self._history.at(self._clock()).bytes_read += count

    def throttled(self, count: int = 1) -> None:
        """A server answered "too many requests", so many times."""
        self._throttled += count

    def recorded(self, job: Job, outcome: Done | Failure, status: Status) -> None:
        """The outcome of an image is in the database, with this `status`."""
        image = self._image(job)
        self._in_flight.pop(job.image_id, None)
        if isinstance(outcome, Done):
            self._moved(job, status, None)
            self._succeeded(image, outcome)
        else:
            self._moved(job, status, outcome.reason)
            self._failed_tries.appendleft(self._as_failed(job, outcome, status))
            if status is not Status.FAILED:
                self._retried += 1
                return
            self._failed += 1
            self._by_reason[outcome.reason] += 1
        if self.goal is None or isinstance(outcome, Done):
            self.remaining = max(0, self.remaining - 1)
        self._history.at(self._clock()).images += 1

    def postponed(self, job: Job, postponed: Postponed) -> None:
        """An image was postponed without a try, and the database has recorded that."""
        self._moved(job, Status.RETRY, postponed.reason)

    @property
    def bytes_read(self) -> int:
        """Bytes that came from the network so far."""
        return self._bytes_read

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._started

    def statistics(self) -> Statistics:
        """A frozen copy of all the numbers now."""
        now = self._clock()
        images_per_s, read_bytes_per_s, written_bytes_per_s = self._history.rates(now)
        in_flight, nodes, on_nodes = self._in_flight.values(), self._nodes(), self._on_nodes()
        return Statistics(
            elapsed_s=now - self._started,
            done=self._done,
            failed=self._failed,
            retried=self._retried,
            throttled=self._throttled,
            remaining=self.remaining,
            goal=self.goal,
            in_flight=len(in_flight) + sum(node.in_progress for node in nodes),
            bytes_read=self._bytes_read,
            bytes_written=self._bytes_written,
            images_per_s=images_per_s,
            read_bytes_per_s=read_bytes_per_s,
            written_bytes_per_s=written_bytes_per_s,
            by_reason=dict(self._by_reason),
            by_subset={subset: dict(row) for subset, row in self._by_subset.items()},
            failures={reason: dict(row) for reason, row in self._failures.items() if any(row.values())},
            paces=self._paces(),
            nodes=nodes,
            outcome=self.outcome,
            page_url=self.page_url,
            reading=self._files[-1].reading() if self._files else None,
            history=self._history.seconds(now),
            transfers=(*filter(None, (image.transferring(now) for image in in_flight)), *on_nodes.transfers),
            processing=(*filter(None, (image.processing(now) for image in in_flight)), *on_nodes.processing),
            successes=tuple(self._successes),
            failed_tries=tuple(self._failed_tries),
        )

    def _image(self, job: Job) -> InFlightImage:
        return self._in_flight.get(job.image_id) or InFlightImage(job)

    def _succeeded(self, image: InFlightImage, done: Done) -> None:
        self._done += 1
        written = sum(file.bytes for file in done.files)
        self._bytes_written += written
        self._history.at(self._clock()).bytes_written += written
        self._successes.appendleft(
            Success(
                image_id=image.job.image_id,
                subset=image.job.subset,
                files=done.files,
                url=done.url,
                width=done.width,
                height=done.height,
                bytes=done.bytes,
                finished_at=self._time_of_day(),
                transfer_s=image.transfer_s,
                process_s=image.process_s,
            )
        )

    def _as_failed(self, job: Job, failure: Failure, status: Status) -> Failed:
        return Failed(
            image_id=job.image_id,
            subset=job.subset,
            status=status,
            reason=failure.reason,
            detail=failure.detail,
            http_status=failure.http_status,
            url=failure.url,
            at=self._time_of_day(),
        )

    def _moved(self, job: Job, status: Status, reason: Reason | None) -> None:
        """An image of the selection has another status than before it was fed."""
        if statuses := self._by_subset.get(job.subset):
            statuses[job.status] -= 1
            statuses[status] += 1
            self._count_failures(job.status, job.reason, -1)
            self._count_failures(status, reason, 1)

    def _count_failures(self, status: Status, reason: Reason | None, images: int) -> None:
        if reason and status in (Status.FAILED, Status.RETRY):
            self._failures.setdefault(reason, dict.fromkeys((Status.FAILED, Status.RETRY), 0))[status] += images
