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
    """Use the workers of the Dask scheduler at `tcp://host:8786` or `tls://…`; `local:3` starts three here."""
