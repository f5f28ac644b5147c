"""The shards of nodes, as the coordinator sees them: on a filesystem that all share, or on the disks of the nodes."""

from collections import defaultdict
from pathlib import Path
from typing import Protocol

import trio

from oidl.cluster.protocol import SealOrder
from oidl.model import OpenShard
from oidl.node.threads import run_abandonable
from oidl.pipeline.shards import RunShards
from oidl.storage.shards.files import create_shard


class NodeShards(Protocol):
    """The shards of the lives of a run."""

    async def open_shard(self, life: str, rendition: str, subset: str) -> OpenShard:
        """A shard that only this life appends to."""
        ...

    async def shard_is_full(self, life: str, shard_id: int, appended: int) -> None:
        """A life has appended so many samples to its shard, and will append no more."""
        ...

    def holds(self, life: str) -> bool:
        """Whether a life has shards that only it can complete."""
        ...

    async def orders(self, life: str, *, is_last: bool) -> tuple[SealOrder, ...]:
        """Which of these it should complete now: all if it `is_last`, after it has stopped and all is recorded."""
        ...

    async def fence(self, life: str) -> None:
        """Takes the shards away from a life that has ended, and whose results are recorded."""
        ...


class SharedShards:
    """The `NodeShards` on a filesystem that all machines share: the coordinator completes them below `root_dir`.

    A node appends only to a file that the coordinator has created, so the name of a shard that was taken away from it
    is of no use to it.
    """

    def __init__(self, shards: RunShards, root_dir: Path) -> None:
        self._shards = shards
        self._root_dir = root_dir
        self._creating = trio.CapacityLimiter(1)
        self._of: dict[str, list[int]] = defaultdict(list)

    async def open_shard(self, life: str, rendition: str, subset: str) -> OpenShard:
        """As in `NodeShards`."""
        shard = await self._shards.open_shard(rendition, subset)
        self._of[life].append(shard.shard_id)
        await run_abandonable(create_shard, self._root_dir / shard.path, limiter=self._creating)
        return shard

    async def shard_is_full(self, life: str, shard_id: int, appended: int) -> None:
        """As in `NodeShards`."""
        await self._shards.shard_is_full(shard_id, appended)

    def holds(self, life: str) -> bool:
        """As in `NodeShards`."""
        return False

    async def orders(self, life: str, *, is_last: bool) -> tuple[SealOrder, ...]:
        """As in `NodeShards`."""
        return ()

    async def fence(self, life: str) -> None:
        """As in `NodeShards`."""
        if shards := self._of.pop(life, []):
            await self._shards.fence(shards)
