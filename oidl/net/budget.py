"""Bounds the bytes of the bodies in memory, whatever the number of connections."""

from collections import deque

import trio


class ByteBudget:
    """A budget of `total` bytes, first come, first served.

    A body larger than the whole budget may still pass, alone.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._free = total
        self._waiting: deque[tuple[int, trio.Event]] = deque()

    async def acquire(self, count: int) -> int:
        """Waits until `count` bytes are free and takes them; returns the number of bytes to release."""
        count = min(count, self._total)
        if not self._waiting and count <= self._free:
            self._free -= count
            return count
        waiter = (count, trio.Event())
        self._waiting.append(waiter)
        try:
            await waiter[1].wait()
        except trio.Cancelled:
            if waiter[1].is_set():
                self.release(count)
            else:
                self._waiting.remove(waiter)
                self._wake()
            raise
        return count

    def charge(self, count: int) -> int:
        """Takes `count` bytes now, even into debt; for a body that is larger than expected.

        If images waited for more while holding some, all of them could wait for ever; a debt only
        makes the next ones wait longer.
        """
        self._free -= count
        return count

    def release(self, count: int) -> None:
        """Returns bytes to the budget."""
        self._free += count
        self._wake()

    def reservation(self) -> "Reservation":
        """A share of the budget for one image, empty at first."""
        return Reservation(self)

    def _wake(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free:
            count, event = self._waiting.popleft()
            self._free -= count
            event.set()


class Reservation:
    """The bytes of the budget that one image holds. As a context manager it returns them, unless they were moved."""

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
        """Takes the bytes missing to `count` now, even into debt."""
        if count > self._bytes:
            self._bytes += self._budget.charge(count - self._bytes)

    def moved(self) -> "Reservation":
        """A new reservation that holds the bytes instead of this one, for the next stage."""
        other = Reservation(self._budget)
        other._bytes, self._bytes = self._bytes, 0
        return other

    def release(self) -> None:
        """Returns all of it to the budget."""
        self._budget.release(self._bytes)
        self._bytes = 0
