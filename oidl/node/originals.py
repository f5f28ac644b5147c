"""Finds originals on disk that make a request unnecessary."""

from dataclasses import replace

import trio

from oidl.model import Fetched, Job, Source
from oidl.net.budget import Reservation
from oidl.node.attempt import Attempt
from oidl.node.process import Processor
from oidl.node.threads import run_abandonable
from oidl.settings import SourceSettings
from oidl.storage.store import Store

_READERS = 4  # threads


class LocalOriginals:
    """Finds verified originals in `store`, as far as `settings` allow their use."""

    def __init__(self, settings: SourceSettings, store: Store, processor: Processor) -> None:
        self._settings = settings
        self._store = store
        self._processor = processor
        self._readers = trio.CapacityLimiter(_READERS)
        self._has_any: dict[str, bool] = {}

    async def read(self, attempt: Attempt, memory: Reservation) -> Fetched | None:
        """The original of an image, within `memory`; None if there is no usable one."""
        job = attempt.job
        if attempt.failures or attempt.skip_local or self._settings.always_download or not self._settings.can_use_local:
            return None
        if not (job.saved_original or self._has_originals(job.subset)):
            return None
        await memory.acquire(job.original_size)
        fetched = await run_abandonable(self._processor.read_original, job, limiter=self._readers)
        if fetched is None:
            memory.release()
        return fetched

    def restoring(self, job: Job, fetched: Fetched) -> Job:
        """`job`, which also saves the original again if a recorded original could not be used and was fetched."""
        if fetched.source == Source.LOCAL or job.saved_original is None:
            return job
        saves_original = any(rendition.mode is None for rendition in job.missing_renditions)
        if saves_original or not (self._settings.save and self._settings.can_use_local):
            return job
        return replace(job, missing_renditions=(*job.missing_renditions, self._settings.original_renditions[0]))

    def _has_originals(self, subset: str) -> bool:
        """Whether there may be any; looked up once, at the first image of `subset`."""
        if subset not in self._has_any:
            self._has_any[subset] = self._store.has_originals(subset)
        return self._has_any[subset]
