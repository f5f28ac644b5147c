"""A ceiling on the bytes that arrive in a second, over all transfers together."""

import trio

_BURST_S = 0.25  # bytes that could have come and did not may come later, this far back


class Throttle:
    """Lets at most `bytes_per_s` pass; None is any number.

    Whoever has received some waits until they are paid for, so that the sockets behind
    fill up and the servers slow down.
    """

    def __init__(self, bytes_per_s: float | None) -> None:
        self._bytes_per_s = bytes_per_s
        self._paid_until = -float("inf")

    async def consume(self, count: int) -> None:
        """`count` bytes have arrived; returns when more may."""
        if self._bytes_per_s is None:
            return
        now = trio.current_time()
        self._paid_until = max(self._paid_until, now - _BURST_S) + count / self._bytes_per_s
        await trio.sleep_until(self._paid_until)
