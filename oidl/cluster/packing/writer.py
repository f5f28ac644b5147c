"""The shards of a pack on a cluster, composed: the engine, the dispatcher, and what only the coordinator may do."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from oidl.cluster.address import ClusterAddress
from oidl.cluster.dask import open_engine, worker_ttl_s
from oidl.cluster.packing.dispatch import PackDispatcher, PackSetup
from oidl.cluster.packing.order import PackFacts
from oidl.cluster.packing.publish import ShardPublisher, open_directory
from oidl.cluster.packing.tasks import pack_versions
from oidl.cluster.protocol import SILENCE_S, Timing
from oidl.cluster.versions import difference
from oidl.export.pack.context import PackContext
from oidl.export.pack.credits import Credits
from oidl.export.pack.job import ShardsWriter
from oidl.export.pack.samples import SampleSettings
from oidl.state.pack import ShardRow

RunLoop: TypeAlias = Callable[[Callable[[], Awaitable[None]]], None]
"""Runs an async function in an event loop of its own; cancels it, and raises, if the user stops it."""


def cluster_writer(address: ClusterAddress, say: Callable[[str], None], run: RunLoop) -> ShardsWriter:
    """Writes the shards of a pack on the workers of a cluster; `say` shows messages to the user."""

    def write(context: PackContext, shards: Sequence[ShardRow], settings: SampleSettings, credits: Credits) -> None:
        async def work() -> None:
            await _write(address, say, context, shards, settings, credits)

        if shards:
            run(work)

    return write


async def _write(
    address: ClusterAddress,
    say: Callable[[str], None],
    context: PackContext,
    shards: Sequence[ShardRow],
    settings: SampleSettings,
    credits: Credits,
) -> None:
    async with open_engine(address, say) as engine, open_directory(context.dest) as directory:
        timing = Timing(min(SILENCE_S, worker_ttl_s()))
        truth = ShardPublisher(context, settings, credits, timing, directory)
        form = context.request.format.name
        setup = PackSetup(await truth.open(), form, partial(problem_of, ours=pack_versions(form)), timing)
        await PackDispatcher(engine, truth, setup, list(shards), say).run()


def problem_of(facts: PackFacts, ours: Mapping[str, str]) -> str | None:
    """Why a worker cannot take part, for the user; None if it can. `ours` are the versions of the coordinator."""
    if facts.unseen:
        return f"it does not see {facts.unseen}, which must be on a filesystem that all machines share"
    return facts.problem or difference(facts.versions, ours)
