"""The nursery that connects the stages of one machine between a feed and a recorder."""

from typing import Protocol, TypeVar

import trio

from oidl.model import Job
from oidl.net.budget import ByteBudget
from oidl.net.transfer import Downloader
from oidl.node.attempt import Attempt, Body, Outcome
from oidl.node.conclude import Conclusion
from oidl.node.fetch import Fetcher
from oidl.node.originals import LocalOriginals
from oidl.node.process import Processor
from oidl.node.scheduler import HostScheduler
from oidl.node.sources import Sources
from oidl.node.stop import Stop
from oidl.node.validate import Validator
from oidl.progress.meter import Meter
from oidl.settings import NodeSettings

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
    """The fetchers and validators of one machine."""

    def __init__(
        self,
        downloader: Downloader,
        processor: Processor,
        sources: Sources,
        stop: Stop,
        meter: Meter,
        settings: NodeSettings,
    ) -> None:
        self._downloader = downloader
        self._processor = processor
        self._sources = sources
        self._stop = stop
        self._meter = meter
        self._settings = settings
        self._threads = settings.threads

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
        bodies_in, bodies = trio.open_memory_channel[Body](2 * self._threads)
        scheduler = HostScheduler(
            self._sources.first,
            permits.backoff,
            self._stop,
            per_host=transfers.max_host_connections,
            patience_s=self._settings.patience_s,
        )
        originals = self._processor.originals
        trusts_local = not originals.check_md5_if_exists
        conclusion = Conclusion(scheduler, self._sources, outcomes, self._stop, self._meter, trusts_local=trusts_local)
        local = LocalOriginals(originals, self._processor.store, self._processor)
        memory = ByteBudget(transfers.memory_bytes)
        fetcher = Fetcher(self._downloader, local, memory, scheduler, conclusion, self._meter)
        validator = Validator(self._processor, conclusion, self._meter, self._threads)
        async with outcomes, trio.open_nursery() as stages, attempts, bodies_in, bodies:
            for _ in range(transfers.max_total_connections):
                stages.start_soon(fetcher.run, attempts.clone(), bodies_in.clone())
            for _ in range(self._threads):
                stages.start_soon(validator.run, bodies.clone())
            stages.start_soon(scheduler.run, jobs, attempts_in, conclusion.conclude)

    async def _drain_when_asked(self) -> None:
        await self._stop.draining.wait()
        self._downloader.permits.drain()

    async def _cancel_when_asked(self, scope: trio.CancelScope) -> None:
        await self._stop.cancelling.wait()
        scope.cancel()
