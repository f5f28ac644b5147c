"""Options: how hard and how patiently the network is used."""

from dataclasses import dataclass
from typing import Annotated

from oidl.cli.options.groups import NETWORK, in_section
from oidl.cli.options.types import BYTES
from oidl.settings import MAX_IMAGE_BYTES, NetworkSettings


@dataclass(frozen=True, kw_only=True)
@in_section(NETWORK)
class NetworkOptions:
    """Network and pace."""

    max_total_connections: int = 128
    """How many connections are open at most, idle ones included."""

    max_host_connections: int = 5
    """How many of them to one host."""

    connect_timeout: float = 10.0
    """Seconds to connect, DNS, a proxy and TLS included."""

    dns_timeout: float = 5.0
    """Seconds of these to find a host's address; addresses are kept for a minute."""

    tls_timeout: float = 5.0
    """Seconds of these for the TLS handshake."""

    stall_timeout: float = 30.0
    """Seconds that a transfer may go without a byte."""

    max_rps: float | None = None
    """Requests per second to one provider (all of Flickr is one) at most; what it bears is learned below that."""

    max_retry_after: float = 3600.0
    """Longest pause in seconds accepted from a server's `Retry-After`; longer ones are shortened to it."""

    limit_rate: Annotated[int | None, BYTES] = None
    """Bytes per second at most, like `10M`, over all transfers together."""

    max_image_bytes: Annotated[int, BYTES] = MAX_IMAGE_BYTES
    """Largest image to download, like `250M`; a larger one fails as `too_large`, whatever the image list says."""

    min_speed: float = 2000.0
    """Bytes per second: a transfer may take the times to connect and to stall, and its expected size at this speed."""

    user_agent: str | None = None
    """How servers are told who asks; `oidl`, its version and what it does if not given."""

    max_retries: int = 15
    """Tries of one image in one run."""

    max_wait: float = 180.0
    """Seconds to wait at the end of a run for retries that are due within that time."""

    confirm_after: float = 45.0
    """Seconds before a failure that may be the network's (a web page, a 403) is tried again; then twice that."""

    def transfers(self) -> NetworkSettings:
        """The settings of every transfer."""
        return NetworkSettings(
            max_total_connections=self.max_total_connections,
            max_host_connections=self.max_host_connections,
            connect_timeout_s=self.connect_timeout,
            dns_timeout_s=self.dns_timeout,
            tls_timeout_s=self.tls_timeout,
            stall_timeout_s=self.stall_timeout,
            min_bytes_per_s=self.min_speed,
            max_image_bytes=self.max_image_bytes,
            max_rps=self.max_rps,
            max_retry_after_s=self.max_retry_after,
            max_bytes_per_s=self.limit_rate,
            user_agent=self.user_agent,
        )
