"""A worker in this process: its connections, its threads, its files."""

import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import ClassVar

import trio

from oidl.model import Done, Failure, Fetched, Job
from oidl.net.client import Client, new_client
from oidl.net.drain import Drain
from oidl.net.request import DirectConnection
from oidl.node.process import Processor
from oidl.node.threads import run_abandonable
from oidl.node.worker import Coordinator
from oidl.settings import WorkerSettings
from oidl.storage.atomic import AtomicWriter
from oidl.storage.files import Files

_READERS = 4  # threads that read originals


class LocalWorker:
    """The `Worker` in this process.

    `new_client` makes the clients of its connections; `on_bytes` is called with the length of every piece that arrives,
    and may wait.
    """

    load: ClassVar[int] = 0

    def __init__(
        self,
        processor: Processor,
        new_client: Callable[[], Client],
        on_bytes: Callable[[int], Awaitable[None]],
        threads: int,
    ) -> None:
        self.threads = threads
        self._processor = processor
        self._new_client = new_client
        self._drain = Drain()
        self._on_bytes = on_bytes
        self._processing = trio.CapacityLimiter(threads)
        self._reading = trio.CapacityLimiter(_READERS)

    def new_connection(self) -> DirectConnection:
        """As in `Worker`."""
        return DirectConnection(self._new_client(), self._drain, self._on_bytes)

    async def read_original(self, job: Job) -> Fetched | None:
        """As in `Worker`."""
        return await run_abandonable(self._processor.read_original, job, limiter=self._reading)

    async def process(self, job: Job, fetched: Fetched) -> Done | Failure:
        """As in `Worker`."""
        return await run_abandonable(self._processor.process, job, fetched, limiter=self._processing)

    def drain(self) -> None:
        """As in `Worker`."""
        self._drain.begin()


def new_local_worker(
    settings: WorkerSettings,
    tls: ssl.SSLContext,
    coordinator: Coordinator,
    on_bytes: Callable[[int], Awaitable[None]],
) -> LocalWorker:
    """A worker in this process; `on_bytes` is that of `LocalWorker`."""
    store = Files(
        settings.layout,
        AtomicWriter(settings.token, settings.part),
        settings.originals.directory,
        lambda name, image_id: trio.from_thread.run(coordinator.claim_name, name, image_id),
    )
    processor = Processor(
        store,
        settings.originals,
        settings.imaging,
        lambda files: trio.from_thread.run(coordinator.before_replace, files),
    )
    return LocalWorker(processor, partial(new_client, settings.transfers, tls), on_bytes, settings.threads)
