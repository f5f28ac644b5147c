"""The open shards of one worker: one for each rendition and subset that it has images of.

A place is reserved for an image before it is processed, so a thread that has made one never has to ask the coordinator
for another shard.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from oidl.model import Member, Rendition, ShardSettings, StoreKind
from oidl.model.sample import Sample
from oidl.node.worker import Coordinator
from oidl.storage.shards.formats import SHARD_FORMATS
from oidl.storage.shards.log import ShardLog

Key = tuple[str, str]
"""A rendition and a subset."""


@dataclass(slots=True)
class Shards:
    """The shards below `root_dir` that this worker appends to; `coordinator` opens them.

    Those that are fenced have been created by it; if one is gone, it has been given to another worker.
    """

    root_dir: Path
    limits: ShardSettings
    coordinator: Coordinator
    is_fenced: bool = False
    _open: dict[Key, list[ShardLog]] = field(default_factory=dict)  # with places that are free, or reserved
    _reserved: dict[tuple[str, str], ShardLog] = field(default_factory=dict)  # by ImageID and rendition
    _opening: dict[Key, trio.Lock] = field(default_factory=dict)

    @asynccontextmanager
    async def reserved(self, image_id: str, subset: str, renditions: Sequence[Rendition]) -> AsyncIterator[None]:
        """Places for those of `renditions` of an image that go to shards. Those that it does not use are given back."""
        names = [each.name for each in renditions if each.store is not StoreKind.FILES]
        try:
            for name in names:
                log = await self._log(name, subset)
                log.reserve()
                self._reserved[image_id, name] = log
            yield
        finally:
            for name in names:
                if unused := self._reserved.pop((image_id, name), None):
                    unused.give_back()
            for name in names:
                await self._report_full(self._open.get((name, subset), []))

    def append(self, rendition: Rendition, sample: Sample) -> tuple[str, Member]:
        """Appends a sample at its reserved place; returns the value for `file.path`, and its place.

        Raises `DiskError`. Any thread may call it.
        """
        record = SHARD_FORMATS[rendition.store].record(sample)
        placed = self._reserved[sample.key, rendition.name].append(record)
        del self._reserved[sample.key, rendition.name]
        return placed

    def sync(self) -> None:
        """Returns when everything that was appended is on the disk. Any thread may call it."""
        for logs in list(self._open.values()):
            for log in list(logs):
                log.sync()

    def close(self) -> None:
        """Closes the files; nothing is appended any more."""
        for logs in self._open.values():
            for log in logs:
                log.close()

    async def _log(self, rendition: str, subset: str) -> ShardLog:
        key = rendition, subset
        async with self._opening.setdefault(key, trio.Lock()):
            logs = self._open.setdefault(key, [])
            log = next((each for each in logs if not each.is_full), None)
            if log is None:
                shard = await self.coordinator.open_shard(rendition, subset)
                log = ShardLog(self.root_dir, shard, self.limits.bytes, must_exist=self.is_fenced)
                logs.append(log)
        return log

    async def _report_full(self, logs: list[ShardLog]) -> None:
        for log in [each for each in logs if each.is_full and not each.reserved]:
            logs.remove(log)
            log.close()
            await self.coordinator.shard_is_full(log.shard_id, log.appended)
