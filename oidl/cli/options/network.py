"""Options: how hard and how patiently the network is used."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from oidl.cli.options.groups import NETWORK, filled, in_section
from oidl.cli.options.types import A_WAIT, AT_LEAST_ONE, BYTES, MORE_THAN_ZERO
from oidl.settings import NetworkSettings

_NETWORK = NetworkSettings()


def _check_agent(_: object, value: str | None) -> None:
    if value is not None and not (value.strip() and value.isascii() and value.isprintable()):
        raise ValueError(f"must be plain text like oidl/1.0 (me@example.org), not {value!r}")


@dataclass(frozen=True, kw_only=True)
@in_section(NETWORK)
class TimeoutOptions:
    """Timeouts."""

    connect_timeout: Annotated[float, MORE_THAN_ZERO] = _NETWORK.connect_timeout_s
    """Seconds to connect, including DNS, a proxy and TLS."""

    stall_timeout: Annotated[float, MORE_THAN_ZERO] = _NETWORK.stall_timeout_s
    """Seconds to wait for an answer, or for its next byte."""


@dataclass(frozen=True, kw_only=True)
@in_section(NETWORK)
class NetworkOptions:
    """Network and pace."""

    dns_timeout: Annotated[float, MORE_THAN_ZERO] = _NETWORK.dns_timeout_s
    """Seconds to look up a host's address, within `--connect-timeout`; addresses are kept for a minute."""

    tls_timeout: Annotated[float, MORE_THAN_ZERO] = _NETWORK.tls_timeout_s
    """Seconds for the TLS handshake, within `--connect-timeout`."""

    max_total_connections: Annotated[int, AT_LEAST_ONE] = _NETWORK.max_total_connections
    """Maximum number of open connections, including idle ones."""

    max_host_connections: Annotated[int, AT_LEAST_ONE] = _NETWORK.max_host_connections
    """Maximum number of open connections to one host."""

    max_rps: Annotated[float | None, MORE_THAN_ZERO] = _NETWORK.max_rps
    """Maximum requests per second to one provider (all of Flickr is one); `oidl` finds a sustainable rate below it."""

    max_retry_after: Annotated[float, A_WAIT] = _NETWORK.max_retry_after_s
    """Longest pause that a server can ask for (`Retry-After`), in seconds; a longer one is shortened to this."""

    limit_rate: Annotated[int | None, BYTES, MORE_THAN_ZERO] = None
    """Maximum bytes per second over all transfers together, like `10M`."""

    min_speed: Annotated[float, MORE_THAN_ZERO] = _NETWORK.min_bytes_per_s
    """Slowest transfer, in bytes/s: each may take `--connect-timeout` + `--stall-timeout` + its size / this."""

    max_image_bytes: Annotated[int, BYTES] = _NETWORK.max_image_bytes
    """Largest image to download, like `250M`; a larger one fails as `too_large`, whatever the image list says."""

    user_agent: Annotated[str | None, Parameter(validator=_check_agent)] = _NETWORK.user_agent
    """User-Agent header to send. Default: `oidl/VERSION (Open Images dataset downloader)`."""

    def settings(self, timeouts: TimeoutOptions) -> NetworkSettings:
        """The settings of every transfer."""
        return filled(NetworkSettings, timeouts, self, max_bytes_per_s=self.limit_rate, min_bytes_per_s=self.min_speed)
