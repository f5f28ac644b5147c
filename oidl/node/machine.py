"""The node of one machine, from settings that can be sent to it: permits, connections, workers, and the stages."""

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from oidl.dataset.published import Mirror
from oidl.net.connections import Connections
from oidl.net.pace import PaceState
from oidl.net.permits import Permits
from oidl.net.transfer import Downloader
from oidl.node.node import Node
from oidl.node.originals import LocalOriginals
from oidl.node.pool import Arrivals, open_workers, with_processes
from oidl.node.sources import Sources
from oidl.node.stop import Stop
from oidl.node.worker import Coordinator, Workers
from oidl.progress.meter import Meter
from oidl.settings import WorkerSettings
from oidl.storage.layout import subset_directory


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """What a node needs to know.

    `workers` is for all its workers together, in `processes` processes. `providers` and `mirrors` are those of the
    catalogue, `paces` what earlier runs learned, by provider. A pause is waited for during `patience_s`.
    """

    workers: WorkerSettings
    processes: int
    patience_s: float
    providers: Mapping[str, str] = field(default_factory=dict)
    mirrors: Mapping[str, Mirror] = field(default_factory=dict)
    paces: Mapping[str, PaceState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a node works with: who answers its questions, and where it reports."""

    coordinator: Coordinator
    arrivals: Arrivals
    stop: Stop
    meter: Meter
    say: Callable[[str], None]


@asynccontextmanager
async def open_node(
    settings: NodeSettings, tls: ssl.SSLContext, around: Surroundings
) -> AsyncIterator[tuple[Node, Workers]]:
    """A node and its workers; its pace is shown by the meter."""
    workers_settings, meter = settings.workers, around.meter
    transfers = with_processes(workers_settings.transfers, settings.processes)
    originals, layout = workers_settings.originals, workers_settings.layout
    permits = Permits(
        transfers, settings.providers, settings.paces, say=around.say, on_throttled=around.meter.throttled
    )
    meter.paced_by(permits.paces)
    async with (
        open_workers(
            settings.processes, workers_settings, tls, around.coordinator, around.arrivals, around.say
        ) as workers,
        Connections(transfers.max_total_connections, workers.new_connection) as connections,
    ):
        node = Node(
            Downloader(permits, connections, transfers),
            LocalOriginals(
                originals, lambda subset: subset_directory(layout, subset, originals.directory).is_dir(), workers
            ),
            Sources(originals.sources, settings.mirrors, transfers.max_image_bytes),
            around.stop,
            meter,
            patience_s=settings.patience_s,
        )
        yield node, workers
