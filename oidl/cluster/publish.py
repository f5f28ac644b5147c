"""What only the coordinator may do for its nodes: claim names, publish files, and fence those of the lost.

A node stages files in a directory that the coordinator has created for it, see `storage.staging`. What was taken away
from a life is gone for it, even if it wakes much later.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import trio

from oidl.cluster.node_shards import NodeShards
from oidl.cluster.protocol import Result, SealOrder
from oidl.errors import DiskError, OidlError
from oidl.model import ORIGINAL, Done, Failure, Job, Reason, Source, StoreKind, WrittenFile
from oidl.node.frames import Call, Reply
from oidl.node.threads import run_abandonable
from oidl.pipeline.feed import InFlight
from oidl.pipeline.machines import ImageWork
from oidl.settings import FileNames
from oidl.state.requeue import requeue
from oidl.storage.layout import actual_path, flickr_name, subset_directory
from oidl.storage.staging import close_staging, open_staging, publish, staged_path


class Truth(Protocol):
    """What a conversation needs of the coordinator; each life is named."""

    async def begin(self, life: str) -> None:
        """Gives a new life places to write to. Raises `DiskError`."""
        ...

    def holds(self, life: str) -> bool:
        """Whether a life has shards on its own disk."""
        ...

    async def orders(self, life: str, *, is_last: bool) -> tuple[SealOrder, ...]:
        """Which of these the life should complete now; if it `is_last`, all of them."""
        ...

    async def refused_names(self, jobs: Sequence[Job]) -> frozenset[tuple[str, str]]:
        """Claims the names of files for `jobs`; returns those that belong to other images."""
        ...

    async def publish(self, life: str, results: Sequence[tuple[Job, Result]]) -> list[Result]:
        """Moves the files of results that count to their places; returns the results, changed if that failed."""
        ...

    async def reply(self, life: str, call: Call) -> Reply:
        """Answers a question of a node."""
        ...

    async def fence(self, life: str) -> None:
        """Takes everything away from a life that has ended, when all its results are recorded."""
        ...


class Publisher:
    """The `Truth` of a run: its database, its files and the `shards` of its nodes."""

    def __init__(self, work: ImageWork, in_flight: InFlight, shards: NodeShards) -> None:
        self._state = work.context.state
        self._shards = shards
        self._in_flight = in_flight
        self._settings = work.context.settings
        self._token = work.token
        self._renditions = {each.name: each for each in self._settings.all_renditions}
        self._homes = [
            subset_directory(self._settings.layout, subset, each.directory)
            for each in self._settings.all_renditions
            for subset in work.context.version.subsets
            if each.store is StoreKind.FILES
        ]
        self._publishing = trio.CapacityLimiter(1)
        self._unrecorded: dict[str, set[str]] = defaultdict(set)  # ImageIDs with results that count, by life

    async def begin(self, life: str) -> None:
        """As in `Truth`."""
        await run_abandonable(open_staging, self._homes, self._token, life, limiter=self._publishing)

    def holds(self, life: str) -> bool:
        """As in `Truth`."""
        return self._shards.holds(life)

    async def orders(self, life: str, *, is_last: bool) -> tuple[SealOrder, ...]:
        """As in `Truth`."""
        is_recorded = not self._unrecorded[life] & self._in_flight.image_ids
        return await self._shards.orders(life, is_last=is_last and is_recorded)

    async def refused_names(self, jobs: Sequence[Job]) -> frozenset[tuple[str, str]]:
        """As in `Truth`."""
        if self._settings.layout.name_files_by is not FileNames.FLICKR or not jobs:
            return frozenset()
        return await self._state.run(self._claim, [(flickr_name(job), job.image_id) for job in jobs])

    async def publish(self, life: str, results: Sequence[tuple[Job, Result]]) -> list[Result]:
        """As in `Truth`."""
        self._unrecorded[life] &= self._in_flight.image_ids
        self._unrecorded[life].update(job.image_id for job, _ in results)
        staged = [(job, each) for job, each in results if isinstance(each.result, Done)]
        if not any(map(self._is_plain, (file for _, each in staged for file in _files(each)))):
            return [each for _, each in results]
        if self._settings.originals.always_download:
            files = [(job.image_id, file.rendition) for job, each in staged for file in _files(each)]
            await self._state.run(requeue, self._state.db, files, {image_id for image_id, _ in files})
        return await run_abandonable(partial(self._publish_all, life), results, limiter=self._publishing)

    async def reply(self, life: str, call: Call) -> Reply:
        """As in `Truth`."""
        try:
            return Reply(call.number, await getattr(self._shards, call.method)(life, *call.arguments))
        except OidlError as error:
            return Reply(call.number, None, error)

    async def fence(self, life: str) -> None:
        """As in `Truth`."""
        while self._unrecorded[life] & self._in_flight.image_ids:
            await self._in_flight.wait_released()
        del self._unrecorded[life]
        await self._shards.fence(life)
        await run_abandonable(close_staging, self._homes, self._token, life, limiter=self._publishing)

    # ---- in threads

    def _claim(self, names: Iterable[tuple[str | None, str]]) -> frozenset[tuple[str, str]]:
        claim = self._state.ledger.claim_name
        return frozenset((name, image_id) for name, image_id in names if name and not claim(name, image_id))

    def _publish_all(self, life: str, results: Sequence[tuple[Job, Result]]) -> list[Result]:
        return [self._publish(life, job, result) for job, result in results]

    def _publish(self, life: str, job: Job, result: Result) -> Result:
        done = result.result
        if not isinstance(done, Done):
            return result
        try:
            for file in filter(self._is_plain, done.files):
                home, path = self._places(job, file)
                if done.source == Source.LOCAL and file.rendition == ORIGINAL:
                    part = staged_path(home, path, self._token, life)
                    if path.exists() and not part.exists():
                        continue  # it was read from there
                publish(home, path, self._token, life)
        except DiskError as error:
            failure = Failure(Reason.DISK, error.message, source=done.source, url=done.url, hint=error.hint)
            return result._replace(result=failure)
        return result

    def _places(self, job: Job, file: WrittenFile) -> tuple[Path, Path]:
        layout = self._settings.layout
        home = subset_directory(layout, job.subset, self._renditions[file.rendition].directory)
        return home, actual_path(layout, file.path)

    def _is_plain(self, file: WrittenFile) -> bool:
        return self._renditions[file.rendition].store is StoreKind.FILES


def _files(result: Result) -> tuple[WrittenFile, ...]:
    return result.result.files if isinstance(result.result, Done) else ()
