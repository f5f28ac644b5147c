"""Options: whether other machines do the work."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from oidl.cli.options.groups import NETWORK, in_section
from oidl.cluster.address import ClusterAddress


def _check(_: object, value: str | None) -> None:
    if value is not None:
        ClusterAddress.parse(value)


@dataclass(frozen=True, kw_only=True)
@in_section(NETWORK)
class ClusterOptions:
    """Cluster."""

    cluster: Annotated[str | None, Parameter(validator=_check)] = None
    """Process images on the workers of a Dask scheduler, like `tcp://host:8786` or `tls://host:8786`, or on `local:3`
    workers of this machine; see `oidl help cluster`."""
