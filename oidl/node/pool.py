"""The workers of a node: one in this process, or several in processes of their own."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace

import trio

from oidl.cores import usable_cores
from oidl.node.remote import ChildWorker
from oidl.node.worker import Coordinator, Workers
from oidl.settings import NetworkSettings, WorkerSettings

_MOST = 8  # processes that are started without being asked for
_PROCESS_BYTES = 32 * 1024 * 1024  # that it shares with no other process, without bodies
_IMAGES = 1000  # for each of them: fewer are done before another process would be of use


def process_count(images: int, cores: int | None = None) -> int:
    """How many processes are best for so many images: one for each core, unless there is too little to do.

    `cores` None means those that this process may use.
    """
    return max(1, min(cores or usable_cores(), _MOST, images // _IMAGES))


def with_processes(transfers: NetworkSettings, processes: int) -> NetworkSettings:
    """`transfers` with less memory for bodies, because each of several processes needs some for itself."""
    if processes == 1:
        return transfers
    left = transfers.memory_bytes - processes * _PROCESS_BYTES
    return replace(transfers, memory_bytes=max(left, transfers.memory_bytes // 4))


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What is called with numbers of bytes that have arrived.

    `wait` is called for every piece that arrives in this process, and may wait; `count` for those that arrived in other
    processes, where each has its own share of the limit.
    """

    wait: Callable[[int], Awaitable[None]]
    count: Callable[[int], None]


@asynccontextmanager
async def open_workers(
    processes: int,
    settings: WorkerSettings,
    tls: ssl.SSLContext,
    coordinator: Coordinator,
    arrivals: Arrivals,
    say: Callable[[str], None],
) -> AsyncIterator[Workers]:
    """The workers of a node, which share out the threads and the limit on bytes per second of `settings`."""
    if processes == 1:
        from oidl.node.local import new_local_worker  # it needs the imaging libraries, 30 MB

        with closing(new_local_worker(settings, tls, coordinator, arrivals.wait)) as local:
            yield Workers([local])
        return
    part = share(settings, processes)
    members: list[ChildWorker] = []
    async with trio.open_nursery() as nursery:
        for number in range(processes + 1):
            is_quarantine = number == processes
            own = replace(part, number=number, threads=1 if is_quarantine else part.threads)
            worker = ChildWorker(own, coordinator, arrivals.count, say, is_reserved=is_quarantine)
            members.append(worker)
            nursery.start_soon(worker.run)
        # Requests that waited for their process would be sent all at once, whatever the pace.
        for worker in members[:processes]:
            await worker.has_started.wait()
        say(f"images are processed in {processes} worker processes")
        yield Workers(members, has_quarantine=True)
        nursery.cancel_scope.cancel()


def share(settings: WorkerSettings, processes: int) -> WorkerSettings:
    """The share of each of so many processes."""
    transfers = settings.transfers
    if transfers.max_bytes_per_s:
        receiving = min(processes, transfers.max_total_connections)  # at once, at most
        transfers = replace(transfers, max_bytes_per_s=transfers.max_bytes_per_s / receiving)
    return replace(settings, transfers=transfers, threads=-(-settings.threads // processes))
