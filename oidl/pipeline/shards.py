"""The shards that runs write: opened for workers, sealed when they are full or the run ends, restored at the start.

    open      a row with a path; a worker appends to `<path>.part`, and the rows of its images say what counts
    sealed    cut after its last image, completed, on disk under its final name, with its SHA-256; it never changes
    stale     sealed, but an image was taken out of it: the others are copied to a new shard

What a kill leaves behind is an open shard that is longer than its rows say, or one that has parts without rows between
others. The first is cut, the second copied. A shard whose file is shorter has lost its last images; they are pending.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path

import trio

from oidl.errors import DiskError
from oidl.model import Failure, OpenShard, Reason, Rendition, ShardSettings, StoreKind
from oidl.node.stop import Stop
from oidl.node.threads import run_abandonable
from oidl.pipeline.writer import StateWriter
from oidl.settings import Layout
from oidl.state.connection import StateConnection
from oidl.state.plan_counts import forget_plan_counts
from oidl.state.requeue import requeue
from oidl.state.shards import (
    Sample,
    Shard,
    count_samples,
    drop_shard,
    forget_removed,
    open_shard,
    record_moved,
    record_sealed,
    removed_shards,
    samples_of,
    unsealed_shards,
)
from oidl.storage.layout import recorded_path, subset_directory
from oidl.storage.shards.files import Range, copy_ranges, cut_shard, remove_shard, seal_shard, shard_size
from oidl.storage.shards.formats import SHARD_FORMATS
from oidl.storage.shards.place import Place, place_of
from oidl.text import counted

_EVERY_S = 2.0

log = logging.getLogger("oidl")


class RunShards:
    """The shards of one run; `renditions` are all that it may make, `say` reports findings to the user."""

    def __init__(
        self,
        state: StateWriter,
        layout: Layout,
        limits: ShardSettings,
        renditions: Iterable[Rendition],
        stop: Stop,
        say: Callable[[str], None],
    ) -> None:
        self._state = state
        self._layout = layout
        self._limits = limits
        self._renditions = {each.name: each for each in renditions if each.store is not StoreKind.FILES}
        self._stop = stop
        self._say = say
        self._idle: dict[tuple[str, str], list[OpenShard]] = {}  # left open by earlier runs, by rendition and subset
        self._begun_with: dict[int, int] = {}  # images, by shard
        self._full: dict[int, int] = {}  # how many images there will be in it, by shard
        self._sealing = trio.CapacityLimiter(1)

    async def restore(self) -> None:
        """Restores what earlier runs left: open shards can be continued after this, and none is stale.

        Raises `DiskError`. If this is interrupted, the next run starts it again.
        """
        lost = await self._state.run(self._restore)
        if lost:
            self._say(f"{counted(lost, 'image')} in shards did not reach the disk and will be fetched again")

    async def open_shard(self, rendition: str, subset: str) -> OpenShard:
        """As in `Coordinator`."""
        if idle := self._idle.get((rendition, subset)):
            return idle.pop()
        shard = await self._state.run(self._new_shard, self._renditions[rendition], subset)
        return shard._replace(samples=self._limits.samples)

    async def shard_is_full(self, shard_id: int, appended: int) -> None:
        """As in `Coordinator`."""
        self._full[shard_id] = self._begun_with.get(shard_id, 0) + appended

    async def run(self) -> None:
        """Seals full shards when all their images are recorded, until cancelled.

        One of which some images failed after they were appended is left for the end.
        """
        while True:
            await trio.sleep(_EVERY_S)
            for shard_id, samples in list(self._full.items()):
                if await self._state.run(count_samples, self._state.db, shard_id) == samples:
                    del self._full[shard_id]
                    await self._seal(shard_id)

    async def seal_all(self) -> None:
        """Seals every open shard; no worker appends any more. If the disk is full, that stops the run."""
        for shard in await self._state.run(unsealed_shards, self._state.db):
            await self._seal(shard.shard_id)
        self._full.clear()

    async def _seal(self, shard_id: int) -> None:
        try:
            kept = await self._state.run(self._ready_to_seal, shard_id)
            if kept:
                shard, samples = kept
                path, end = self._path(shard), SHARD_FORMATS[StoreKind(shard.format)].end
                work = partial(seal_shard, path, samples[-1].at + samples[-1].bytes, end)
                size, digest = await run_abandonable(work, limiter=self._sealing)
                await self._state.run(record_sealed, self._state.db, shard, len(samples), size, digest)
                log.info("sealed %s: %d images, %d bytes", shard.path, len(samples), size)
        except DiskError as error:
            self._stop.disk_is_full(Failure(Reason.DISK, error.message, hint=error.hint))

    # ---- on the thread of the writing connection

    def _restore(self) -> int:
        db = self._state.db
        self._remove_dropped(db)
        lost = 0
        for shard in unsealed_shards(db):
            trio.from_thread.check_cancelled()
            if shard.state == "open":
                lost += self._requeue_lost(db, shard)
            kept = self._in_order(db, shard)
            if kept:
                self._keep_open(*kept)
        self._remove_dropped(db)
        return lost

    def _keep_open(self, shard: Shard, samples: Sequence[Sample]) -> None:
        """Continues an open shard in this run, if it has room and the rendition is still made in this way."""
        rendition = self._renditions.get(shard.rendition)
        left = self._limits.samples - len(samples)
        length = samples[-1].at + samples[-1].bytes
        if left <= 0 or length >= self._limits.bytes or rendition is None or rendition.store != shard.format:
            return  # it is sealed at the end
        place = max(each.place for each in samples) + 1
        self._begun_with[shard.shard_id] = len(samples)
        idle = self._idle.setdefault((shard.rendition, shard.split), [])
        idle.append(OpenShard(shard.shard_id, shard.path, length, place, left))

    def _requeue_lost(self, db: StateConnection, shard: Shard) -> int:
        """Makes images pending whose sample is not whole in the file."""
        size = shard_size(self._path(shard))
        lost = [each.image_id for each in samples_of(db, shard) if each.at + each.bytes > size]
        if lost:
            requeue(db, [(image_id, shard.rendition) for image_id in lost], lost)
            forget_plan_counts(db)
        return len(lost)

    def _in_order(self, db: StateConnection, shard: Shard) -> tuple[Shard, list[Sample]] | None:
        """An open shard that has the images of `shard` one after the other, and nothing else; None if it has none."""
        samples = samples_of(db, shard)
        if not samples:
            drop_shard(db, shard)
            return None
        begins = list(accumulate((each.bytes for each in samples), initial=0))
        if shard.state == "open" and begins[:-1] == [each.at for each in samples]:
            cut_shard(self._path(shard), begins[-1])
            return shard, samples
        return self._copied(db, shard, samples, begins)

    def _copied(
        self, db: StateConnection, shard: Shard, samples: list[Sample], begins: Sequence[int]
    ) -> tuple[Shard, list[Sample]]:
        """A new shard with the images of `shard`, which is dropped."""
        rendition = Rendition(shard.rendition, "", store=StoreKind(shard.format))
        opened = open_shard(db, rendition, shard.split, shard.directory, shard.path.rpartition("/")[0])
        target = next(each for each in unsealed_shards(db) if each.shard_id == opened.shard_id)
        ranges = [Range(each.at, each.bytes) for each in samples]
        copy_ranges(self._path(shard), ranges, self._path(target))
        moved = [
            each._replace(place=place, at=at, path=_moved_path(each, target.path, at))
            for place, (each, at) in enumerate(zip(samples, begins, strict=False))
        ]
        record_moved(db, shard, target, moved)
        return target, moved

    def _ready_to_seal(self, shard_id: int) -> tuple[Shard, list[Sample]] | None:
        db = self._state.db
        shard = next(each for each in unsealed_shards(db) if each.shard_id == shard_id)
        kept = self._in_order(db, shard)
        self._remove_dropped(db)
        return kept

    def _new_shard(self, rendition: Rendition, subset: str) -> OpenShard:
        directory = recorded_path(self._layout, subset_directory(self._layout, "*", rendition.directory))
        home = recorded_path(self._layout, subset_directory(self._layout, subset, rendition.directory))
        return open_shard(self._state.db, rendition, subset, directory, home)

    def _remove_dropped(self, db: StateConnection) -> None:
        paths = removed_shards(db)
        for path in paths:
            remove_shard(self._layout.root_dir / path)
        if paths:
            forget_removed(db, paths)

    def _path(self, shard: Shard) -> Path:
        return self._layout.root_dir / shard.path


def _moved_path(sample: Sample, path: str, at: int) -> str:
    place = place_of(sample.path)
    assert place
    return str(Place(path, at + place.at - sample.at))
