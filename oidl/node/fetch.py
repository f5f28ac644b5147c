"""The fetchers: each takes one attempt after another, and fetches its body."""

from collections.abc import Awaitable, Callable
from functools import partial

import trio

from oidl.model import Blame, Failure, Fetched, Reason
from oidl.net.budget import ByteBudget, Reservation
from oidl.net.transfer import Downloader
from oidl.node.attempt import Attempt, Body
from oidl.node.conclude import Conclusion
from oidl.node.containment import contained
from oidl.node.originals import LocalOriginals
from oidl.node.scheduler import HostScheduler
from oidl.node.sources import THUMBNAIL_CAP_BYTES
from oidl.node.validate import Validators
from oidl.node.worker import WorkerDiedError
from oidl.progress.meter import Meter


class Fetcher:
    """Gets bodies from `originals` on disk or through `downloader`, within the budget `memory`.

    Images that a worker died at are fetched and validated one at a time, in the quarantine.
    """

    def __init__(
        self,
        downloader: Downloader,
        originals: LocalOriginals,
        memory: ByteBudget,
        scheduler: HostScheduler,
        conclusion: Conclusion,
        meter: Meter,
    ) -> None:
        self._downloader = downloader
        self._originals = originals
        self._memory = memory
        self._scheduler = scheduler
        self._conclusion = conclusion
        self._meter = meter
        self._alone = trio.Lock()

    async def run(self, attempts: trio.MemoryReceiveChannel[Attempt], validators: Validators) -> None:
        """Fetches the body of each of `attempts`, and queues it at `validators`; failed attempts are concluded."""
        async with attempts:
            async for attempt in attempts:
                if attempt.deaths:
                    async with self._alone:
                        await self._fetch(attempt, self._originals.workers.quarantine, validators.validate)
                else:
                    await self._fetch(attempt, None, validators.queue)

    async def _fetch(self, attempt: Attempt, worker: int | None, deliver: Callable[[Body], Awaitable[None]]) -> None:
        """Fetches one body. A separate function, because a local variable in the loop would keep the body alive."""
        self._meter.started(attempt.job)
        with self._memory.reservation() as memory:
            try:
                fetched = await self._obtain(attempt, memory, worker)
            except WorkerDiedError as error:
                self._scheduler.released(attempt)
                await self._conclusion.worker_died(attempt, error)
                return
            self._meter.fetched(attempt.job)
            if isinstance(fetched, Fetched):
                self._scheduler.released(attempt)
                job = self._originals.restoring(attempt.job, fetched)
                await deliver(Body(attempt, job, fetched, memory.moved()))
                return
        if fetched and self._must_wait(attempt, fetched) and self._scheduler.requeue(attempt):
            self._meter.dropped(attempt.job)
            return
        self._scheduler.released(attempt)
        await self._conclusion.conclude(attempt, fetched)

    async def _obtain(self, attempt: Attempt, memory: Reservation, worker: int | None) -> Fetched | Failure | None:
        """A body, or why there is none; None if the run started draining before a request was made."""
        download = attempt.download
        with contained(attempt.job, download.source, download.url) as bug:
            original = await self._originals.read(attempt, memory, worker)
            return original or await self._download(attempt, memory, worker)
        return bug.failure

    async def _download(self, attempt: Attempt, memory: Reservation, worker: int | None) -> Fetched | Failure | None:
        download = attempt.download
        if not download.url:  # the image has no thumbnail, and thumbnails are the only source
            return Failure(Reason.NOT_FOUND, "the list has no thumbnail URL for it", source=download.source)
        await memory.acquire(min(download.cap_bytes, download.size_bytes or THUMBNAIL_CAP_BYTES))
        on_request = partial(self._meter.requested, attempt.job)
        job = self._originals.unchanged(attempt.job)
        fetched = await self._downloader.fetch(download, on_request, worker, job)
        if isinstance(fetched, Fetched):
            memory.grow_to(fetched.size)
        return fetched

    def _must_wait(self, attempt: Attempt, failure: Failure) -> bool:
        """Whether the host, not the image, is the reason that there is no body now."""
        is_about_host = failure.reason is Reason.RATE_LIMITED or failure.blame is Blame.NOT_ASKED
        return is_about_host and self._downloader.permits.backoff(attempt.download.url) is not None
