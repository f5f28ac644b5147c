"""The nursery that joins the stages: images in, rows and files out."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

import trio

from oidl.model import Done, Failure, Fetched, Postponed, Reason, Source, Work
from oidl.net.budget import ByteBudget, Reservation
from oidl.net.hosts import Hosts, host_of
from oidl.net.transfer import Download, fetch
from oidl.pipeline.containment import contained
from oidl.pipeline.feed import Claims, Feed, FeedEnd
from oidl.pipeline.lobby import Lobby
from oidl.pipeline.process import Processor
from oidl.pipeline.record import Outcome, Recorder
from oidl.pipeline.sources import THUMBNAIL_CAP_BYTES, Sources, explained, is_other_site
from oidl.pipeline.stop import Stop
from oidl.pipeline.threads import run_abandonable
from oidl.progress.meter import Meter
from oidl.settings import Settings
from oidl.storage.layout import subset_directory

_PATIENCE = 5  # times --max-wait: how long a pause that a provider asks for is waited for


@dataclass(frozen=True, slots=True)
class _Body:
    """A body on its way to a validator, with its share of the memory budget."""

    work: Work
    fetched: Fetched
    memory: Reservation


class ImagePipeline:
    """Fetchers and validators between a feed and a recorder; `arrived` is told of all bytes and may wait.

    An image that failed at one source, by a fetcher's word or by a validator's, goes back to the lobby, for the next.
    """

    def __init__(
        self,
        settings: Settings,
        hosts: Hosts,
        arrived: Callable[[int], Awaitable[None]],
        processor: Processor,
        claims: Claims,
        meter: Meter,
        stop: Stop,
        sources: Sources,
    ) -> None:
        self._settings = settings
        self._transfers = settings.transfers
        self._hosts = hosts
        self._arrived = arrived
        self._processor = processor
        self._claims = claims
        self._meter = meter
        self._stop = stop
        self._sources = sources
        self._budget = ByteBudget(settings.transfers.memory_bytes)
        self._validators = os.cpu_count() or 1
        self._threads = trio.CapacityLimiter(self._validators)
        self._reading = trio.CapacityLimiter(4)
        self._originals_at: dict[str, bool] = {}
        self._lobby = Lobby(
            self._url,
            host_of,
            hosts.block,
            stop,
            per_host=settings.transfers.max_host_connections,
            patience_s=_PATIENCE * settings.retries.max_wait_s,
        )

    async def run(self, feed: Feed, recorder: Recorder) -> FeedEnd:
        """Runs everything that `feed` hands out through to `recorder`; returns why the feed ended."""
        fed_in, fed = trio.open_memory_channel[Work](0)
        works_in, works = trio.open_memory_channel[Work](0)
        bodies_in, bodies = trio.open_memory_channel[_Body](2 * self._validators)
        outcomes_in, outcomes = trio.open_memory_channel[Outcome](0)
        end = FeedEnd.STOPPED
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._drain_when_asked)
            nursery.start_soon(self._cancel_when_asked, nursery.cancel_scope)
            async with trio.open_nursery() as stages:
                stages.start_soon(recorder.run, outcomes)
                async with works, bodies_in, bodies, outcomes_in:
                    for _ in range(self._transfers.max_total_connections):
                        stages.start_soon(self._fetcher, works.clone(), bodies_in.clone(), outcomes_in.clone())
                    for _ in range(self._validators):
                        stages.start_soon(self._validator, bodies.clone(), outcomes_in.clone())
                    stages.start_soon(self._wait_for_hosts, fed, works_in, outcomes_in.clone())
                end = await feed.run(fed_in)
            nursery.cancel_scope.cancel()
        return end

    async def _drain_when_asked(self) -> None:
        await self._stop.draining.wait()
        self._hosts.drain()

    async def _cancel_when_asked(self, scope: trio.CancelScope) -> None:
        await self._stop.cancelling.wait()
        scope.cancel()

    async def _wait_for_hosts(
        self,
        fed: trio.MemoryReceiveChannel[Work],
        works: trio.MemorySendChannel[Work],
        outcomes: trio.MemorySendChannel[Outcome],
    ) -> None:
        async def postpone(work: Work, postponed: Postponed) -> None:
            waiting = self._untried(work, postponed)
            # A pause will be over; a host that cannot be reached may be so for ever.
            if work.tried or (postponed.reason is not Reason.RATE_LIMITED and self._sources.after(work, waiting)):
                await self._settle(work, waiting, outcomes)
            else:
                await outcomes.send(Outcome(work, postponed))

        async with outcomes:
            await self._lobby.run(fed, works, postpone, self._drop)

    def _drop(self, work: Work) -> None:
        """Lets go of an image untried; it is where it was."""
        self._claims.release([(work, None)])

    async def _fetcher(
        self,
        works: trio.MemoryReceiveChannel[Work],
        bodies: trio.MemorySendChannel[_Body],
        outcomes: trio.MemorySendChannel[Outcome],
    ) -> None:
        async with works, bodies, outcomes:
            async for work in works:
                await self._fetch(work, bodies, outcomes)

    async def _fetch(
        self, work: Work, bodies: trio.MemorySendChannel[_Body], outcomes: trio.MemorySendChannel[Outcome]
    ) -> None:
        """Fetches one image; apart from the loop, where a name would keep its body alive until the next one."""
        self._meter.started(work)
        memory = self._budget.reservation()
        fetched = await self._obtain(work, memory)
        self._meter.fetched(work)
        if isinstance(fetched, Failure) and self._is_to_wait(work, fetched) and self._lobby.came_back(work):
            memory.release()
            self._meter.dropped(work)
            return
        self._lobby.passed_on(work)
        if isinstance(fetched, Fetched):
            await bodies.send(_Body(self._restoring(work, fetched), fetched, memory))
            return
        memory.release()
        if fetched is None:
            self._let_go(work)
        else:
            await self._settle(work, fetched, outcomes)
        self._lobby.settled()

    async def _settle(self, work: Work, result: Done | Failure, outcomes: trio.MemorySendChannel[Outcome]) -> None:
        """Has the next source asked, if there is one and this one failed; else the result is the image's."""
        if isinstance(result, Failure) and result.url and is_other_site(result.url, self._url(work)):
            result = replace(result, is_elsewhere=True)
        following = self._after(work, result) if isinstance(result, Failure) else None
        if following is None:
            await outcomes.send(Outcome(work, result))
        elif self._stop.draining.is_set():  # nothing new is asked for, and without that nothing is decided
            self._let_go(work)
        else:
            self._meter.dropped(work)
            self._lobby.queue(following)

    def _after(self, work: Work, failure: Failure) -> Work | None:
        """`work` as it is to be fetched now that it failed; None where that is all there is to it."""
        is_unchecked = failure.source is Source.LOCAL and not self._settings.originals.check_md5_if_exists
        if is_unchecked and not failure.is_published and failure.reason is not Reason.DISK:
            return replace(work, is_local_bad=True)
        return self._sources.after(work, failure)

    def _let_go(self, work: Work) -> None:
        self._meter.dropped(work)
        self._drop(work)

    def _untried(self, work: Work, postponed: Postponed) -> Failure:
        download = self._sources.download(work)
        return Failure(
            postponed.reason,
            postponed.detail,
            retry_after_s=postponed.wait_s,
            source=download.source,
            url=download.url,
            was_asked=False,
        )

    async def _validator(
        self, bodies: trio.MemoryReceiveChannel[_Body], outcomes: trio.MemorySendChannel[Outcome]
    ) -> None:
        async with bodies, outcomes:
            async for body in bodies:
                work, memory = body.work, body.memory
                self._meter.processing(work)
                result = await self._process(work, body.fetched)
                self._meter.processed(work)
                del body  # the bytes themselves; the budget is for what is really in memory
                memory.release()
                await self._settle(work, result, outcomes)
                self._lobby.settled()

    async def _process(self, work: Work, fetched: Fetched) -> Done | Failure:
        url = None if fetched.source is Source.LOCAL else fetched.url
        with contained(work, fetched.source, url) as bug:
            return await run_abandonable(self._processor.process, work, fetched, limiter=self._threads)
        assert bug.failure
        return bug.failure

    async def _obtain(self, work: Work, memory: Reservation) -> Fetched | Failure | None:
        """The body of an image from disk or from its source; None if the run drained before it was asked for."""
        download = self._sources.download(work)
        with contained(work, download.source, download.url) as bug:
            return await self._local(work, memory) or await self._remote(work, download, memory)
        return bug.failure

    async def _remote(self, work: Work, download: Download, memory: Reservation) -> Fetched | Failure | None:
        if not download.url:  # of a thumbnail that nothing else may stand in for
            return Failure(Reason.NOT_FOUND, "the list names no thumbnail of it", source=download.source)
        await memory.acquire(min(download.cap_bytes, download.size_bytes or THUMBNAIL_CAP_BYTES))
        on_request = partial(self._meter.requested, work)
        answer = await fetch(download, self._hosts, self._transfers, self._arrived, on_request)
        fetched = explained(download, answer)
        if isinstance(fetched, Fetched):
            memory.grow_to(len(fetched.body))
        return fetched

    def _is_to_wait(self, work: Work, failure: Failure) -> bool:
        """Whether it is the host's word, not the image's, that it cannot be had now."""
        is_of_host = failure.reason is Reason.RATE_LIMITED or not failure.was_asked
        return is_of_host and self._hosts.block(self._url(work)) is not None

    def _url(self, work: Work) -> str:
        return self._sources.download(work).url

    async def _local(self, work: Work, memory: Reservation) -> Fetched | None:
        """The verified original from disk, or None where there is none."""
        originals = self._settings.originals
        if work.tried or work.is_local_bad or originals.always_download or not originals.takes_local:
            return None
        if not (work.saved_original or self._has_originals(work.subset)):
            return None
        await memory.acquire(work.original_size)
        fetched = await run_abandonable(self._processor.read_original, work, limiter=self._reading)
        if fetched is None:
            memory.release()
        return fetched

    def _restoring(self, work: Work, fetched: Fetched) -> Work:
        """`work`; if it had to be fetched, with the saved original that was recorded and is not there any more."""
        originals = self._settings.originals
        if fetched.source is Source.LOCAL:
            return work
        is_lacking = any(rendition.mode is None for rendition in work.lacking)
        if is_lacking or work.saved_original is None or not (originals.save and originals.takes_local):
            return work
        return replace(work, lacking=(*work.lacking, originals.kept[0]))

    def _has_originals(self, subset: str) -> bool:
        """Whether there was a directory of originals when the first image of `subset` came by; asked once."""
        if subset not in self._originals_at:
            directory = subset_directory(self._settings.layout, subset, self._settings.originals.directory)
            self._originals_at[subset] = directory.is_dir()
        return self._originals_at[subset]
