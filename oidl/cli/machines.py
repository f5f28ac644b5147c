"""Which machines process the images of a run."""

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
