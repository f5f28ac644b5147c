"""How much is done per second, for all clients together."""

import math

import trio


class RateLimiter:
    """Lets `per_s` callers pass per second. Up to one second's worth can be saved up; the others wait in line."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._next = -math.inf

    async def acquire(self) -> None:
        """Returns when it is the caller's turn."""
        self._next = max(self._next, trio.current_time() - 1) + 1 / self._per_s
        await trio.sleep_until(self._next)
