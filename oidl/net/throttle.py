"""A limit on the bytes per second of all transfers together."""

from collections.abc import Iterator
from contextlib import contextmanager

import trio

_BURST_S = 0.25  # unused capacity may be used later, this far back


class Throttle:
    """Lets at most `bytes_per_s` pass; None means no limit.

    A transfer waits after each piece, so the socket buffers
    fill up and the servers slow down.
    """

    def __init__(self, bytes_per_s: float | None) -> None:
        self._bytes_per_s = bytes_per_s
        self._share = 1.0
        self._paid_until = -float("inf")

    @contextmanager
    def sharing(self, share: float) -> Iterator[None]:
        """A block in which only this share of the limit may be used, because others use the rest."""
        self._share = share
        try:
            yield
        finally:
            self._share = 1.0

    async def consume(self, count: int) -> None:
        """Accounts for `count` bytes that have arrived; returns when more may arrive."""
        if self._bytes_per_s is None:
            return
        now = trio.current_time()
        self._paid_until = max(self._paid_until, now - _BURST_S) + count / (self._bytes_per_s * self._share)
        await trio.sleep_until(self._paid_until)
