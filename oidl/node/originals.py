"""Finds originals on disk that make a request unnecessary."""

from collections.abc import Callable
from dataclasses import replace

from oidl.model import Fetched, Job, Source
from oidl.net.budget import Reservation
from oidl.node.attempt import Attempt
from oidl.node.worker import Workers
from oidl.settings import SourceSettings


class LocalOriginals:
    """Lets `workers` find verified originals, as far as `settings` allow their use.

    `has_originals` says whether there may be originals of a subset that are not recorded in the database.
    """

    def __init__(self, settings: SourceSettings, has_originals: Callable[[str], bool], workers: Workers) -> None:
        self._settings = settings
        self._look_up = has_originals
        self.workers = workers
        self._has_any: dict[str, bool] = {}

    @property
    def are_trusted(self) -> bool:
        """Whether they are used without checking their MD5."""
        return not self._settings.check_md5_if_exists

    async def read(self, attempt: Attempt, memory: Reservation, worker: int | None = None) -> Fetched | None:
        """The original of an image, read by `worker` (None: any) within `memory`; None if there is no usable one."""
        job = attempt.job
        if attempt.failures or attempt.skip_local or self._settings.always_download or not self._settings.can_use_local:
            return None
        if not (job.saved_original or self._has_originals(job.subset)):
            return None
        await memory.acquire(job.original_size)
        fetched = await self.workers.get(worker).read_original(job)
        if fetched is None:
            memory.release()
        return fetched

    def unchanged(self, job: Job) -> Job | None:
        """`job`, if `restoring` will return the same, whatever is fetched; None otherwise."""
        return job if job.saved_original is None else None

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
            self._has_any[subset] = self._look_up(subset)
        return self._has_any[subset]
