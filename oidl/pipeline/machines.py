"""Where the images of a run are processed: on this machine, unless the run is given other machines."""

import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from oidl.node.machine import NodeSettings, Surroundings, open_node
from oidl.node.node import Feed, Recorder
from oidl.node.pool import Arrivals, process_count
from oidl.pipeline.context import Context
from oidl.pipeline.feed import InFlight
from oidl.pipeline.inputs import Inputs
from oidl.pipeline.shards import RunShards
from oidl.pipeline.uploads import Uploads
from oidl.pipeline.writer import StateWriter
from oidl.settings import Settings, WorkerSettings
from oidl.state.requeue import requeue

_OTHERS_SHARE = 0.1  # of --limit-rate, for annotations that are fetched beside images
_PATIENCE = 5  # times --max-wait: how long a node waits for pauses while no image progresses

End = TypeVar("End")


@dataclass(frozen=True, slots=True)
class ImageWork:
    """What a run has to be done; temporary files have names that begin with its `token`."""

    context: Context
    inputs: Inputs
    tls: ssl.SSLContext
    token: str
    shards: RunShards
    uploads: Uploads | None = None


class Machine(Protocol):
    """One or several machines that process images."""

    async def run(self, feed: Feed[End], recorder: Recorder) -> End | None:
        """Processes every job of `feed` and sends its outcome to `recorder`.

        Returns why the feed ended, None if the run was cancelled.
        """
        ...


Machines = Callable[[ImageWork, InFlight], AbstractAsyncContextManager[Machine]]
"""Opens the machines that process the images of a run, for an `async with` block."""


@asynccontextmanager
async def this_machine(work: ImageWork, in_flight: InFlight) -> AsyncIterator[Machine]:
    """Processes the images on this machine."""
    context, settings, meter = work.context, work.context.settings, work.context.meter
    processes = settings.processes or process_count(meter.remaining)
    # Annotations that are fetched meanwhile come through this process, whatever the number of workers.
    others = _OTHERS_SHARE if processes > 1 and settings.download_metadata else 0.0
    workers = worker_settings(settings, work.token)
    if workers.transfers.max_bytes_per_s:
        own = workers.transfers.max_bytes_per_s * (1.0 - others)
        workers = replace(workers, transfers=replace(workers.transfers, max_bytes_per_s=own))
    around = Surroundings(
        StateQuestions(context.state, work.shards),
        Arrivals(work.inputs.arrived, work.inputs.count),
        context.stop,
        meter,
        context.say,
    )
    paces = await context.state.run(context.state.ledger.paces.read)
    own_settings = replace(node_settings(context, workers), processes=processes, paces=paces)
    async with open_node(own_settings, work.tls, around) as (node, _):
        with work.inputs.throttle.sharing(others) if others else nullcontext():
            yield node


def node_settings(context: Context, workers: WorkerSettings) -> NodeSettings:
    """The settings of a node with one process that has learned nothing yet."""
    patience_s = _PATIENCE * context.settings.retries.max_wait_s
    return NodeSettings(workers, 1, patience_s, context.version.providers, context.version.mirrors)


def worker_settings(settings: Settings, token: str) -> WorkerSettings:
    """The settings of all workers of one machine together."""
    return WorkerSettings(
        number=0,
        transfers=settings.transfers,
        layout=settings.layout,
        originals=settings.originals,
        imaging=settings.imaging,
        threads=settings.threads,
        token=token,
        shards=settings.shards,
        log_level=logging.getLogger("oidl").getEffectiveLevel(),
    )


class StateQuestions:
    """Answers what workers ask, from the database: the `Coordinator` of a run."""

    def __init__(self, state: StateWriter, shards: RunShards) -> None:
        self._state = state
        self.open_shard, self.shard_is_full = shards.open_shard, shards.shard_is_full

    async def claim_name(self, name: str, image_id: str) -> bool:
        """As in `Coordinator`."""
        return await self._state.run(self._state.ledger.claim_name, name, image_id)

    async def before_replace(self, files: list[tuple[str, str]]) -> None:
        """As in `Coordinator`."""
        image_ids = {image_id for image_id, _ in files}
        await self._state.run(requeue, self._state.db, files, image_ids)
