"""The shards of a pack that are not sealed: which wait, and what became of those that workers had. Pure."""

from collections import deque
from collections.abc import Iterable

from oidl.state.pack import ShardRow

DEADLY_DEATHS = 3
"""A shard that has cost so many workers is not given to another one."""

MOST_ERRORS = 3
"""So many workers try a shard that they say they cannot write."""


class ShardQueue:
    """The shards in their order; those that come back are first."""

    def __init__(self, shards: Iterable[ShardRow]) -> None:
        self._waiting = deque(shards)
        self._unsealed = len(self._waiting)
        self._deaths: dict[int, int] = {}
        self._errors: dict[int, int] = {}

    @property
    def is_over(self) -> bool:
        """Whether all are sealed."""
        return not self._unsealed

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def take(self) -> ShardRow | None:
        """The next one; None if none waits now."""
        return self._waiting.popleft() if self._waiting else None

    def sealed(self) -> None:
        """One that was taken is sealed."""
        self._unsealed -= 1

    def returned(self, shard: ShardRow) -> None:
        """It waits again, and that is not the fault of it or its worker."""
        self._waiting.appendleft(shard)

    def died(self, shard: ShardRow) -> bool:
        """Its worker died: it waits again, and True; False if it has cost too many."""
        return self._again(shard, self._deaths, DEADLY_DEATHS)

    def failed(self, shard: ShardRow) -> bool:
        """Its worker cannot write it: it waits again, and True; False if too many cannot."""
        return self._again(shard, self._errors, MOST_ERRORS)

    def _again(self, shard: ShardRow, counts: dict[int, int], most: int) -> bool:
        counts[shard.shard_id] = counts.get(shard.shard_id, 0) + 1
        if counts[shard.shard_id] >= most:
            return False
        self.returned(shard)
        return True
