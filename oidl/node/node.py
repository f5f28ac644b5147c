"""The nursery that connects the stages of one machine between a feed and a recorder."""

from typing import Protocol, TypeVar

import trio

from oidl.model import Job
from oidl.net.budget import ByteBudget
from oidl.net.transfer import Downloader
from oidl.node.attempt import Attempt, Outcome
from oidl.node.conclude import Conclusion
from oidl.node.fetch import Fetcher
from oidl.node.originals import LocalOriginals
from oidl.node.scheduler import HostScheduler
from oidl.node.sources import Sources
from oidl.node.stop import Stop
from oidl.node.validate import Validators
from oidl.progress.meter import Meter

End = TypeVar("End", covariant=True)


class Feed(Protocol[End]):
    """The source of jobs."""

    async def run(self, jobs: trio.MemorySendChannel[Job]) -> End:
        """Sends jobs until there are no more, then closes `jobs` and returns why it ended."""
        ...


class Recorder(Protocol):
    """The destination of outcomes."""

    async def run(self, outcomes: trio.MemoryReceiveChannel[Outcome]) -> None:
        """Records all of `outcomes` until the channel is closed."""
        ...


class Node:
    """The fetchers and validators of one machine, which let `workers` do the work.

    `downloader` has their connections, `originals` finds what they have on disk.
    """

    def __init__(
        self,
        downloader: Downloader,
        originals: LocalOriginals,
        sources: Sources,
        stop: Stop,
        meter: Meter,
        *,
        patience_s: float,
    ) -> None:
        self._downloader = downloader
        self._originals = originals
        self._sources = sources
        self._stop = stop
        self._meter = meter
        self._patience_s = patience_s

    async def run(self, feed: Feed[End], recorder: Recorder) -> End | None:
        """Processes every job of `feed` and sends its outcome to `recorder`.

        Returns why the feed ended, None if the run was cancelled.
        """
        jobs_in, jobs = trio.open_memory_channel[Job](0)
        outcomes_in, outcomes = trio.open_memory_channel[Outcome](0)
        end = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._drain_when_asked)
            nursery.start_soon(self._cancel_when_asked, nursery.cancel_scope)
            async with trio.open_nursery() as stages:
                stages.start_soon(recorder.run, outcomes)
                stages.start_soon(self._process_jobs, jobs, outcomes_in)
                end = await feed.run(jobs_in)
            nursery.cancel_scope.cancel()
        return end

    async def _process_jobs(
        self, jobs: trio.MemoryReceiveChannel[Job], outcomes: trio.MemorySendChannel[Outcome]
    ) -> None:
        """Runs scheduler, fetchers and validators until each of `jobs` has its outcome, then closes `outcomes`."""
        transfers, permits = self._downloader.transfers, self._downloader.permits
        attempts_in, attempts = trio.open_memory_channel[Attempt](0)
        scheduler = HostScheduler(
            self._sources.first,
            permits.backoff,
            self._stop,
            per_host=transfers.max_host_connections,
            patience_s=self._patience_s,
        )
        conclusion = Conclusion(
            scheduler, self._sources, outcomes, self._stop, self._meter, trusts_local=self._originals.are_trusted
        )
        memory = ByteBudget(transfers.memory_bytes)
        fetcher = Fetcher(self._downloader, self._originals, memory, scheduler, conclusion, self._meter)
        validators = Validators(self._originals.workers, conclusion, self._meter)
        async with outcomes, trio.open_nursery() as stages:
            stages.start_soon(validators.run)
            stages.start_soon(scheduler.run, jobs, attempts_in, conclusion.conclude)
            async with validators, trio.open_nursery() as fetchers, attempts:
                for _ in range(transfers.max_total_connections):
                    fetchers.start_soon(fetcher.run, attempts.clone(), validators)

    async def _drain_when_asked(self) -> None:
        await self._stop.draining.wait()
        self._downloader.permits.drain.begin()
        self._originals.workers.drain()

    async def _cancel_when_asked(self, scope: trio.CancelScope) -> None:
        await self._stop.cancelling.wait()
        scope.cancel()
