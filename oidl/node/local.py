"""A worker in this process: its connections, its threads, its files."""

import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, ClassVar

import trio

from oidl.imaging.cost import is_quick
from oidl.model import Done, Failure, Fetched, Job, StoreKind
from oidl.net.client import Client, new_client
from oidl.net.drain import Drain
from oidl.net.request import DirectConnection
from oidl.node.process import Processor
from oidl.node.shards import Shards
from oidl.node.stores import Stores
from oidl.node.threads import run_abandonable, timed
from oidl.node.worker import Coordinator
from oidl.settings import FileNames, WorkerSettings
from oidl.storage.atomic import AtomicWriter
from oidl.storage.files import Files
from oidl.storage.staging import StagedWriter

_READERS = 4  # threads that read originals
_SLOW_S = 0.01  # a quick image takes longer than this only if its thread waits for a slow disk
_WEIGHT = 0.05  # of the last one in the average
_TRY_EVERY = 16  # while the disk is slow, one of so many images shows whether it still is


class LocalWorker:
    """The `Worker` in this process.

    `new_client` makes the clients of its connections; `on_bytes` is called with the length of every piece that arrives,
    and may wait. If it `may_block`, images that are processed in a few milliseconds are processed in the event loop's
    own thread, which costs a fifth less CPU than handing them to another one and waiting for the interpreter's lock.
    """

    load: ClassVar[int] = 0

    def __init__(
        self,
        processor: Processor,
        new_client: Callable[[], Client],
        on_bytes: Callable[[int], Awaitable[None]],
        threads: int,
        *,
        may_block: bool = False,
        shards: Shards | None = None,
        timed: Callable[..., tuple[Any, float]] = timed,
    ) -> None:
        self.threads = threads
        self._shards = shards
        self._may_block = may_block
        self._timed = timed
        self._took_s = 0.0  # a quick image that was processed in the loop lately, on average
        self._in_threads = 0  # quick images since the disk became slow
        self._processor = processor
        self._new_client = new_client
        self._drain = Drain()
        self._on_bytes = on_bytes
        self._processing = trio.CapacityLimiter(threads)
        self._reading = trio.CapacityLimiter(_READERS)

    def new_connection(self) -> DirectConnection:
        """As in `Worker`."""
        return DirectConnection(self._new_client(), self._drain, self._on_bytes)

    def is_quick(self, job: Job, fetched: Fetched) -> bool:
        """Whether `process` need not use a thread."""
        return self._may_block and is_quick(fetched.body, job.missing_renditions)

    async def read_original(self, job: Job) -> Fetched | None:
        """As in `Worker`."""
        return await run_abandonable(self._processor.read_original, job, limiter=self._reading)

    async def process(self, job: Job, fetched: Fetched) -> Done | Failure:
        """As in `Worker`."""
        if self._shards is None or all(each.store is StoreKind.FILES for each in job.missing_renditions):
            return await self._process(job, fetched)
        renditions = self._processor.renditions(job, fetched)
        async with self._shards.reserved(job.image_id, job.subset, renditions):
            return await self._process(job, fetched)

    async def _process(self, job: Job, fetched: Fetched) -> Done | Failure:
        if not self.is_quick(job, fetched) or self._needs_thread():
            return await run_abandonable(self._processor.process, job, fetched, limiter=self._processing)
        result: Done | Failure
        result, took_s = self._timed(self._processor.process, job, fetched)
        self._took_s += (took_s - self._took_s) * _WEIGHT
        return result

    def _needs_thread(self) -> bool:
        """Whether the disk is too slow to wait for it in the event loop.

        Only there it can be told how slow: threads also wait for each other, at the interpreter's lock.
        """
        self._in_threads = self._in_threads + 1 if self._took_s > _SLOW_S else 0
        return self._in_threads % _TRY_EVERY != 0

    def close(self) -> None:
        """Closes the shards that it appends to."""
        if self._shards:
            self._shards.close()

    def drain(self) -> None:
        """As in `Worker`."""
        self._drain.begin()

    async def sync(self) -> None:
        """As in `Worker`."""
        if self._shards:
            await run_abandonable(self._shards.sync, limiter=self._reading)


def new_local_worker(
    settings: WorkerSettings,
    tls: ssl.SSLContext,
    coordinator: Coordinator,
    on_bytes: Callable[[int], Awaitable[None]],
    *,
    has_own_process: bool = False,
) -> LocalWorker:
    """A worker in this process, which it may have to itself; `on_bytes` is that of `LocalWorker`."""
    files = Files(
        settings.layout,
        StagedWriter(settings.token, settings.fence) if settings.fence else AtomicWriter(settings.token, settings.part),
        settings.originals.directory,
        lambda name, image_id: trio.from_thread.run(coordinator.claim_name, name, image_id),
    )
    shards = Shards(settings.layout.root_dir, settings.shards, coordinator, is_fenced=bool(settings.fence))
    processor = Processor(
        Stores(files, shards),
        settings.originals,
        settings.imaging,
        lambda files: trio.from_thread.run(coordinator.before_replace, files),
    )
    # These settings need answers of the coordinator while an image is processed.
    asks = settings.originals.always_download or settings.layout.name_files_by is FileNames.FLICKR
    return LocalWorker(
        processor,
        partial(new_client, settings.transfers, tls),
        on_bytes,
        settings.threads,
        may_block=has_own_process and not asks,
        shards=shards,
    )
