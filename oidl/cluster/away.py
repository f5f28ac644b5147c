"""Shards of nodes that share no filesystem with the coordinator: on their own disks, then in an object store.

A node appends to shards in a directory of its own. When all images of a full shard are recorded, the coordinator orders
the node to complete it with just these images, and to stage it in the object store; the coordinator alone moves it from
there to its name. Until then a shard belongs to the life of its node: if that ends, its images are pending again.
"""

from dataclasses import dataclass

from oidl.cluster.protocol import SealOrder
from oidl.errors import RemoteError
from oidl.model import OpenShard, StoreKind
from oidl.node.stop import Stop
from oidl.pipeline.shard_copies import are_adjacent, new_copy
from oidl.pipeline.shards import RunShards
from oidl.pipeline.uploads import Uploads
from oidl.pipeline.writer import StateWriter
from oidl.state.shards import count_samples, drop_shard, record_moved, samples_of, unsealed_shard
from oidl.state.uploads import record_staged
from oidl.storage.shards.files import Range
from oidl.storage.shards.formats import SHARD_FORMATS


@dataclass(slots=True)
class _Away:
    """A shard on the disk of a node: how many samples were appended if it is full, and whether it is being sealed."""

    appended: int | None = None
    is_ordered: bool = False


class AwayShards:
    """The `NodeShards` on the disks of the nodes; `token` begins the names of what they stage."""

    def __init__(self, state: StateWriter, shards: RunShards, uploads: Uploads, stop: Stop, token: str) -> None:
        self._state = state
        self._shards = shards
        self._uploads = uploads
        self._stop = stop
        self._token = token
        self._of: dict[str, dict[int, _Away]] = {}

    async def open_shard(self, life: str, rendition: str, subset: str) -> OpenShard:
        """As in `NodeShards`."""
        shard = await self._shards.new_shard(rendition, subset)
        self._of.setdefault(life, {})[shard.shard_id] = _Away()
        return shard

    async def shard_is_full(self, life: str, shard_id: int, appended: int) -> None:
        """As in `NodeShards`."""
        if away := self._of.get(life, {}).get(shard_id):
            away.appended = appended

    def holds(self, life: str) -> bool:
        """As in `NodeShards`."""
        return bool(self._of.get(life))

    async def orders(self, life: str, *, is_last: bool) -> tuple[SealOrder, ...]:
        """As in `NodeShards`: full shards whose images are all recorded; the others in the end."""
        orders = []
        for shard_id, away in list(self._of.get(life, {}).items()):
            if away.is_ordered or not (is_last or await self._is_recorded(shard_id, away)):
                continue
            if order := await self._state.run(self._order, life, shard_id):
                del self._of[life][shard_id]
                self._of[life][order.shard_id] = _Away(is_ordered=True)
                orders.append(order)
            else:
                del self._of[life][shard_id]
        return tuple(orders)

    async def shard_staged(self, life: str, shard_id: int, size: int, sha256: str, url: str) -> None:
        """A life has completed its shard and staged it at `url`, so it is adopted.

        If that fails, this run stops, and the next one does it.
        """
        if shard_id not in self._of.get(life, {}):
            return
        await self._state.run(record_staged, self._state.db, shard_id, size, sha256, url)
        del self._of[life][shard_id]
        try:
            if lost := await self._uploads.adopt_staged():
                await self._shards.fence(lost)
        except RemoteError as error:
            self._stop.limit_reached(f"{error.message}; {error.hint}")

    async def shard_failed(self, life: str, shard_id: int, problem: str) -> None:
        """A life cannot complete or upload its shard: its images are pending again, and the run stops."""
        if self._of.get(life, {}).pop(shard_id, None):
            await self._shards.fence([shard_id])
            self._stop.limit_reached(problem)

    async def fence(self, life: str) -> None:
        """As in `NodeShards`: what it has not staged is lost, and its images are pending again."""
        if shards := self._of.pop(life, {}):
            await self._shards.fence(list(shards))

    async def _is_recorded(self, shard_id: int, away: _Away) -> bool:
        if away.appended is None:
            return False
        return await self._state.run(count_samples, self._state.db, shard_id) == away.appended

    def _order(self, life: str, shard_id: int) -> SealOrder | None:
        """How a life should complete a shard; None if it has no images, and is no shard any more."""
        db = self._state.db
        shard = unsealed_shard(db, shard_id)
        assert shard
        samples = samples_of(db, shard)
        if not samples:
            drop_shard(db, shard)
            return None
        target = shard
        if not are_adjacent(samples):
            target, moved = new_copy(db, shard, samples, self._shards.add_shard)
            record_moved(db, shard, target, moved)
        name = f"{self._token}-{life}-{target.shard_id}-{target.path.rpartition('/')[2]}"
        end = SHARD_FORMATS[StoreKind(shard.format)].end
        ranges = tuple(Range(each.at, each.bytes) for each in samples)
        return SealOrder(target.shard_id, shard.path, target.path, ranges, end, name)
