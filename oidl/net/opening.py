"""Limits the time to open a connection, and leaves nothing open if it fails.

httpcore limits only each single step: connecting, every read of a proxy's answer, the TLS handshake. And a tunnel that
fails halfway stays in its pool as a connection that is neither closed nor idle, so in a pool of one all later requests
wait for it (encode/httpcore#1023). Therefore each step is reported here until the request itself is sent, by `direct`,
or for connections through a proxy by httpcore's request extension "trace".
"""

import math
from collections.abc import Callable
from typing import Any

import httpcore
import trio


class Opening:
    """The steps before one request is sent: connecting, the tunnel of a proxy, and the TLS handshakes.

    Together they may take `connect_timeout_s`, and each handshake `tls_timeout_s`. `check` is called with the stream
    when it is connected, and may raise. `on_sent` is called just before the request is sent.
    """

    def __init__(
        self,
        connect_timeout_s: float,
        tls_timeout_s: float,
        *,
        check: Callable[[httpcore.AsyncNetworkStream], None] = lambda stream: None,
        on_sent: Callable[[], None] = lambda: None,
    ) -> None:
        self._ends_at = trio.current_time() + connect_timeout_s
        self._tls_timeout_s = tls_timeout_s
        self._check = check
        self._on_sent = on_sent
        self._stream: httpcore.AsyncNetworkStream | None = None
        self._step = "connection"
        self.time_limit = trio.CancelScope(deadline=self._ends_at)
        self.is_over = False

    def connected(self, stream: httpcore.AsyncNetworkStream) -> None:
        """There is a connection, for which `stream` reads and writes."""
        self._stream, self._step = stream, "tunnel"  # without a proxy, the request is next
        self._check(stream)

    def handshake_began(self) -> None:
        """A TLS handshake begins."""
        self._step = "TLS handshake"
        self.time_limit.deadline = min(self._ends_at, trio.current_time() + self._tls_timeout_s)

    def handshake_ended(self) -> None:
        """A TLS handshake is complete."""
        self._step = "tunnel"
        self.time_limit.deadline = self._ends_at

    def sent(self) -> None:
        """Everything is ready, and the request is sent now."""
        self.is_over = True
        self.time_limit.deadline = math.inf
        self._on_sent()

    async def watch(self, event: str, info: dict[str, Any]) -> None:
        """Called by httpcore for each step; `event` is its layer, its name, and whether it starts or is complete."""
        if self.is_over:
            return
        match event.partition(".")[2]:
            case "connect_tcp.complete":
                self.connected(info["return_value"])
            case "start_tls.started":
                self.handshake_began()
            case "start_tls.complete":
                self.handshake_ended()
            case "send_request_headers.started" if info["request"].method != b"CONNECT":
                del info["request"].extensions["trace"]  # each later step would cost two calls more
                self.sent()

    @property
    def lateness(self) -> str:
        """The message for the step that did not end in time."""
        return f"no {self._step} in time"

    async def aclose(self) -> None:
        """Closes the stream of a failed opening."""
        if self._stream is not None:
            await self._stream.aclose()
