"""The node's side of shards in a directory of its own: completes them as ordered, and stages them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import trio

from oidl.cluster.protocol import SealOrder
from oidl.errors import DiskError, RemoteError
from oidl.node.frames import Call
from oidl.node.machine import NodeSettings
from oidl.node.threads import run_abandonable
from oidl.storage.remote import RemoteStore
from oidl.storage.shards.files import copy_ranges, remove_shard, seal_shard

_TRIES = 5
_AGAIN_S = 4.0  # doubled after each try


def in_scratch(settings: NodeSettings, scratch: Path) -> NodeSettings:
    """`settings` with another root, in which nothing of other machines is."""
    layout = replace(settings.workers.layout, root_dir=scratch)
    return replace(settings, workers=replace(settings.workers, layout=layout, fence=""))


class Sealer:
    """Seals shards below `root_dir` for `remote`, one at a time.

    `answer` is called with calls of the coordinator, `say` with messages for the user.
    """

    def __init__(
        self, root_dir: Path, remote: RemoteStore, answer: Callable[[Call], None], say: Callable[[str], None]
    ) -> None:
        self._root_dir = root_dir
        self._remote = remote
        self._answer = answer
        self._say = say
        self._working = trio.CapacityLimiter(1)

    async def run(self, orders: trio.MemoryReceiveChannel[SealOrder]) -> None:
        """Completes and stages the shards of `orders`."""
        async for order in orders:
            await self._seal(order)

    async def _seal(self, order: SealOrder) -> None:
        try:
            size, sha256 = await run_abandonable(self._complete, order, limiter=self._working)
            url = await self._stage(order)
            self._answer(Call(0, "shard_staged", (order.shard_id, size, sha256, url)))
        except (DiskError, RemoteError) as error:
            self._answer(Call(0, "shard_failed", (order.shard_id, f"{error.message}; {error.hint}")))

    async def _stage(self, order: SealOrder) -> str:
        path = self._root_dir / order.target
        for number in range(_TRIES - 1):
            try:
                return await run_abandonable(self._stage_once, path, order.staged, limiter=self._working)
            except RemoteError as error:
                if not number:
                    self._say(f"{error.message}; it is tried again for a minute")
                await trio.sleep(_AGAIN_S * 2**number)
        return await run_abandonable(self._stage_once, path, order.staged, limiter=self._working)

    # ---- in threads

    def _complete(self, order: SealOrder) -> tuple[int, str]:
        source, target = self._root_dir / order.source, self._root_dir / order.target
        if source != target:
            copy_ranges(source, order.ranges, target)
            remove_shard(source)
        return seal_shard(target, sum(each.bytes for each in order.ranges), order.end)

    def _stage_once(self, path: Path, name: str) -> str:
        url = self._remote.stage(path, name)
        remove_shard(path)
        return url
