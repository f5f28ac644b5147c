"""Which machines process the images of a run."""

from collections.abc import Callable

from oidl.pipeline.machines import Machines, this_machine
from oidl.settings import Settings


def machines_of(settings: Settings) -> Machines:
    """Those of a cluster, or this one. Raises `UsageError` if the package for that is not installed.

    Nothing of Dask is imported without a cluster.
    """
    if settings.cluster is None:
        return this_machine
    from oidl.cluster.address import ClusterAddress
    from oidl.cluster.dask import require_dask
    from oidl.cluster.machines import cluster_machines

    require_dask()
    return cluster_machines(ClusterAddress.parse(settings.cluster))


def connect_first(settings: Settings, say: Callable[[str], None]) -> None:
    """Finds out, before anything is fetched, if there is a scheduler. Raises `UsageError` if there is none."""
    if settings.cluster is None:
        return
    from oidl.cluster.address import ClusterAddress
    from oidl.cluster.dask import check_scheduler

    address = ClusterAddress.parse(settings.cluster)
    if address.workers is None:
        say(f"connecting to {address.text}")
        check_scheduler(address)
