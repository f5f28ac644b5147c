"""A limit on the bytes per second of all transfers together."""

import trio

_BURST_S = 0.25  # unused capacity may be used later, this far back


class Throttle:
    """Lets at most `bytes_per_s` pass; None means no limit.

    A transfer waits after each piece, so the socket buffers
    fill up and the servers slow down.
    """

    def __init__(self, bytes_per_s: float | None) -> None:
        self._bytes_per_s = bytes_per_s
        self._paid_until = -float("inf")

    async def consume(self, count: int) -> None:
        """Accounts for `count` bytes that have arrived; returns when more may arrive."""
        if self._bytes_per_s is None:
            return
        now = trio.current_time()
        self._paid_until = max(self._paid_until, now - _BURST_S) + count / self._bytes_per_s
        await trio.sleep_until(self._paid_until)
