"""The opening of a connection: one time limit for all of it, and nothing left open if it fails.

httpcore limits each step of it alone: connecting, then every read of a proxy's answer, then the TLS handshake. And a
tunnel that fails halfway stays in its pool as a connection that is neither closed nor idle, so in a pool of one all
later requests wait for it (encode/httpcore#1023). So each step is watched here, by way of httpcore's request extension
"trace", until the request itself is sent.
"""

import math
from collections.abc import Callable
from typing import Any

import httpcore
import trio


class Opening:
    """What comes before one request is sent: connecting, the tunnel of a proxy, and the TLS handshakes.

    All of it may take `connect_timeout_s` together, and each handshake `tls_timeout_s`. `check` is given the stream
    once it is connected, and may raise. `on_sent` is called when the request is about to be sent.
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

    async def watch(self, event: str, info: dict[str, Any]) -> None:
        """Hears of a step; `event` is the layer that takes it, its name, and whether it starts or is complete."""
        if self.is_over:
            return
        match event.partition(".")[2]:
            case "connect_tcp.complete":
                self._stream, self._step = info["return_value"], "tunnel"  # or the request, at once
                self._check(info["return_value"])
            case "start_tls.started":
                self._step = "TLS handshake"
                self.time_limit.deadline = min(self._ends_at, trio.current_time() + self._tls_timeout_s)
            case "start_tls.complete":
                self._step = "tunnel"
                self.time_limit.deadline = self._ends_at
            case "send_request_headers.started" if info["request"].method != b"CONNECT":
                self.is_over = True
                self.time_limit.deadline = math.inf
                self._on_sent()

    @property
    def lateness(self) -> str:
        """Which step did not end in time, in words."""
        return f"no {self._step} in time"

    async def aclose(self) -> None:
        """Closes the stream on which it failed."""
        if self._stream is not None:
            await self._stream.aclose()
