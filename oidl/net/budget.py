"""A bound on the bytes of the bodies in memory, whatever the number of connections."""

from collections import deque

import trio


class ByteBudget:
    """`total` bytes, lent out first come, first served.

    One body larger than the whole budget may still pass, alone.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._free = total
        self._waiting: deque[tuple[int, trio.Event]] = deque()

    async def acquire(self, count: int) -> int:
        """Waits until `count` bytes are free and takes them; returns what is to be released."""
        count = min(count, self._total)
        if not self._waiting and count <= self._free:
            self._free -= count
            await trio.lowlevel.checkpoint()
            return count
        turn = (count, trio.Event())
        self._waiting.append(turn)
        try:
            await turn[1].wait()
        except trio.Cancelled:
            if turn[1].is_set():
                self.release(count)
            else:
                self._waiting.remove(turn)
                self._wake()
            raise
        return count

    def charge(self, count: int) -> int:
        """Takes `count` bytes now, even into debt; for a body found larger than was thought.

        Waiting for more while holding some could stop everybody; a debt only
        makes those who come next wait longer.
        """
        self._free -= count
        return count

    def release(self, count: int) -> None:
        """Gives back bytes that were taken."""
        self._free += count
        self._wake()

    def reservation(self) -> "Reservation":
        """A share of the budget for one image, of nothing as yet."""
        return Reservation(self)

    def _wake(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free:
            count, event = self._waiting.popleft()
            self._free -= count
            event.set()


class Reservation:
    """The bytes of the budget that one image holds. As a context manager it gives them back, unless they were moved."""

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self._bytes = 0

    def __enter__(self) -> "Reservation":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    async def acquire(self, count: int) -> None:
        """Waits for `count` more bytes."""
        self._bytes += await self._budget.acquire(count)

    def grow_to(self, count: int) -> None:
        """Takes what is missing of `count` bytes now, even into debt."""
        if count > self._bytes:
            self._bytes += self._budget.charge(count - self._bytes)

    def moved(self) -> "Reservation":
        """A reservation that holds the bytes instead of this one, for whoever has the image next."""
        other = Reservation(self._budget)
        other._bytes, self._bytes = self._bytes, 0
        return other

    def release(self) -> None:
        """Gives back all of it."""
        self._budget.release(self._bytes)
        self._bytes = 0
