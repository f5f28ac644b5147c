"""The machines of a run on a cluster, composed: the engine, the conversations, and what only the coordinator may do."""

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from oidl.cluster.address import ClusterAddress
from oidl.cluster.away import AwayShards
from oidl.cluster.dask import open_engine, worker_ttl_s
from oidl.cluster.dispatch import Dispatcher, Setup
from oidl.cluster.engine import Engine
from oidl.cluster.node_shards import NodeShards, SharedShards
from oidl.cluster.protocol import SILENCE_S, Facts, Timing
from oidl.cluster.publish import Publisher
from oidl.cluster.roster import Roster
from oidl.cluster.versions import difference, versions
from oidl.errors import disk_error
from oidl.model import StoreKind
from oidl.node.machine import NodeSettings
from oidl.node.pool import process_count
from oidl.pipeline.feed import InFlight
from oidl.pipeline.machines import ImageWork, Machine, Machines, node_settings, worker_settings
from oidl.settings import Settings
from oidl.storage.atomic import PART_DIRECTORY
from oidl.storage.layout import subset_directory

_MANY = 1_000_000  # images: as many processes as a node has threads for


def cluster_machines(address: ClusterAddress) -> Machines:
    """Processes the images of a run on the nodes of a cluster."""

    def opened(work: ImageWork, in_flight: InFlight) -> AbstractAsyncContextManager[Machine]:
        return _open(address, work, in_flight)

    return opened


@asynccontextmanager
async def _open(address: ClusterAddress, work: ImageWork, in_flight: InFlight) -> AsyncIterator[Machine]:
    async with open_engine(address, work.context.say, work.context.stop) as engine:
        with _probe(work.context.settings, work.context.version.subsets, work.token) as probe:
            state = work.context.state
            stored = await state.run(state.ledger.paces.read_all)
            roster = Roster(work.context.meter, work.inputs, stored)
            yield new_dispatcher(engine, roster, work, in_flight, probe)


def new_dispatcher(engine: Engine, roster: Roster, work: ImageWork, in_flight: InFlight, probe: str) -> Dispatcher:
    """The dispatcher of a run on `engine`, whose workers must see the file `probe`."""
    context, settings = work.context, work.context.settings
    every = node_settings(context, worker_settings(settings, work.token))
    setup = Setup(
        settings_of=partial(_settings_of, every, settings, roster),
        check=partial(_problem, settings),
        heard=roster.heard,
        run=f"{work.token}-{secrets.token_hex(2)}",
        probe=probe,
        timing=Timing(min(SILENCE_S, worker_ttl_s())),
        is_away=are_away(settings),
    )
    shards: NodeShards = SharedShards(work.shards, settings.root_dir)
    if setup.is_away:
        assert work.uploads
        shards = AwayShards(context.state, work.shards, work.uploads, context.stop, work.token)
    return Dispatcher(engine, Publisher(work, in_flight, shards), setup, context.stop, context.say)


def are_away(settings: Settings) -> bool:
    """Whether nodes need no shared filesystem: everything goes to an object store, and nothing stays in the root."""
    if settings.shards.remote is None or settings.shards.keep_local:
        return False
    renditions = settings.all_renditions
    return all(each.store is not StoreKind.FILES and not Path(each.directory).is_absolute() for each in renditions)


def _settings_of(every: NodeSettings, settings: Settings, roster: Roster, host: str, facts: Facts) -> NodeSettings:
    """The settings of a node: `every` node's, with as many threads and processes as its worker has threads."""
    threads = settings.node_threads or facts.threads
    processes = settings.processes or process_count(_MANY, threads)
    paces = roster.starting_paces(host)
    return replace(every, workers=replace(every.workers, threads=threads), processes=processes, paces=paces)


def _problem(settings: Settings, facts: Facts) -> str | None:
    if problem := difference(facts.versions, versions()):
        return problem
    if not facts.can_see and not are_away(settings):
        return (
            f"it does not see {settings.root_dir}, which must be on a filesystem that all machines share; for machines "
            "without one, keep all images in shards, with --remote and --no-keep-local"
        )
    return None


@contextmanager
def _probe(settings: Settings, subsets: tuple[str, ...], token: str) -> Iterator[str]:
    """A file that other machines see if they share the filesystem of the outputs."""
    directory = settings.all_renditions[0].directory if settings.all_renditions else settings.originals.directory
    home = subset_directory(settings.layout, subsets[0], directory)
    path = home / PART_DIRECTORY / f"{token}-probe"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        yield str(path)
        path.unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(path, error) from error
