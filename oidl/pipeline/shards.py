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
from pathlib import Path

import trio

from oidl.errors import DiskError
from oidl.model import Failure, OpenShard, Reason, Rendition, ShardSettings, StoreKind
from oidl.node.stop import Stop
from oidl.node.threads import run_abandonable
from oidl.pipeline.lost_samples import lost_images
from oidl.pipeline.shard_copies import are_adjacent, new_copy, new_places
from oidl.pipeline.writer import StateWriter
from oidl.progress.format import size
from oidl.settings import Layout
from oidl.state.connection import StateConnection
from oidl.state.homes import read_homes
from oidl.state.load import loaded_subsets
from oidl.state.plan_counts import forget_plan_counts
from oidl.state.requeue import requeue
from oidl.state.runs import was_on_cluster
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
    sync_commits,
    unsealed_shard,
    unsealed_shards,
)
from oidl.storage.layout import recorded_path, subset_directory
from oidl.storage.ownership import OwnFiles
from oidl.storage.shards.files import (
    Range,
    copy_ranges,
    cut_shard,
    is_locked,
    remove_shard,
    reopen_shard,
    seal_shard,
)
from oidl.storage.shards.formats import SHARD_FORMATS
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
        self._one_at_a_time = trio.Lock()
        self._lost = self._last_id = 0

    @property
    def are_written(self) -> bool:
        """Whether a rendition of the run goes to shards."""
        return bool(self._renditions)

    async def restore(self) -> None:
        """Restores what earlier runs left: open shards can be continued after this, and none is stale.

        Raises `DiskError`. If this is interrupted, the next run starts it again.
        """
        self._say_lost(await self._state.run(self._restore))

    async def open_shard(self, rendition: str, subset: str) -> OpenShard:
        """As in `Coordinator`."""
        if idle := self._idle.get((rendition, subset)):
            return idle.pop()
        return await self.new_shard(rendition, subset)

    async def new_shard(self, rendition: str, subset: str) -> OpenShard:
        """A shard that nothing was appended to."""
        shard = await self._state.run(self._new_shard, self._renditions[rendition], subset)
        return shard._replace(samples=self._limits.samples)

    async def shard_is_full(self, shard_id: int, appended: int) -> None:
        """As in `Coordinator`."""
        self._full[shard_id] = self._begun_with.get(shard_id, 0) + appended

    async def fence(self, shard_ids: Sequence[int]) -> None:
        """Takes shards from a worker that was lost, and may still write: their images are copied to new shards.

        Their results must be recorded. Other workers continue the new ones.
        """
        async with self._one_at_a_time:  # one of them may be full, and just being sealed
            self._say_lost(await self._state.run(self._fence, shard_ids))

    async def run(self) -> None:
        """Seals full shards when all their images are recorded, until cancelled.

        One of which some images failed after they were appended is left for the end.
        """
        while True:
            await trio.sleep(_EVERY_S)
            for shard_id, samples in list(self._full.items()):
                if await self._state.run(count_samples, self._state.db, shard_id) == samples:
                    await self._seal(shard_id)

    async def seal_all(self) -> None:
        """Seals every open shard; no worker appends any more. If the disk is full, that stops the run."""
        for shard in await self._state.run(unsealed_shards, self._state.db):
            await self._seal(shard.shard_id)
        self._full.clear()

    async def _seal(self, shard_id: int) -> None:
        async with self._one_at_a_time:  # at the end of the run, `run` may still be sealing it
            self._full.pop(shard_id, None)
            try:
                kept, lost = await self._state.run(self._ready_to_seal, shard_id)
                self._say_lost(lost)
                if kept:
                    await self._complete(*kept)
            except DiskError as error:
                self._stop.disk_is_full(Failure(Reason.DISK, error.message, hint=error.hint))

    async def _complete(self, shard: Shard, samples: Sequence[Sample]) -> None:
        end = SHARD_FORMATS[StoreKind(shard.format)].end
        work = partial(seal_shard, self._path(shard), samples[-1].at + samples[-1].bytes, end)
        length, digest = await run_abandonable(work, limiter=self._sealing)
        await self._state.run(record_sealed, self._state.db, shard, len(samples), length, digest)
        log.info("sealed %s: %s, %s", shard.path, counted(len(samples), "image"), size(length))

    def take_lost(self) -> int:
        """How many images were made pending again since the last call, because they were missing from shards."""
        lost, self._lost = self._lost, 0
        return lost

    def _say_lost(self, images: int) -> None:
        self._lost += images
        if images:
            self._say(f"{counted(images, 'image')} missing from shards will be fetched again")

    # ---- on the thread of the writing connection

    def _restore(self) -> int:
        db = self._state.db
        self._remove_dropped(db)
        lost, shards = 0, unsealed_shards(db)
        if shards:
            sync_commits(db)  # before bytes are cut off that rows may have named
        own = self._own_files(db) if shards else None
        copies = bool(shards) and was_on_cluster(db)  # nodes of other machines may still write
        for shard in shards:
            trio.from_thread.check_cancelled()
            if own and not own.has_shard(shard.rendition, shard.path):  # people edit the table
                lost += _requeue_all(db, shard, [each.image_id for each in samples_of(db, shard)])
                drop_shard(db, shard)
                continue
            lost += self._requeue_lost(db, shard)
            kept = self._in_order(db, shard, copy=copies)
            if kept:
                self._keep_open(*kept)
        self._remove_dropped(db)
        return lost

    def _fence(self, shard_ids: Sequence[int]) -> int:
        db, lost = self._state.db, 0
        sync_commits(db)
        for shard in filter(None, [unsealed_shard(db, shard_id) for shard_id in shard_ids]):
            self._full.pop(shard.shard_id, None)
            lost += self._requeue_lost(db, shard)
            if kept := self._in_order(db, shard, copy=True):
                self._keep_open(*kept)
        self._remove_dropped(db)
        return lost

    def _keep_open(self, shard: Shard, samples: Sequence[Sample]) -> None:
        """Continues an open shard in this run, if it has room and the rendition is still made in this way."""
        rendition = self._renditions.get(shard.rendition)
        left = self._limits.samples - len(samples)
        length = samples[-1].at + samples[-1].bytes
        is_full = left <= 0 or length >= self._limits.bytes
        if is_full or not rendition or (rendition.store, self._directory(rendition)) != (shard.format, shard.directory):
            return  # it is sealed at the end
        place = max(each.place for each in samples) + 1
        self._begun_with[shard.shard_id] = len(samples)
        idle = self._idle.setdefault((shard.rendition, shard.split), [])
        idle.append(OpenShard(shard.shard_id, shard.path, length, place, left))

    def _requeue_lost(self, db: StateConnection, shard: Shard) -> int:
        """Makes images pending whose sample is not whole in the file, or damaged in one that is about to be copied."""
        if shard.state == "open":
            reopen_shard(self._path(shard))
        return _requeue_all(db, shard, lost_images(self._path(shard), shard, samples_of(db, shard)))

    def _in_order(self, db: StateConnection, shard: Shard, *, copy: bool = False) -> tuple[Shard, list[Sample]] | None:
        """An open shard that has the images of `shard` one after the other, and nothing else; None if it has none.

        With `copy`, or if a process of an earlier run still has it open, it is copied: others may write to it.
        """
        samples = samples_of(db, shard)
        if not samples:
            drop_shard(db, shard)
            return None
        if shard.state == "open" and are_adjacent(samples) and not copy and not is_locked(self._path(shard)):
            cut_shard(self._path(shard), new_places(samples)[-1])
            return shard, samples
        target, moved = new_copy(db, shard, samples, self.add_shard)
        copy_ranges(self._path(shard), [Range(each.at, each.bytes) for each in samples], self._path(target))
        record_moved(db, shard, target, moved)
        return target, moved

    def _ready_to_seal(self, shard_id: int) -> tuple[tuple[Shard, list[Sample]] | None, int]:
        """As `_in_order`, and how many images are lost; None also if it is sealed already."""
        db = self._state.db
        shard = unsealed_shard(db, shard_id)
        if shard is None:
            return None, 0
        lost = self._requeue_lost(db, shard)
        kept = self._in_order(db, shard)
        self._remove_dropped(db)
        return kept, lost

    def _new_shard(self, rendition: Rendition, subset: str) -> OpenShard:
        home = recorded_path(self._layout, subset_directory(self._layout, subset, rendition.directory))
        directory = self._directory(rendition)
        return self.add_shard(rendition, subset, directory, home)

    def add_shard(self, rendition: Rendition, subset: str, directory: str, home: str) -> OpenShard:
        """As `open_shard`, on the thread of the writing connection; no number is used again by this run."""
        shard = open_shard(
            self._state.db, rendition, subset, directory, home, is_taken=self._is_taken, above=self._last_id
        )
        self._last_id = shard.shard_id
        return shard

    def _directory(self, rendition: Rendition) -> str:
        return recorded_path(self._layout, subset_directory(self._layout, "*", rendition.directory))

    def _is_taken(self, path: str) -> bool:
        """Whether a file of another database, perhaps of a deleted one, has the final name of a shard."""
        return (self._layout.root_dir / path).exists()

    def _remove_dropped(self, db: StateConnection) -> None:
        removed = removed_shards(db)
        if not removed:
            return
        sync_commits(db)
        own = self._own_files(db)
        for rendition, path in removed:
            if own.has_shard(rendition, path):
                remove_shard(self._layout.root_dir / path)
        forget_removed(db, [path for _, path in removed])

    def _own_files(self, db: StateConnection) -> OwnFiles:
        return OwnFiles(read_homes(db, self._layout), loaded_subsets(db))

    def _path(self, shard: Shard) -> Path:
        return self._layout.root_dir / shard.path


def _requeue_all(db: StateConnection, shard: Shard, image_ids: Sequence[str]) -> int:
    if image_ids:
        requeue(db, [(image_id, shard.rendition) for image_id in image_ids], image_ids)
        forget_plan_counts(db)
    return len(image_ids)
