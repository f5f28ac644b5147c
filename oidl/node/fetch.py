"""The fetchers: each takes one attempt after another, and fetches its body."""

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
from oidl.progress.meter import Meter


class Fetcher:
    """Gets bodies from `originals` on disk or through `downloader`, within the budget `memory`."""

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

    async def run(self, attempts: trio.MemoryReceiveChannel[Attempt], bodies: trio.MemorySendChannel[Body]) -> None:
        """Fetches the body of each of `attempts`; failed ones are concluded."""
        async with attempts, bodies:
            async for attempt in attempts:
                await self._fetch(attempt, bodies)

    async def _fetch(self, attempt: Attempt, bodies: trio.MemorySendChannel[Body]) -> None:
        """Fetches one body. A separate function, because a local variable in the loop would keep the body alive."""
        self._meter.started(attempt.job)
        with self._memory.reservation() as memory:
            fetched = await self._obtain(attempt, memory)
            self._meter.fetched(attempt.job)
            if isinstance(fetched, Fetched):
                self._scheduler.released(attempt)
                job = self._originals.restoring(attempt.job, fetched)
                await bodies.send(Body(attempt, job, fetched, memory.moved()))
                return
        if fetched and self._must_wait(attempt, fetched) and self._scheduler.requeue(attempt):
            self._meter.dropped(attempt.job)
            return
        self._scheduler.released(attempt)
        await self._conclusion.conclude(attempt, fetched)

    async def _obtain(self, attempt: Attempt, memory: Reservation) -> Fetched | Failure | None:
        """A body, or why there is none; None if the run started draining before a request was made."""
        download = attempt.download
        with contained(attempt.job, download.source, download.url) as bug:
            return await self._originals.read(attempt, memory) or await self._download(attempt, memory)
        return bug.failure

    async def _download(self, attempt: Attempt, memory: Reservation) -> Fetched | Failure | None:
        download = attempt.download
        if not download.url:  # the image has no thumbnail, and thumbnails are the only source
            return Failure(Reason.NOT_FOUND, "the list has no thumbnail URL for it", source=download.source)
        await memory.acquire(min(download.cap_bytes, download.size_bytes or THUMBNAIL_CAP_BYTES))
        fetched = await self._downloader.fetch(download, partial(self._meter.requested, attempt.job))
        if isinstance(fetched, Fetched):
            memory.grow_to(len(fetched.body))
        return fetched

    def _must_wait(self, attempt: Attempt, failure: Failure) -> bool:
        """Whether the host, not the image, is the reason that there is no body now."""
        is_about_host = failure.reason is Reason.RATE_LIMITED or failure.blame is Blame.NOT_ASKED
        return is_about_host and self._downloader.permits.backoff(attempt.download.url) is not None
