"""How much is done a second, for all clients together."""

import math

import trio


class Ceiling:
    """Lets through `per_s` takers a second; a second's worth may be saved up, and the rest wait in line."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._next = -math.inf

    async def take(self) -> None:
        """Returns when it is the caller's turn."""
        self._next = max(self._next, trio.current_time() - 1) + 1 / self._per_s
        await trio.sleep_until(self._next)
