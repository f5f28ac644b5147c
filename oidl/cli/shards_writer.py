"""What writes the shards of a pack: this process, or the workers of a cluster."""

from collections.abc import Awaitable, Callable

import trio

from oidl.cli.signals import cancel_on_signal
from oidl.errors import OidlError
from oidl.export.pack.job import ShardsWriter
from oidl.export.pack.write import write_shards


def shards_writer(cluster: str | None, say: Callable[[str], None], stopped: Callable[[], OidlError]) -> ShardsWriter:
    """Writes shards here, or on a cluster, which it looks for at once.

    Ctrl-C ends that with the error that `stopped` returns. Raises `UsageError` if the cluster is not there, or the
    package for it is not installed. Nothing of Dask is imported without a cluster.
    """
    if cluster is None:
        return write_shards
    from oidl.cluster.address import ClusterAddress
    from oidl.cluster.dask import check_scheduler, require_dask
    from oidl.cluster.packing.writer import cluster_writer

    require_dask()
    address = ClusterAddress.parse(cluster)
    if address.workers is None:
        say(f"connecting to {address.text}")
        check_scheduler(address)
    return cluster_writer(address, say, lambda work: _run_until_stopped(work, stopped))


def _run_until_stopped(work: Callable[[], Awaitable[None]], stopped: Callable[[], OidlError]) -> None:
    """Does `work` in an event loop; the first Ctrl-C cancels it."""

    problem: Exception | None = None
    has_ended = False

    async def main() -> None:
        nonlocal problem, has_ended
        async with trio.open_nursery() as nursery:
            await nursery.start(cancel_on_signal, nursery.cancel_scope)
            try:
                await work()
            except Exception as error:  # to raise it outside of the group of the nursery
                problem = error
            has_ended = True
            nursery.cancel_scope.cancel()

    trio.run(main)
    if problem or not has_ended:
        raise problem or stopped()
